"""The workloads of bench that are not training steps: the executor and compilation."""

import json
import unittest

from support import CommandTest


class Figures(CommandTest):
    def check_row(self, row):
        self.assertTrue(row["figures"])
        for figure in row["figures"]:
            self.assertTrue(figure["name"] and figure["unit"])
            self.assertGreater(figure["value"], 0, figure)
            values = [other["value"] for round in row["rounds"] for other in round["figures"]
                      if other["name"] == figure["name"]]
            self.assertEqual(figure["value"], sorted(values)[len(values) // 2])

    def bench(self, workload):
        path = self.path("bench.json")
        out = self.assert_runs(
            "bench", "--workload", workload, "--threads", "2", "--rounds", "1", "--json", path
        ).stdout
        with open(path) as file:
            told = json.load(file)
        self.assertEqual(told["rows"], [])
        for row in told["figures"]:
            self.assertEqual(row["workload"], workload)
        return out, told["figures"]

    def test_compile(self):
        """One row, whatever the threads, with a time a node for each size."""
        out, (row,) = self.bench("compile")
        self.check_row(row)
        self.assertNotIn("threads", row)
        for nodes in (100, 1000, 10000):
            (figure,) = [f for f in row["figures"] if f["name"] == f"compile deep {nodes}"]
            self.assertEqual((figure["unit"], figure["target"]), ("us/node", "< 20"))
            line = f"  {figure['name']} .* {figure['value']:.2f} us/node +< 20"
            self.assertRegex(out, line)
        self.assertIn("cores", out.splitlines()[0])

    def test_executor(self):
        out, rows = self.bench("executor")
        for row in rows:
            self.assertEqual(row["threads"], 2)
            if row["figures"]:
                self.check_row(row)
                self.assertIn(row["figures"][0]["name"], out)


if __name__ == "__main__":
    unittest.main()
