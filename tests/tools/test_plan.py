"""The plan as text, JSON and DOT."""

import json
import shutil
import subprocess
import unittest

from support import CommandTest


class Plan(CommandTest):
    def test_text(self):
        out = self.assert_runs("plan", "--model", "mlp", "--batch", "128").stdout
        for word in (
            "forward",
            "backward",
            "update",
            "fc1",
            "[128, 784]",
            "[512, 784]",
            "tiles",
            "bytes planned",
            "bytes without reuse",
            "longest path",
            "FLOP",
        ):
            self.assertIn(word, out)

    def test_json(self):
        path = self.path("plan.json")
        self.assert_runs("plan", "--batch", "64", "--json", path)
        with open(path) as file:
            plan = json.load(file)
        self.assertEqual({n["phase"] for n in plan["nodes"]}, {"forward", "backward", "update"})
        for index, node in enumerate(plan["nodes"]):
            self.assertEqual(node["index"], index)
            self.assertTrue(all(before < index for before in node["predecessors"]))
            self.assertGreaterEqual(node["tiles"], 1)
            self.assertTrue(node["kernel"] and node["shapes"])
        memory, longest = plan["memory"], plan["longest_path"]
        self.assertTrue(0 < memory["planned_bytes"] <= memory["unshared_bytes"])
        self.assertTrue(0 < longest["steps"] <= len(plan["nodes"]))
        self.assertGreater(longest["flops"], 0)

    def test_dot(self):
        path = self.path("plan.dot")
        self.assert_runs("plan", "--dot", path)
        with open(path) as file:
            self.assertTrue(file.read().startswith("digraph"))
        if shutil.which("dot"):
            drawn = subprocess.run(
                ["dot", "-Tsvg", path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
            self.assertEqual((drawn.returncode, drawn.stderr), (0, ""))
            self.assertIn("</svg>", drawn.stdout)

    def test_no_gradient_that_nobody_needs(self):
        """The images have no gradient: each layer has its weight's, all but the first its input's."""
        path = self.path("plan.json")
        self.assert_runs("plan", "--hidden", "96,80", "--batch", "64", "--json", path)
        with open(path) as file:
            nodes = json.load(file)["nodes"]
        products = [
            (node["phase"], node["shapes"])
            for node in nodes
            if node["op"] == "matmul" and node["phase"] != "forward"
        ]
        inputs = [shapes.split("-> ")[1] for phase, shapes in products if phase == "backward"]
        self.assertEqual(sorted(inputs), ["f32 [64, 80]", "f32 [64, 96]"])
        # A weight's gradient is applied where it is made: the product has no result of its own.
        weights = [shapes for phase, shapes in products if phase == "update"]
        self.assertEqual(len(weights), 3)
        for shape in ("[96, 784]", "[80, 96]", "[10, 80]"):
            (shapes,) = [s for s in weights if s.count(f"f32 {shape}") == 3]
            self.assertNotIn("->", shapes)

    def test_loss_and_gradient_take_no_memory_of_their_own(self):
        """The gradient lies over the logits; what is new is the loss and two partial sums, of labels
        and of losses, each on a cache line of its own."""
        out = self.assert_runs("plan", "--batch", "128").stdout
        (line,) = [row for row in out.splitlines() if "cross_entropy" in row]
        self.assertRegex(line, r"f32 \[128, 10\] +132, in place +1 ")

    def test_optimizers(self):
        self.assertIn("sgd", self.assert_runs("plan", "--optimizer", "sgd").stdout)
        self.assertIn("adamw", self.assert_runs("plan", "--optimizer", "adamw").stdout)

    def test_same_each_time(self):
        self.assertEqual(self.assert_runs("plan").stdout, self.assert_runs("plan").stdout)

    def test_log_names_every_product(self):
        self.assertEqual(self.assert_runs("plan").stderr, "")
        for args in (["--log-level", "debug", "plan"], ["plan", "--log-level", "debug"]):
            log = self.assert_runs(*args).stderr
            products = [line for line in log.splitlines() if " matmul 'fc" in line and "tiles" in line]
            self.assertEqual(len(products), 8, log)
            for line in products:
                self.assertRegex(line, "dnnl|bands of")
            self.assertNotIn("ref:", log)

    def test_unwritable(self):
        path = self.path("no/folder/plan")
        for option in ("--dot", "--json"):
            self.assert_refused(["plan", option, path], option, path)

    def test_full_disk(self):
        for option in ("--dot", "--json"):
            self.assert_refused(["plan", option, "/dev/full"], option, "No space", status=1)

    def test_sizes_that_overflow(self):
        self.assert_refused(["plan", "--batch", "1000000000000000000"], "784")

    def test_out_of_memory(self):
        self.assert_refused(["plan", "--batch", "1000000000000"], "memory", status=1)


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
