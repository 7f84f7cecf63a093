"""The gradcheck command on models that are right, and the same code on one that is not."""

import os
import re
import subprocess
import unittest

from support import TIMEOUT, CommandTest

BROKEN = os.environ["GRADMILL_BROKEN_GRADIENT"]
SMALL = ["gradcheck", "--hidden", "4", "--batch", "8"]


def rows(out):
    """Tensor name -> its columns, for the rows between the head and the last line."""
    return {line.split()[0]: re.split(r"  +", line) for line in out.splitlines()[1:-1]}


class Gradcheck(CommandTest):
    def test_the_default_model(self):
        out = self.assert_runs("gradcheck", "--model", "mlp", "--batch", "16", "--seed", "1").stdout
        table = rows(out)
        self.assertEqual(
            list(table), [f"fc{k}.{part}" for k in (1, 2, 3) for part in ("weight", "bias")]
        )
        for name, row in table.items():
            self.assertEqual(row[-1], "ok", name)
            self.assertRegex(row[-2], r"^(-|kinks|[-+.e0-9]+ of [-+.e0-9]+)$", name)
        self.assertIn("f32 [512, 784]", table["fc1.weight"])
        self.assertIn("32/401408", table["fc1.weight"])
        self.assertEqual(
            out.splitlines()[-1],
            "seed 1, 170 of 669706 elements checked and a random direction per tensor",
        )

    def test_a_small_model_is_checked_whole(self):
        out = self.assert_runs(*SMALL).stdout
        self.assertEqual(out.splitlines()[-1], "seed 0, all 3190 elements checked")
        self.assertIn("3136/3136", rows(out)["fc1.weight"])

    def test_samples(self):
        out = self.assert_runs(
            "gradcheck", "--hidden", "64", "--batch", "4", "--samples", "7"
        ).stdout
        self.assertIn("seed 0, 28 of 50890 elements checked", out)
        self.assertIn("7/50176", rows(out)["fc1.weight"])

    def test_same_each_time_and_on_any_number_of_threads(self):
        more = ["gradcheck", "--hidden", "64", "--batch", "4", "--seed", "9"]
        first = self.assert_runs(*more).stdout
        for threads in (1, 2, 4):
            self.assertEqual(self.assert_runs(*more, "--threads", threads).stdout, first)
        self.assertNotEqual(self.assert_runs(*more, "--seed", "8").stdout, first)

    def test_bad_values(self):
        for option, value in (
            ("--model", "cnn"),
            ("--samples", "0"),
            ("--samples", "-1"),
            ("--samples", "1.5"),
            ("--batch", "0"),
            ("--hidden", "0"),
            ("--threads", "0"),
            ("--seed", "-1"),
            ("--data", "."),
        ):
            with self.subTest(option=option, value=value):
                self.assert_refused(["gradcheck", option, value], option)

    def test_full_disk_for_standard_output(self):
        with open("/dev/full", "w") as full:
            result = subprocess.run(
                [os.environ["GRADMILL_COMMAND"], *SMALL],
                stdout=full, stderr=subprocess.PIPE, text=True, timeout=TIMEOUT,
            )
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr, r"^gradmill: standard output: .*\n$")


class Broken(unittest.TestCase):
    def run_broken(self, *args):
        result = subprocess.run(
            [BROKEN, *map(str, args)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=TIMEOUT,
        )
        self.assertEqual(result.returncode, 1, result.stderr)
        lines = result.stderr.splitlines()
        self.assertEqual(len(lines), 1, result.stderr)
        self.assertTrue(lines[0].startswith("gradmill: gradcheck of 'cross_entropy': "), lines[0])
        for word in ("wrong gradient", "analytic", "numeric", "error", "tolerance", "seed 5"):
            self.assertIn(word, lines[0])
        return lines[0], rows(result.stdout)

    def test_names_the_element(self):
        line, table = self.run_broken()
        self.assertIn("'fc1.weight' f32 [6, 6] at [2, 3]: ", line)
        self.assertEqual(table["fc1.weight"][-1], "WRONG")
        self.assertEqual([row[-1] for row in table.values()].count("WRONG"), 1)
        for name in ("x", "fc2.weight", "fc2.bias"):
            self.assertEqual(table[name][-1], "ok")

    def test_names_the_element_of_a_large_tensor(self):
        for size, row, column in ((80, 0, 0), (80, 79, 79), (120, 17, 101)):
            with self.subTest(size=size, row=row, column=column):
                line, table = self.run_broken(size, row, column)
                self.assertIn(f"'fc1.weight' f32 [{size}, {size}] at [{row}, {column}]: ", line)
                self.assertIn("a random direction per tensor", line)
                self.assertEqual(table["fc1.weight"][-1], "WRONG")


if __name__ == "__main__":
    unittest.main()
