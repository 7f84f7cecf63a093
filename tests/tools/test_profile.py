"""Where the time of a step went, by the command."""

import json
import unittest

from support import CommandTest

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


if __name__ == "__main__":
    unittest.main()
