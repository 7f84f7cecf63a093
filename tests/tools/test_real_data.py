"""Training on Fashion-MNIST with the defaults."""

import json
import os
import unittest

from support import REAL_DATA, CommandTest


@unittest.skipUnless(os.path.isdir(REAL_DATA), "the package dataset-fashion-mnist is not installed")
class RealData(CommandTest):
    def test_reaches_88_percent(self):
        save, metrics = self.path("model.safetensors"), self.path("metrics.jsonl")
        self.assert_runs("train", "--seed", "1", "--save", save, "--metrics", metrics)
        with open(metrics) as file:
            last = json.loads(file.readlines()[-1])
        self.assertEqual(last["epoch"], 5)
        self.assertGreaterEqual(last["test_accuracy"], 0.880)
        out = self.assert_runs("eval", "--load", save).stdout
        self.assertIn("images         10000", out)
        self.assertIn(f"test accuracy  {last['test_accuracy']:.4f}", out)


if __name__ == "__main__":
    unittest.main()
