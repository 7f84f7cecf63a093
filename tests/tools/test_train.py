"""What training prints and writes, which images it uses, Ctrl-C, and the bar."""

import json
import os
import pty
import re
import signal
import subprocess
import unittest

from support import COMMAND, FILES, TIMEOUT, CommandTest, read_safetensors, small_train

EPOCH_LINE = re.compile(
    r"^epoch (\d+)/(\d+)  train loss \d+\.\d{4}  test loss \d+\.\d{4}  "
    r"test accuracy [01]\.\d{4}  \d+ samples/s$"
)


def default_sigint():
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Train(CommandTest):
    def metrics(self, data, *more):
        path = self.path("metrics.jsonl")
        result = self.assert_runs(*small_train(data, "--metrics", path, *more))
        with open(path) as file:
            return [json.loads(line) for line in file], result

    def test_output_without_a_terminal(self):
        save = self.path("model.safetensors")
        result = self.assert_runs(*small_train(self.data(), "--save", save))
        lines = result.stderr.splitlines()
        self.assertEqual(len(lines), 2, result.stderr)
        for epoch, line in enumerate(lines, 1):
            self.assertEqual(EPOCH_LINE.match(line).groups(), (str(epoch), "2"))
        self.assertRegex(
            result.stdout,
            r"^test accuracy +[01]\.\d{4}\ntest loss +\d+\.\d{4}\nsamples/s +\d+\n"
            rf"saved to +{re.escape(save)}\n$",
        )

    def test_says_when_nothing_is_saved(self):
        self.assertIn("saved to       nowhere", self.assert_runs(*small_train(self.data())).stdout)

    def test_metrics(self):
        records, result = self.metrics(self.data(), "--epochs", "3")
        keys = ["epoch", "train_loss", "test_loss", "test_accuracy", "samples_per_second"]
        self.assertEqual([list(r) for r in records], [keys, keys, [*keys, "final"]])
        self.assertEqual([r["epoch"] for r in records], [1, 2, 3])
        self.assertIs(records[-1]["final"], True)
        self.assertTrue(all(r["samples_per_second"] > 0 for r in records))
        self.assertIn(f"{records[-1]['test_accuracy']:.4f}", result.stdout)

    def test_metrics_replace_an_old_file(self):
        data = self.data()
        self.metrics(data, "--epochs", "3")
        self.assertEqual(len(self.metrics(data, "--epochs", "1")[0]), 1)

    def test_learns(self):
        records, _ = self.metrics(self.data(), "--epochs", "20", "--lr", "0.01")
        self.assertGreater(records[-1]["test_accuracy"], 0.9)
        self.assertLess(records[-1]["train_loss"], records[0]["train_loss"])

    def test_every_image_is_used_each_epoch(self):
        """At a rate of zero the mean training loss is the loss over the training images."""
        data = self.data(train=205, test=205)
        for kind in ("images", "labels"):
            os.replace(
                os.path.join(data, FILES[f"train_{kind}"]), os.path.join(data, FILES[f"test_{kind}"])
            )
            with open(os.path.join(data, FILES[f"test_{kind}"]), "rb") as file:
                content = file.read()
            with open(os.path.join(data, FILES[f"train_{kind}"]), "wb") as file:
                file.write(content)
        for batch in (1, 7, 64, 204, 205, 1000):
            with self.subTest(batch=batch):
                records, _ = self.metrics(data, "--lr", "0", "--batch", batch)
                for record in records:
                    self.assertAlmostEqual(record["train_loss"], record["test_loss"], places=5)

    def test_evaluation_uses_every_image(self):
        """Eval in batches of any size sees the same images."""
        data = self.data()
        save = self.path("model.safetensors")
        self.assert_runs(*small_train(data, "--save", save))
        outputs = {
            self.assert_runs("eval", "--load", save, "--data", data, "--batch", batch).stdout
            for batch in (1, 10, 52, 53, 1000)
        }
        self.assertEqual(len(outputs), 1, outputs)

    def test_saved_parameters(self):
        save = self.path("model.safetensors")
        self.assert_runs("train", "--data", self.data(), "--hidden", "16,12", "--save", save)
        tensors, metadata = read_safetensors(save)
        self.assertEqual(
            {name: shape for name, (shape, _) in tensors.items()},
            {
                "fc1.weight": [16, 64],
                "fc1.bias": [16],
                "fc2.weight": [12, 16],
                "fc2.bias": [12],
                "fc3.weight": [10, 12],
                "fc3.bias": [10],
            },
        )
        self.assertEqual(metadata, {"model": "mlp"})

    def test_schedules(self):
        """The rate falls to zero, so late epochs of the linear schedule move less."""
        data = self.data()
        losses = {
            schedule: self.metrics(data, "--schedule", schedule)[0][-1]["train_loss"]
            for schedule in ("linear", "constant")
        }
        self.assertNotEqual(losses["linear"], losses["constant"])

    def test_memory_budget(self):
        """Nothing of the file changes, and what cannot be is refused."""
        data = self.data()
        saved = []
        refusal = self.assert_refused(small_train(data, "--memory-budget", 1), "memory budget: 1 bytes")
        smallest = re.search(r"smallest plan found takes (\d+)", refusal)[1]
        for budget in (smallest, "1GiB"):
            save = self.path("model.safetensors")
            self.assert_runs(*small_train(data, "--save", save, "--memory-budget", budget))
            saved.append(read_safetensors(save))
        self.assert_runs(*small_train(data, "--save", save))
        self.assertEqual(saved, [read_safetensors(save)] * 2)

    def test_check_finite(self):
        save = self.path("model.safetensors")
        args = small_train(self.data(), "--optimizer", "sgd", "--lr", "1e38", "--save", save)
        result = self.run_command(*args, "--check-finite", "--epochs", "5")
        self.assertEqual(result.returncode, 1, result.stderr)
        last = result.stderr.splitlines()[-1]
        self.assertTrue(last.startswith("gradmill: "), last)
        self.assertFalse(os.path.exists(save))
        self.assert_runs(*args)

    def interrupt(self, *more):
        process = subprocess.Popen(
            [COMMAND, *small_train(self.data(), "--epochs", "1000000", *more)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=default_sigint,
        )
        first = process.stderr.readline()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=TIMEOUT)
        self.assertRegex(first, r"^epoch 1/1000000 ")
        self.assertEqual(process.returncode, 130, err)
        self.assertEqual(out, "")
        return err.splitlines()[-1]

    def test_interrupt_saves(self):
        save = self.path("model.safetensors")
        self.assertRegex(
            self.interrupt("--save", save),
            rf"^interrupted in epoch \d+ after step \d+ of 7, saved to {re.escape(save)}$",
        )
        self.assert_runs("eval", "--load", save, "--data", self.path("data"))

    def test_interrupt_without_save(self):
        self.assertIn("nothing saved", self.interrupt())

    def test_interrupt_leaves_whole_metrics(self):
        path = self.path("metrics.jsonl")
        self.interrupt("--metrics", path)
        with open(path) as file:
            records = [json.loads(line) for line in file]
        self.assertGreaterEqual(len(records), 1)
        self.assertFalse(any("final" in record for record in records))

    def test_bar_on_a_terminal(self):
        try:
            master, slave = pty.openpty()
        except OSError as error:
            self.skipTest(f"no terminal to be had: {error}")
        process = subprocess.Popen(
            [COMMAND, *small_train(self.data(), "--epochs", "3")],
            stdout=subprocess.PIPE,
            stderr=slave,
            text=True,
        )
        os.close(slave)
        seen = b""
        while True:
            try:
                more = os.read(master, 4096)
            except OSError:  # how Linux says that the other side is closed
                break
            if not more:
                break
            seen += more
        os.close(master)
        out, _ = process.communicate(timeout=TIMEOUT)
        self.assertEqual(process.returncode, 0)
        self.assertIn("test accuracy", out)
        text = seen.decode()
        self.assertRegex(
            text,
            r"\repoch 3/3 \[#+\] 100%  loss \d+\.\d{4}  \d+ samples/s  \d+:\d\d left",
        )
        # What stays on the screen is one line per epoch.
        stays = [line.split("\x1b[K")[-1] for line in text.replace("\r\n", "\n").splitlines()]
        self.assertEqual(len([line for line in stays if EPOCH_LINE.match(line)]), 3, text)


if __name__ == "__main__":
    unittest.main()
