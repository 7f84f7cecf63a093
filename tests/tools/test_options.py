"""Options that are refused, files that cannot be written, and what is promised about each."""

import os
import resource
import subprocess
import unittest

from support import COMMAND, TIMEOUT, CommandTest, read_safetensors, small_train


class Options(CommandTest):
    def test_help_and_version(self):
        for command in ([], ["train"], ["eval"], ["generate"], ["plan"], ["gradcheck"], ["bench"], ["tune"]):
            self.assertIn("--help", self.assert_runs(*command, "--help").stdout)
        self.assertRegex(self.assert_runs("--version").stdout, r"^gradmill \d+\.\d+\.\d+\n$")

    def test_no_command(self):
        self.assert_refused([], "subcommand")

    def test_unknown_command(self):
        self.assert_refused(["fly"], "'fly'", "train, eval, generate, plan, profile, gradcheck, bench and tune")

    def test_unknown_option(self):
        self.assert_refused(["train", "--fly"], "--fly")

    def test_bad_values(self):
        for option, value in (
            ("--model", "cnn"),
            ("--optimizer", "adam"),
            ("--schedule", "cosine"),
            ("--batch", "0"),
            ("--batch", "-1"),
            ("--batch", "many"),
            ("--batch", "99999999999999999999"),
            ("--epochs", "0"),
            ("--epochs", "-3"),
            ("--threads", "0"),
            ("--threads", "-2"),
            ("--hidden", "16,0"),
            ("--seed", "-1"),
            ("--seed", "99999999999999999999"),
            ("--threads", "99999999999999999999"),
            ("--lr", "fast"),
            ("--epochs", "1.5"),
            ("--epochs", "0x10"),
            ("--epochs", ""),
            ("--save", ""),
            ("--metrics", ""),
            ("--tuning", ""),
            ("--log-level", "loud"),
        ):
            with self.subTest(option=option, value=value):
                self.assert_refused(["train", option, value], option)

    def test_a_leading_zero_is_not_octal(self):
        path = self.path("metrics.jsonl")
        self.assert_runs(*small_train(self.data(), "--epochs", "010", "--metrics", path))
        with open(path) as file:
            self.assertEqual(len(file.readlines()), 10)

    def test_one_file_for_two_things(self):
        path = self.path("both")
        self.assert_refused(
            small_train(self.data(), "--save", path, "--metrics", path), "same file"
        )
        self.assertFalse(os.path.exists(path))

    def test_check_finite_covers_the_last_update(self):
        save = self.path("broken.safetensors")
        result = self.run_command(
            *small_train(
                self.data(), "--epochs", "1", "--optimizer", "sgd", "--lr", "1e39",
                "--batch", "1000", "--check-finite", "--save", save,
            )
        )
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertIn("check_finite", result.stderr)
        self.assertFalse(os.path.exists(save))

    def test_the_last_of_an_option_counts(self):
        result = self.assert_runs(*small_train(self.data(), "--epochs", "1"))
        self.assertEqual(len(result.stderr.splitlines()), 1)

    def test_values_that_the_optimizer_refuses(self):
        data = self.data()
        for name, option, value in (
            ("adamw", "--lr", "-1"),
            ("sgd", "--lr", "-1"),
            ("sgd", "--lr", "nan"),
            ("sgd", "--lr", "inf"),
            ("sgd", "--momentum", "-0.5"),
            ("adamw", "--weight-decay", "-1"),
        ):
            with self.subTest(optimizer=name, option=option):
                self.assert_refused(small_train(data, "--optimizer", name, f"{option}={value}"))

    def test_momentum_without_sgd(self):
        self.assert_refused(small_train(self.data(), "--momentum", "0.9"), "--momentum", "sgd")

    def test_eval_without_file(self):
        self.assert_refused(["eval"], "--load")


class Outputs(CommandTest):
    def unwritable(self):
        return (self.path("no/such/folder/file"), self.folder, "/proc/gradmill-test")

    def test_save_path_is_checked_before_training(self):
        data = self.data()
        for path in (*self.unwritable(), "/dev/null"):
            with self.subTest(path):
                self.assert_refused(small_train(data, "--save", path), path)
        self.assertTrue(os.path.exists("/dev/null"))

    def test_metrics_path_is_checked_before_training(self):
        data = self.data()
        for path in self.unwritable():
            with self.subTest(path):
                self.assert_refused(small_train(data, "--metrics", path), path, "--metrics")

    def test_checking_leaves_nothing_behind(self):
        save = self.path("out/model.safetensors")
        os.mkdir(self.path("out"))
        self.assert_refused(small_train(self.path("nowhere"), "--save", save), "nowhere")
        self.assertEqual(os.listdir(self.path("out")), [])

    def test_full_disk_for_metrics_keeps_the_model(self):
        save = self.path("model.safetensors")
        result = self.run_command(
            *small_train(self.data(), "--metrics", "/dev/full", "--save", save)
        )
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr, r"gradmill: --metrics /dev/full: No space left on device\n$")
        self.assertIn("fc1.weight", read_safetensors(save)[0])

    def test_full_disk_for_the_model_keeps_the_old_one(self):
        def limit_file_size():
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

        os.mkdir(self.path("out"))
        save = self.path("out/model.safetensors")
        with open(save, "w") as file:
            file.write("before")
        result = self.run_command(
            *small_train(self.data(), "--save", save), preexec_fn=limit_file_size
        )
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertRegex(result.stderr, r"gradmill: .*model.safetensors.*: .*File too large")
        self.assertEqual(os.listdir(self.path("out")), ["model.safetensors"])
        with open(save) as file:
            self.assertEqual(file.read(), "before")

    def test_full_disk_for_standard_output(self):
        with open("/dev/full", "w") as full:
            result = subprocess.run(
                [COMMAND, "plan", "--hidden", "16"],
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
                timeout=TIMEOUT,
            )
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr, r"^gradmill: standard output: .*\n$")


if __name__ == "__main__":
    unittest.main()
