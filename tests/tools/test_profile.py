"""Where the time of a step went: profiles, traces and coloured plans from the command."""

import gzip
import json
import os
import unittest

from support import CommandTest, small_train

SMALL = ("--hidden", "32,16", "--batch", "16", "--steps", "6")


class Profile(CommandTest):
    def profile(self, *more):
        path = self.path("profile.json")
        result = self.assert_runs("profile", *SMALL, "--json", path, *more)
        with open(path) as file:
            return json.load(file), result.stdout

    def test_text_has_every_part(self):
        for threads in (1, 2):
            out = self.assert_runs("profile", *SMALL, "--threads", threads).stdout
            for words in (
                "mlp 784-32-16-10, batch 16, adamw\n",
                "GFLOP/s",
                f"steps: 6 on {threads} thread",
                "by op",
                "by node",
                "of peak",
                "critical path of step",
                "after waiting ms",
                "parallel efficiency",
                "nothing ready",
                "memory, MB: planned",
                "most is alive",
                "what more cores would give",
                "predicted / measured",
            ):
                self.assertIn(words, out)

    def test_json_agrees_with_the_plan(self):
        data, _ = self.profile("--threads", "2")
        plan_path = self.path("plan.json")
        self.assert_runs("plan", "--hidden", "32,16", "--batch", "16", "--json", plan_path)
        with open(plan_path) as file:
            plan = json.load(file)
        self.assertEqual([n["name"] for n in data["nodes"]], [n["name"] for n in plan["nodes"]])
        self.assertEqual([n["flops"] for n in data["nodes"]], [n["flops"] for n in plan["nodes"]])
        self.assertEqual(data["runs"]["count"], 6)
        self.assertEqual(
            len(data["timeline"]["events"]), 6 * sum(n["tiles"] for n in plan["nodes"])
        )
        self.assertAlmostEqual(sum(data["efficiency"].values()), 1)
        self.assertEqual(data["memory"]["planned_bytes"], plan["memory"]["planned_bytes"])
        measured = {p["workers"]: p["measured_ms"] for p in data["scaling"]["predictions"]}
        self.assertTrue(measured[1] > 0 and measured[2] > 0)
        self.assertIn(128, measured)

    def test_workers_and_bandwidth_of_predictions(self):
        # Slower than any memory: every prediction is the bytes at that speed.
        data, out = self.profile("--threads", "1", "--workers", "3,7", "--bandwidth", "0.001")
        scaling = data["scaling"]
        workers = {p["workers"] for p in scaling["predictions"]}
        self.assertTrue({1, 3, 7} <= workers and 128 not in workers, workers)
        for prediction in scaling["predictions"]:
            self.assertAlmostEqual(prediction["ms"], scaling["bytes"] / 1e3, places=6)
        self.assertIn("memory at most 0.0 GB/s", out)

    def test_workload(self):
        path = self.path("profile.json")
        out = self.assert_runs(
            "profile", "--workload", "mlp-small", "--steps", "6", "--json", path
        ).stdout
        with open(path) as file:
            self.assertEqual(json.load(file)["title"], "mlp-small")
        self.assertTrue(out.startswith("mlp-small\n"))

    def test_bad_use(self):
        for args, words in (
            (("--steps", "0"), ("--steps",)),
            (("--steps", "many"), ("--steps", "many")),
            (("--threads", "0"), ("--threads",)),
            (("--workers", "0"), ("--workers",)),
            (("--bandwidth", "0"), ("--bandwidth",)),
            (("--bandwidth", "nan"), ("--bandwidth",)),
            (("--workload", "nothing"), ("--workload", "nothing")),
            (("--model", "gpt"), ("--model", "gpt")),
            (("--html", "/no/such/folder/x.html"), ("--html", "/no/such/folder/x.html")),
            (("--json", self.folder), ("--json", self.folder)),
            (("--html", ""), ("--html",)),
        ):
            with self.subTest(args):
                self.assert_refused(["profile", *SMALL[4:], *args], *words)
        self.assert_refused(
            ["profile", *SMALL, "--html", "both", "--json", "./both"], "same file", cwd=self.folder
        )
        self.assert_refused(
            ["profile", "--workload", "mlp-small", "--hidden", "5"], "--workload", "--hidden"
        )


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


class ColouredPlan(CommandTest):
    def dot(self, *more):
        path = self.path("plan.dot")
        self.assert_runs("plan", "--hidden", "32", "--batch", "16", "--dot", path, *more)
        with open(path) as file:
            return file.read()

    def test_critical_path_is_bold_and_colours_are_phases_or_times(self):
        by_phase = self.dot()
        self.assertIn("lightblue", by_phase)
        self.assertIn("penwidth=3", by_phase)
        self.assertNotIn(" ms\"", by_phase)
        by_time = self.dot("--color", "time")
        self.assertNotIn("lightblue", by_time)
        self.assertRegex(by_time, r'fillcolor="0.02 0.750 1.0"')  # of the longest
        self.assertRegex(by_time, r" ms\"")
        self.assertRegex(by_time, r"s\d+ -> s\d+ \[penwidth=3\]")

    def test_bad_use(self):
        self.assert_refused(["plan", "--color", "mood"], "--color", "mood")
        self.assert_refused(["plan", "--color", "time"], "--color", "--dot")
        self.assert_refused(
            ["plan", "--dot", "x", "--json", "./x"], "same file", cwd=self.folder
        )


if __name__ == "__main__":
    unittest.main()
