"""gradmill bench --replay: tile times measured here, scheduled on any number of workers."""

import re
import unittest

from support import CommandTest


class Replay(CommandTest):
    def replay(self, workers, *args):
        text = self.assert_runs(
            "bench", "--replay", workers, "--workload", "mlp-small", "--seconds", "0.1", *args
        ).stdout
        head = re.search(
            r"^mlp-small: (\d+) steps, (\d+) tiles; serial ([\d.]+) ms \(median of \d+\), "
            r"its tiles ([\d.]+) ms, critical path ([\d.]+) ms, dispatch ([\d.]+) us per tile$",
            text,
            re.MULTILINE,
        )
        self.assertIsNotNone(head, text)
        rows = re.findall(r"^ +(\d+) +([\d.]+) +([\d.]+) +([\d.]+)$", text, re.MULTILINE)
        return head.groups(), [tuple(map(float, row)) for row in rows], text

    def test_table(self):
        head, rows, text = self.replay("1,2,16")
        steps, tiles = int(head[0]), int(head[1])
        all_tiles, path = float(head[3]), float(head[4])
        self.assertGreaterEqual(tiles, steps)
        self.assertEqual([row[0] for row in rows], [1, 2, 16])
        self.assertAlmostEqual(rows[0][1], all_tiles, delta=0.0011)
        self.assertEqual(rows[0][2:], (1.0, 1.0))
        for workers, ms, speed_up, efficiency in rows:
            self.assertGreaterEqual(ms, path - 0.001)
            self.assertGreaterEqual(ms, all_tiles / workers - 0.001)
            self.assertAlmostEqual(speed_up, all_tiles / ms, delta=0.02 * speed_up + 0.01)
            self.assertAlmostEqual(efficiency, speed_up / workers, delta=0.011)
        self.assertIn("what 16 workers wait for", text)
        self.assertIn("where one worker's time goes", text)
        self.assertIn("matmul 'fc1'", text)

    def test_refusals(self):
        self.assert_refused(["bench", "--replay", "0"], "--replay")
        self.assert_refused(["bench", "--replay", "two"], "--replay")
        self.assert_refused(["bench", "--replay", "2", "--workload", "nothing"], "nothing", "mlp")
        json = self.path("out.json")
        self.assert_refused(["bench", "--replay", "2", "--json", json], "--replay", "--json")
        self.assert_refused(["bench", "--replay", "2", "--workload", "compile"], "compile", "tiles")


if __name__ == "__main__":
    unittest.main()
