"""Training a GPT on text: what is printed, written and refused, and going on from a file."""

import os
import re
import signal
import subprocess
import unittest

from support import COMMAND, TIMEOUT, CommandTest, read_safetensors

VALIDATION_LINE = re.compile(
    r"^step (\d+)/(\d+)  train loss (\d+\.\d{4})  validation loss (\d+\.\d{4})  \d+ tokens/s$"
)
SIZES = ("--layers", 1, "--width", 16, "--heads", 2, "--context", 8)
WORDS = ("the", "miller", "grinds", "corn", "by", "night", "and", "sells", "it", "at", "dawn")


def text(words=1500):
    """Words in an order that a small model can learn a good deal of."""
    return " ".join(WORDS[(i * i + i // 7) % len(WORDS)] for i in range(words)) + "\n"


def default_sigint():
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class TrainGpt(CommandTest):
    def setUp(self):
        super().setUp()
        self.text = self.write("text", text())

    def write(self, name, content):
        with open(self.path(name), "w") as file:
            file.write(content)
        return self.path(name)

    def command(self, *more, steps=20, sizes=SIZES):
        return ["train", "--model", "gpt", "--text", self.text, *sizes, "--batch", 4, "--warmup", 3,
                "--steps", steps, *more]

    def trained(self, name, *more, steps=20):
        """The bytes of the file that a training saves."""
        self.assert_runs(*self.command("--save", self.path(name), *more, steps=steps))
        return self.read(name)

    def read(self, name):
        with open(self.path(name), "rb") as file:
            return file.read()

    def refused(self, *words, args=(), **options):
        return self.assert_refused(self.command(*args, **options), *words)

    def test_learns_and_says_so(self):
        save = self.path("model")
        result = self.assert_runs(*self.command(
            "--lr", "1e-2", "--eval-every", 100, "--save", save, steps=300))
        first, *lines = result.stderr.splitlines()
        self.assertRegex(first, r"^1 layers?, 16 wide, 2 heads, context 8, vocabulary 256, \d+ "
                                r"parameters, \d+ MiB planned; \d+ bytes to train on, \d+ to validate with$")
        found = [VALIDATION_LINE.match(line).groups() for line in lines]
        self.assertEqual([(step, of) for step, of, _, _ in found],
                         [("100", "300"), ("200", "300"), ("300", "300")])
        for column in (2, 3):
            losses = [float(line[column]) for line in found]
            self.assertEqual(losses, sorted(losses, reverse=True))
        # Bytes drawn at random cost ln 256 = 5.55, and letters by their frequency about 2.9.
        self.assertLess(losses[-1], 2.5)
        self.assertRegex(result.stdout, r"^validation loss  " + re.escape(found[-1][3])
                         + rf"\ntokens/s +\d+\nsaved to +{re.escape(save)}\n$")

    def test_saved_file(self):
        self.trained("model", "--tied")
        tensors, metadata = read_safetensors(self.path("model"))
        self.assertEqual(metadata, {"model": "gpt", "heads": "2", "step": "20"})
        self.assertEqual(tensors["wte.weight"][0], [256, 16])
        self.assertEqual(tensors["h.0.attn.c_attn.weight"][0], [48, 16])
        self.assertNotIn("lm_head.weight", tensors)
        parameters = {name for name in tensors if not name.startswith("optimizer.")}
        state = {name for name in tensors if name.endswith(".exp_avg")}
        self.assertEqual(state, {f"optimizer.{name}.exp_avg" for name in parameters})

    def test_options_matter(self):
        """Each of these changes what is learned."""
        plain = self.trained("plain")
        for option in (("--tied",), ("--dropout", 0.1), ("--seed", 1), ("--micro-batches", 2),
                       ("--lr", 0.01), ("--min-lr", 0.0005), ("--warmup", 5), ("--beta1", 0.8),
                       ("--beta2", 0.9), ("--weight-decay", 0.5), ("--clip", 0.01),
                       ("--schedule", "linear"), ("--schedule", "constant"), ("--batch", 5)):
            with self.subTest(option=option):
                self.assertNotEqual(self.trained("other", *option), plain)

    def test_goes_on_to_the_same_bytes(self):
        """Interrupted early, and again, a training ends as one that never was."""
        steps = 400
        for options in ((), ("--tied", "--dropout", 0.2, "--micro-batches", 2),
                        ("--schedule", "linear", "--clip", 0)):
            with self.subTest(options=options):
                whole = self.trained("whole", *options, steps=steps)
                save = ("--save", self.path("part"))
                first = self.interrupt(*save, *options, steps=steps)
                second = self.interrupt(*save, "--load", self.path("part"), *options, steps=steps)
                self.assertLess(first, second)
                self.assertNotEqual(self.read("part"), whole)
                self.assertEqual(
                    self.trained("rest", "--load", self.path("part"), *options, steps=steps), whole)

    def test_evaluation_samples_and_saving_change_nothing(self):
        whole = self.trained("whole", "--dropout", 0.1)
        self.assert_runs(*self.command("--dropout", 0.1, "--save", self.path("other"), "--save-every",
                                       7, "--eval-every", 3, "--sample", 6),
                         errors="surrogateescape")
        self.assertEqual(self.read("other"), whole)

    def test_writes_on_the_way(self):
        """What --save-every wrote last is what --load goes on from."""
        process = self.start("--schedule", "constant", "--save", self.path("part"), "--save-every", 2,
                             steps=1_000_000)
        while not os.path.exists(self.path("part")):
            self.assertIsNone(process.poll())
        process.kill()
        process.communicate(timeout=TIMEOUT)
        done = int(read_safetensors(self.path("part"))[1]["step"])
        self.assertEqual(done % 2, 0)
        load = ("--load", self.path("part"), "--schedule", "constant")
        self.assertEqual(self.trained("rest", *load, steps=done + 10),
                         self.trained("rest again", "--schedule", "constant", steps=done + 10))

    def test_nothing_is_left_to_do(self):
        whole = self.trained("whole")
        result = self.assert_runs(*self.command("--load", self.path("whole"), "--save",
                                                self.path("again")))
        self.assertEqual(self.read("again"), whole)
        self.assertNotIn("tokens/s  ", result.stdout)
        self.refused(self.path("whole"), "after step 20", "19 of --steps",
                     args=["--load", self.path("whole")], steps=19)

    def test_threads_and_memory(self):
        options = ("--dropout", 0.1, "--micro-batches", 2)
        one = self.trained("one", "--threads", 1, *options)
        self.assertEqual(self.trained("two", "--threads", 2, *options), one)
        refusal = self.refused("memory budget: 1000 bytes", "not enough",
                               args=["--memory-budget", "1000B", "--threads", 2, *options])
        smallest = int(re.search(r"smallest plan found takes (\d+)", refusal)[1])
        free = int(re.search(r"and (\d+) without computing anything twice", refusal)[1])
        self.assertLess(smallest, free)
        for budget in (str(smallest), f"{smallest}b", "64MiB", "1G"):
            with self.subTest(budget=budget):
                self.assertEqual(
                    self.trained("tight", "--memory-budget", budget, "--threads", 2, *options), one)
        self.refused(f"{smallest - 1} bytes", str(smallest),
                     args=["--memory-budget", smallest - 1, "--threads", 2, *options])

    def test_memory_budget_is_logged(self):
        refusal = self.refused(args=["--memory-budget", 1, "--threads", 1])
        smallest = re.search(r"smallest plan found takes (\d+)", refusal)[1]
        command = self.command("--memory-budget", smallest, "--threads", 1, steps=4)
        env = {**os.environ, "GRADMILL_LOG": "debug"}
        err = self.assert_runs(*command, env=env).stderr
        said = re.search(r"info: memory budget: (\d+) of (\d+) bytes, where (\d+) were needed; (\d+) "
                         r"nodes are computed a second time, about \S+ % more work\n", err)
        self.assertIsNotNone(said, err[:3000])
        self.assertLessEqual(int(said[1]), int(smallest))
        self.assertEqual(said[2], smallest)
        self.assertGreater(int(said[3]), int(smallest))
        nodes = re.findall(r"debug: memory budget: \w+ '(\S+)' is computed a second time\n", err)
        self.assertEqual(len(nodes), int(said[4]))
        self.assertGreater(len(nodes), 0)
        self.assertNotIn("memory budget", self.assert_runs(*command).stderr)

    def test_samples_text(self):
        result = self.assert_runs(*self.command("--sample", 8), errors="surrogateescape")
        places = re.findall(r"^--- sampled after step (\d+)$", result.stdout, re.MULTILINE)
        self.assertEqual(places, ["8", "16", "20"])
        # The first sample is the same as that of a training that ends there.
        self.assertEqual(result.stdout.count("\n---\n"), 3)
        self.assertEqual(
            self.assert_runs(*self.command("--sample", 8), errors="surrogateescape").stdout
            .split("validation")[0], result.stdout.split("validation")[0])

    def test_generate_continues(self):
        self.trained("model", "--lr", "1e-2", steps=300)
        out = self.assert_runs("generate", "--load", self.path("model"), "--prompt", "the mi",
                               "--tokens", 30, "--temperature", 0).stdout
        self.assertTrue(out.startswith("the mi"), out)
        self.assertLessEqual(set(out), set(text()), "a byte that the text has not")
        self.assertRegex(out[6:], r"(?:^| )(?:%s) " % "|".join(WORDS))

    def start(self, *more, steps):
        return subprocess.Popen(
            [COMMAND, *map(str, self.command(*more, steps=steps))],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=default_sigint)

    def interrupt(self, *more, steps=1_000_000):
        """Returns after which step it ended."""
        process = self.start("--eval-every", 1, *more, steps=steps)
        process.stderr.readline()
        first = process.stderr.readline()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=TIMEOUT)
        self.assertRegex(first, rf"^step \d+/{steps} ")
        self.assertEqual(process.returncode, 130, err)
        self.assertEqual(out, "")
        where = f"saved to {self.path('part')}" if "--save" in more else "nothing saved: no --save"
        said = re.match(rf"^interrupted after step (\d+) of {steps}, {re.escape(where)}$",
                        err.splitlines()[-1])
        self.assertIsNotNone(said, err)
        return int(said[1])

    def test_interrupt(self):
        done = self.interrupt("--save", self.path("part"))
        self.assertEqual(read_safetensors(self.path("part"))[1]["step"], str(done))
        self.interrupt()

    def test_check_finite(self):
        save = self.path("model")
        args = self.command("--lr", "1e38", "--weight-decay", 0, "--save", save)
        result = self.run_command(*args, "--check-finite")
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertTrue(result.stderr.splitlines()[-1].startswith("gradmill: "), result.stderr)
        self.assertFalse(os.path.exists(save))

    def test_texts_that_do_not_do(self):
        self.assert_refused(["train", "--model", "gpt", *SIZES], "--text")
        self.text = self.path("none")
        self.refused(self.path("none"))
        self.text = self.folder
        self.refused(self.folder)
        self.text = self.write("empty", "")
        self.refused(self.path("empty"), "is empty")
        self.text = self.write("short", "1234567")
        self.refused(self.path("short"), "7 bytes", "context of 8")
        self.text = self.write("short", "1" * 89)  # 81 and 8
        self.refused(self.path("short"), "89 bytes leave 8 for validation", "context of 8")
        self.text = self.write("just", "1" * 90)
        self.assert_runs(*self.command())

    def test_several_texts_are_one(self):
        whole = self.trained("whole")
        content = text()
        first, second = self.write("first", content[:3000]), self.write("second", content[3000:])
        command = self.command("--save", self.path("two"))
        place = command.index(self.text)
        self.assert_runs(*command[:place], first, second, *command[place + 1:])
        self.assertEqual(self.read("two"), whole)

    def test_sizes(self):
        self.refused("heads", "3 do not divide 16", args=["--heads", 3],
                     sizes=("--layers", 1, "--width", 16, "--context", 8))
        for option in ("--batch", "--layers", "--width", "--context", "--steps", "--micro-batches",
                       "--eval-every", "--sample", "--save-every"):
            for value in ("0", "-1", "1.5", "many"):
                with self.subTest(option=option, value=value):
                    command = [arg for arg in self.command() if arg != option]
                    at = self.command().index(option) if option in self.command() else None
                    if at is not None:
                        command.pop(at)  # its value
                    self.assert_refused([*command, option, value], option)
        for option, value in (("--dropout", 1), ("--dropout", -0.1), ("--dropout", "nan"),
                              ("--beta1", 1), ("--beta2", 1.5), ("--lr", -1), ("--lr", "nan"),
                              ("--clip", -1), ("--min-lr", -1), ("--weight-decay", -1),
                              ("--schedule", "wavy"), ("--memory-budget", "much"),
                              ("--memory-budget", "-1"), ("--memory-budget", "0"),
                              ("--memory-budget", ""), ("--memory-budget", "5XB"),
                              ("--memory-budget", "9" * 20), ("--memory-budget", "9" * 15 + "TB"),
                              ("--warmup", -1), ("--warmup", 1.5)):
            with self.subTest(option=option, value=value):
                command = self.command()
                if option in command:
                    place = command.index(option)
                    del command[place:place + 2]
                self.assert_refused([*command, option, value])

    def test_warmup_must_end(self):
        for schedule in ("cosine", "linear"):
            for steps in (2, 3):
                self.refused("3", str(steps), args=["--schedule", schedule], steps=steps)
        self.assert_runs(*self.command("--schedule", "cosine", steps=4))
        self.assert_runs(*self.command("--schedule", "constant", steps=2))

    def test_options_of_the_other_model(self):
        for option, value in (("--data", self.folder), ("--hidden", 16), ("--epochs", 1),
                              ("--optimizer", "sgd"), ("--momentum", 0.9),
                              ("--metrics", self.path("metrics"))):
            with self.subTest(option=option):
                self.refused(option, "gpt", args=[option, value])
        data = self.data()
        for option in (("--text", self.text), ("--layers", 1), ("--width", 16), ("--heads", 2),
                       ("--context", 8), ("--tied",), ("--dropout", 0.1), ("--steps", 5),
                       ("--micro-batches", 2), ("--warmup", 1), ("--min-lr", 0), ("--beta1", 0.9),
                       ("--beta2", 0.9), ("--clip", 1), ("--eval-every", 1), ("--sample", 1),
                       ("--save-every", 1), ("--load", self.text), ("--schedule", "cosine")):
            with self.subTest(option=option):
                self.assert_refused(["train", "--data", data, *option], option[0], "mlp")

    def test_files(self):
        self.refused("--save-every", "--save", args=["--save-every", 5])
        self.refused(self.path("no/where"), args=["--save", self.path("no/where")])
        same = self.path("same")
        self.refused("--save", "--trace", args=["--save", same, "--trace", same])
        self.refused(self.path("none"), args=["--load", self.path("none")])
        self.refused(self.text, args=["--load", self.text])

    def test_files_of_other_models(self):
        self.trained("model")
        load = ["--load", self.path("model")]
        for sizes in (("--layers", 2, "--width", 16, "--heads", 2, "--context", 8),
                      ("--layers", 1, "--width", 32, "--heads", 2, "--context", 8),
                      ("--layers", 1, "--width", 16, "--heads", 4, "--context", 8),
                      ("--layers", 1, "--width", 16, "--heads", 2, "--context", 9),
                      (*SIZES, "--tied")):
            with self.subTest(sizes=sizes):
                self.refused(self.path("model"), "1 layer", args=load, sizes=sizes)

    def test_trace(self):
        path = self.path("trace.json")
        plain = self.trained("plain")
        self.assertEqual(self.trained("traced", "--trace", path), plain)
        self.assertIn("h.0.attn", self.read("trace.json").decode())


if __name__ == "__main__":
    unittest.main()
