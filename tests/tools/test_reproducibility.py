"""The saved parameters have the same bytes with any number of threads, run after run."""

import unittest

from support import CommandTest, write_data


class Reproducibility(CommandTest):
    def setUp(self):
        super().setUp()
        # Large enough for the flow graph to be worth its cost, with a smaller last batch.
        self.data_folder = self.path("data")
        write_data(self.data_folder, train=300, test=10, side=28)

    def saved(self, *more):
        path = self.path("model.safetensors")
        self.assert_runs(
            "train", "--data", self.data_folder, "--epochs", "1", "--save", path, *more
        )
        with open(path, "rb") as file:
            return file.read()

    def check(self, *optimizer):
        first = self.saved(*optimizer, "--threads", "1")
        for threads in ("1", "2", "3", "8"):
            with self.subTest(threads=threads):
                self.assertEqual(self.saved(*optimizer, "--threads", threads), first)

    def test_adamw(self):
        self.check("--optimizer", "adamw")

    def test_sgd(self):
        self.check("--optimizer", "sgd", "--momentum", "0.9")

    def test_seed_matters(self):
        self.assertNotEqual(self.saved("--seed", "1"), self.saved("--seed", "2"))


if __name__ == "__main__":
    unittest.main()
