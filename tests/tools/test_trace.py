"""Traces of a training by the command: what is in them, and what is refused."""

import gzip
import json
import os
import unittest

from support import CommandTest, small_train


class TrainTrace(CommandTest):
    def test_trace_has_both_sessions_of_each_part_and_the_same_model(self):
        data = self.data()
        plain, traced = self.path("plain.safetensors"), self.path("traced.safetensors")
        self.assert_runs(*small_train(data, "--save", plain))
        for name in ("trace.json", "trace.json.gz"):
            path = self.path(name)
            self.assert_runs(*small_train(data, "--save", traced, "--trace", path))
            with open(plain, "rb") as a, open(traced, "rb") as b:
                self.assertEqual(a.read(), b.read())
            with (gzip.open if name.endswith(".gz") else open)(path, "rt") as file:
                events = json.load(file)
            names = {e["args"]["name"] for e in events if e["name"] == "thread_name"}
            # Full batches and what is left over of training, and the test images in one batch.
            for session in (1, 2, 3):
                self.assertIn(f"session {session} steps", names)
            steps = [e for e in events if e["ph"] == "X" and e["cat"] == "step"]
            # Two epochs of 205 images: six batches of 32 and one of 13, and an evaluation each.
            self.assertEqual(len(steps), 2 * (6 + 1 + 1))

    def test_trace_from_the_environment(self):
        path = self.path("trace.json")
        self.assert_runs(
            *small_train(self.data()), env={**os.environ, "GRADMILL_TRACE": path}
        )
        with open(path) as file:
            self.assertGreater(len(json.load(file)), 100)

    def test_bad_paths_are_refused_before_training(self):
        data = self.data()
        for path in (self.path("no/such/folder/t.json"), self.folder, ""):
            with self.subTest(path):
                self.assert_refused(small_train(data, "--trace", path), "--trace")
        both = self.path("both")
        for other in ("--save", "--metrics"):
            self.assert_refused(
                small_train(data, "--trace", both, other, both), "same file", "--trace", other
            )
        self.assert_refused(
            small_train(data, "--trace", "x", "--save", "./x"), "same file", cwd=self.folder
        )

    def test_full_disk_for_the_trace_keeps_the_model(self):
        save = self.path("model.safetensors")
        result = self.run_command(
            *small_train(self.data(), "--trace", "/dev/full", "--save", save)
        )
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr, r"gradmill: trace: /dev/full: No space left on device\n$")
        self.assertTrue(os.path.exists(save))


if __name__ == "__main__":
    unittest.main()
