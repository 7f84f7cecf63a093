"""Tuning files: written by tune, taken by the other commands, and refused when they do not fit."""

import json
import os
import unittest

from support import CommandTest, read_safetensors, small_train, write_data

# Layers whose products have several tiles, and more than one way to cut them.
HIDDEN, BATCH = "256,192", "256"


class Tuning(CommandTest):
    def write(self, content, name="tuning.json"):
        path = self.path(name)
        with open(path, "w") as file:
            file.write(content if isinstance(content, str) else json.dumps(content))
        return path

    def tuned(self, *args):
        path = self.path("tuned.json")
        self.assert_runs("tune", *args, "--seconds", "0.001", "--save", path)
        with open(path) as file:
            return path, json.load(file)

    def plan_nodes(self, *more):
        path = self.path("plan.json")
        self.assert_runs("plan", "--hidden", HIDDEN, "--batch", BATCH, "--json", path, *more)
        with open(path) as file:
            return json.load(file)["nodes"]


class Tune(Tuning):
    def test_file_has_every_product_of_a_workload(self):
        path, tuning = self.tuned("--workload", "mlp-small")
        self.assertEqual(tuning["gradmill_tuning"], 1)
        keys = tuning["kernels"]
        # mlp-small is 784-128-10 at batch 64; images have no gradient.
        for sizes in ("64x128x784", "64x10x128", "64x128x10", "128x784x64", "10x128x64"):
            self.assertTrue(any(f" {sizes}" in key for key in keys), (sizes, list(keys)))
        for key, choice in keys.items():
            self.assertTrue(key.startswith("matmul f32 "), key)
            self.assertEqual(len(choice), 4)
            self.assertTrue(all(isinstance(number, int) for number in choice))
        self.assert_runs("bench", "--measure", "mlp-small", "--seconds", "0.01", "--tuning", path)

    def test_several_workloads(self):
        for args in (
            ["--workload", "matmul-64,mlp-small"],
            ["--workload", "matmul-64", "--workload", "mlp-small"],
        ):
            _, tuning = self.tuned(*args)
            self.assertTrue(any(" 64x64x64" in key for key in tuning["kernels"]), tuning)
            self.assertTrue(any(" 64x128x784" in key for key in tuning["kernels"]), tuning)

    def test_model(self):
        path, tuning = self.tuned("--hidden", "24", "--batch", "32")
        self.assertTrue(any(" 32x24x784" in key for key in tuning["kernels"]), tuning)
        self.assert_runs("plan", "--hidden", "24", "--batch", "32", "--tuning", path)

    def test_refused(self):
        save = self.path("out.json")
        for args, word in (
            (["--workload", "resnet"], "resnet"),
            (["--workload", "executor"], "executor"),
            (["--seconds", "0"], "--seconds"),
            (["--seconds", "nan"], "--seconds"),
            (["--seconds", "1e9"], "--seconds"),
            (["--batch", "0"], "--batch"),
        ):
            with self.subTest(args):
                self.assert_refused(["tune", *args, "--save", save], word)
        self.assertFalse(os.path.exists(save))

    def test_nowhere_to_save(self):
        self.assert_refused(["tune"], "--save")
        self.assert_refused(["tune", "--save", ""], "--save")
        for path in (self.path("no/folder/tuning.json"), self.folder, "/dev/null"):
            with self.subTest(path):
                self.assert_refused(["tune", "--save", path], path)


class Use(Tuning):
    def test_plan_shows_the_tiles_of_the_file(self):
        """A weight's gradient and a forward product, each cut as no rule would."""
        before = self.plan_nodes("--optimizer", "sgd")
        log = self.assert_runs(
            "--log-level", "debug", "plan", "--hidden", HIDDEN, "--batch", BATCH
        ).stderr
        self.assertIn("fc1", log)
        key = f"matmul f32 {BATCH}x192x256 tb"
        path = self.write({"gradmill_tuning": 1, "kernels": {key: [17, 192, 1, 0]}})
        after = self.plan_nodes("--optimizer", "sgd", "--tuning", path)
        changed = [
            (old, new) for old, new in zip(before, after) if old["tiles"] != new["tiles"]
        ]
        self.assertEqual(len(changed), 1, changed)
        self.assertEqual(changed[0][1]["tiles"], 16)  # 256 rows by 17
        self.assertIn("fc2", json.dumps(changed[0][1]))

    def test_keys_of_other_products_do_not_matter(self):
        path = self.write({"gradmill_tuning": 1, "kernels": {"matmul f32 1x2x3": [9, 9, 9, 9]}})
        self.assertEqual(self.plan_nodes("--tuning", path), self.plan_nodes())

    def test_same_bits_with_any_number_of_threads(self):
        """With sums cut into parts of their own, which are other bits than without the file."""
        data = self.path("data")
        write_data(data, train=300, test=10, side=28)
        key = "matmul f32 128x512x784 tb"
        tuning = self.write({"gradmill_tuning": 1, "kernels": {key: [48, 96, 7, 0]}})

        def saved(*more):
            path = self.path("model.safetensors")
            self.assert_runs("train", "--data", data, "--epochs", "1", "--save", path, *more)
            with open(path, "rb") as file:
                return file.read()

        first = saved("--threads", "1", "--tuning", tuning)
        self.assertNotEqual(first, saved("--threads", "1"))
        for threads in ("1", "2", "3"):
            with self.subTest(threads=threads):
                self.assertEqual(saved("--threads", threads, "--tuning", tuning), first)

    def test_tuned_training_learns_the_same(self):
        path, _ = self.tuned("--hidden", "16", "--batch", "32")
        data = self.data()
        save = self.path("model.safetensors")
        plain = self.path("plain.safetensors")
        self.assert_runs(*small_train(data, "--save", save, "--tuning", path))
        self.assert_runs(*small_train(data, "--save", plain))
        tensors, expected = read_safetensors(save)[0], read_safetensors(plain)[0]
        for name, (shape, values) in expected.items():
            self.assertEqual(tensors[name][0], shape)
            for one, other in zip(tensors[name][1], values):
                self.assertAlmostEqual(one, other, delta=1e-3)
        told = self.assert_runs("eval", "--load", save, "--data", data, "--tuning", path).stdout
        self.assertEqual(told, self.assert_runs("eval", "--load", save, "--data", data).stdout)


class Refused(Tuning):
    def commands(self):
        data = self.data()
        model = self.path("model.safetensors")
        self.assert_runs(*small_train(data, "--save", model))
        return (
            small_train(data),
            ["eval", "--load", model, "--data", data],
            ["plan"],
            ["bench", "--workload", "mlp-small"],
            ["bench", "--measure", "mlp-small", "--seconds", "0.01"],
        )

    def test_files_that_are_none(self):
        commands = self.commands()
        whole = json.dumps({"gradmill_tuning": 1, "kernels": {"matmul f32 1x1x1": [1, 1, 1, 0]}})
        for name, content in (
            ("empty", ""),
            ("truncated", whole[:-4]),
            ("list", "[]"),
            ("unmarked", '{"kernels": {}}'),
            ("version", '{"gradmill_tuning": 2, "kernels": {}}'),
            ("words", '{"gradmill_tuning": 1, "kernels": {"matmul f32 1x1x1": ["a"]}}'),
            ("fractions", '{"gradmill_tuning": 1, "kernels": {"matmul f32 1x1x1": [1.5]}}'),
            ("object", '{"gradmill_tuning": 1, "kernels": {"matmul f32 1x1x1": {}}}'),
        ):
            path = self.write(content, f"{name}.json")
            for args in commands if name == "empty" else commands[2:3]:
                with self.subTest(file=name, command=args[0]):
                    self.assert_refused([*args, "--tuning", path], "--tuning", path)

    def test_no_such_file(self):
        for args in self.commands():
            for path in (self.path("nowhere.json"), self.folder):
                with self.subTest(command=args[0], path=path):
                    self.assert_refused([*args, "--tuning", path], "--tuning", path)
            with self.subTest(command=args[0]):
                self.assert_refused([*args, "--tuning", ""], "--tuning")

    def test_numbers_that_do_not_fit(self):
        key = f"matmul f32 {BATCH}x192x256 tb"
        for choice in (
            [],
            [17, 192, 1],
            [0, 192, 1, 0],
            [17, 193, 1, 0],
            [17, 192, 257, 0],
            [17, 192, 1, 2],
            [-1, 192, 1, 0],
            [2**63, 192, 1, 0],
        ):
            path = self.write({"gradmill_tuning": 1, "kernels": {key: choice}})
            with self.subTest(choice):
                self.assert_refused(
                    ["plan", "--hidden", HIDDEN, "--batch", BATCH, "--tuning", path], key
                )

    def test_bench_refuses_what_its_processes_refuse(self):
        path = self.write(
            {"gradmill_tuning": 1, "kernels": {"matmul f32 64x128x784 tb": [0, 0, 0, 0]}}
        )
        result = self.run_command(
            "bench", "--workload", "mlp-small", "--threads", "1", "--rounds", "1",
            "--seconds", "0.01", "--tuning", path,
        )
        self.assertEqual(result.returncode, 2, result.stderr)
        self.assertEqual(len(result.stderr.splitlines()), 1)
        self.assertIn("matmul f32 64x128x784 tb", result.stderr)


if __name__ == "__main__":
    unittest.main()
