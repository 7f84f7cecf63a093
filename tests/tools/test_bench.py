"""The bench command: its tables and file, its peers (scripts that answer what they are told to),
and what is refused."""

import json
import os
import re
import stat
import sys
import unittest

from support import CommandTest

QUICK = ("--rounds", "1", "--seconds", "0.01")


class Bench(CommandTest):
    def peer(self, name, script, settings=None):
        """An executable in the folder of peers."""
        folder = self.path("peers")
        os.makedirs(folder, exist_ok=True)
        path = os.path.join(folder, name)
        with open(path, "w") as file:
            file.write("#!/bin/sh\n" + script)
        os.chmod(path, os.stat(path).st_mode | stat.S_IXUSR)
        if settings is not None:
            with open(path + ".settings.json", "w") as file:
                file.write(settings if isinstance(settings, str) else json.dumps(settings))
        return folder

    def steady(self, name="steady", ms=5, **more):
        """A peer that always takes `ms`."""
        line = json.dumps({"median_ms": ms, **more})
        return self.peer(name, f"echo loading\necho '{line}'\n")

    def bench(self, *args, workload="mlp-small", threads="1", status=0):
        """Runs it quickly; standard output, standard error and what --json wrote."""
        path = self.path("bench.json")
        result = self.run_command(
            "bench", "--workload", workload, "--threads", threads, *QUICK, "--json", path, *args
        )
        self.assertEqual(result.returncode, status, result.stderr)
        with open(path) as file:
            return result.stdout, result.stderr, json.load(file)


class Alone(Bench):
    def test_table(self):
        out, err, _ = self.bench()
        self.assertEqual(err, "")
        with open("/proc/cpuinfo") as file:
            model = re.search(r"^model name\s*: (.*)$", file.read(), re.MULTILINE)
        if model:
            self.assertTrue(out.startswith(model.group(1)), out)
        self.assertRegex(out.splitlines()[0], r"cores; gradmill \d.*; 1 rounds of 0.01 s")
        for title in ("ms", "GFLOP/s", "GB/s", "planned MB", "peak MB", "of limit", "scaling",
                      "peak GFLOP/s", "memory GB/s", "unfused"):
            self.assertIn(title, out)
        self.assertNotIn("peer", out.splitlines()[1])
        self.assertRegex(out.splitlines()[2], r"^mlp-small +1( +[\d.]+){8}$")

    def test_json(self):
        _, _, told = self.bench()
        self.assertEqual((told["rounds"], told["seconds"]), (1, 0.01))
        self.assertTrue(told["processor"] and told["instructions"] and told["version"])
        self.assertNotIn("tuning", told)
        self.assertEqual(told["figures"], [])
        (row,) = told["rows"]
        self.assertEqual((row["workload"], row["threads"], row["scaling"]), ("mlp-small", 1, 1))
        for key in ("ms", "gflop_s", "gb_s", "fraction_of_limit", "planned_bytes", "peak_bytes",
                    "growth_bytes"):
            self.assertGreater(row[key], 0, key)
        (sample,), (limit,) = row["gradmill"], row["limit"]
        self.assertEqual(row["ms"], sample["median_ms"])
        self.assertGreaterEqual(sample["steps"], 5)
        self.assertLessEqual(sample["p10_ms"], sample["median_ms"])
        self.assertLessEqual(sample["median_ms"], sample["p90_ms"])
        # Three products of 2 * 64 * 784 * 128 and so on: the images have no gradient.
        flops = 2 * 64 * (2 * 784 * 128 + 3 * 128 * 10)
        self.assertEqual(sample["flops"], flops)
        self.assertAlmostEqual(row["gflop_s"], flops / row["ms"] / 1e6, places=6)
        self.assertAlmostEqual(row["gb_s"], sample["moved_bytes"] / row["ms"] / 1e6, places=6)
        # Weights, biases and their momentum, rounded up to what buffers are aligned to.
        state = 2 * 4 * (784 * 128 + 128 + 128 * 10 + 10)
        self.assertTrue(state <= sample["state_bytes"] < state + 8 * 4096)
        self.assertLess(sample["planned_bytes"], sample["unfused_unshared_bytes"])
        self.assertLessEqual(sample["planned_bytes"], sample["unshared_bytes"])
        self.assertLess(sample["growth_bytes"], sample["peak_bytes"])
        self.assertAlmostEqual(limit["limit_ms"], limit["products_ms"] + limit["move_ms"], 9)
        self.assertAlmostEqual(row["fraction_of_limit"], limit["limit_ms"] / row["ms"], 9)
        self.assertAlmostEqual(limit["move_ms"],
                               limit["bytes"] / limit["bandwidth_gb_s"] / 1e6, places=9)
        self.assertEqual(sum(p["count"] * 2 * p["m"] * p["n"] * p["k"]
                             for p in limit["products"]), flops)

    def test_scaling_and_growth(self):
        _, _, told = self.bench(threads="2,1", workload="mlp-small,matmul-64")
        rows = {(row["workload"], row["threads"]): row for row in told["rows"]}
        self.assertEqual(list(rows), [(w, t) for w in ("mlp-small", "matmul-64") for t in (1, 2)])
        for (workload, threads), row in rows.items():
            one = rows[workload, 1]["ms"]
            self.assertAlmostEqual(row["scaling"], one / row["ms"] / threads, places=9)
            if workload == "mlp-small":
                self.assertNotIn("growth_less_warm_up_bytes", row)
            else:
                less = row["growth_bytes"] - rows["mlp-small", threads]["growth_bytes"]
                self.assertEqual(row["growth_less_warm_up_bytes"], max(0, less))

    def test_no_product_no_gflops(self):
        out, _, told = self.bench(workload="cross-entropy-65536x10")
        self.assertEqual(told["rows"][0]["gflop_s"], 0)
        self.assertRegex(out.splitlines()[2], r"^cross-entropy-65536x10 +1 +[\d.]+ +- +[\d.]+ ")

    def test_batches_of_products(self):
        _, _, told = self.bench(workload="attention-1024")
        (row,) = told["rows"]
        # Two products forward and four backward, of the keys that are not masked.
        flops = 6 * 8 * (2 * 1024 * 1024 * 64) / 2
        self.assertEqual(row["gradmill"][0]["flops"], flops)
        self.assertEqual(sum(p["batch"] * p["count"] * 2 * p["m"] * p["n"] * p["k"]
                             for p in row["limit"][0]["products"]), flops)

    def test_medians_of_rounds(self):
        _, _, told = self.bench("--rounds", "3", workload="matmul-64")
        (row,) = told["rows"]
        self.assertEqual((len(row["gradmill"]), len(row["limit"])), (3, 3))
        times = [sample["median_ms"] for sample in row["gradmill"]]
        self.assertEqual(row["ms"], sorted(times)[1])
        fractions = [limit["limit_ms"] / ms for limit, ms in zip(row["limit"], times)]
        self.assertAlmostEqual(row["fraction_of_limit"], sorted(fractions)[1], places=9)

    def test_tuning_is_handed_on_and_told(self):
        path = self.path("tuning.json")
        with open(path, "w") as file:
            json.dump({"gradmill_tuning": 1, "kernels": {}}, file)
        out, _, told = self.bench("--tuning", path, workload="matmul-64")
        self.assertEqual(told["tuning"], path)
        self.assertIn(f"tuned by {path}", out.splitlines()[0])

    def test_one_workload_in_this_process(self):
        for option, key in (("--measure", "median_ms"), ("--measure-limit", "limit_ms")):
            out = self.assert_runs("bench", option, "matmul-64", "--seconds", "0.01").stdout
            self.assertEqual(len(out.splitlines()), 1)
            self.assertGreater(json.loads(out)[key], 0)


class Peers(Bench):
    def test_ratio(self):
        folder = self.steady(ms=5, growth_bytes=3e6, peak_bytes=70e6)
        out, err, told = self.bench("--peers", folder)
        self.assertEqual(err, "")
        (row,) = told["rows"]
        self.assertEqual((row["best_peer"], row["best_peer_ms"]), ("steady", 5))
        self.assertAlmostEqual(row["times_as_fast"], 5 / row["ms"], places=9)
        self.assertIn("x as fast", out)
        line = out.splitlines()[2]
        for cell in ("steady (defaults)", "5.00", "3.0", "70.0", f"{row['times_as_fast']:.2f}"):
            self.assertIn(cell, line)

    def test_ratio_is_the_median_of_rounds(self):
        """Its answers are 100 ms to begin with and then 1, 2, ..."""
        count = self.path("count")
        folder = self.peer(
            "slower",
            f'n=$(cat "{count}" 2>/dev/null || echo 0)\n'
            f'echo $((n + 1)) > "{count}"\n'
            'if [ $n -lt 2 ]; then ms=100; else ms=$((n - 1)); fi\n'
            'echo "{\\"median_ms\\": $ms}"\n',
        )
        _, _, told = self.bench("--peers", folder, "--rounds", "3")
        (row,) = told["rows"]
        ratios = [ms / ours["median_ms"] for ms, ours in zip((1, 2, 3), row["gradmill"])]
        self.assertEqual(row["best_peer_ms"], 2)
        self.assertAlmostEqual(row["times_as_fast"], sorted(ratios)[1], places=9)

    def test_fastest_setting_of_the_fastest_peer(self):
        fast = 'case "$OMP_WAIT_POLICY$SPECIAL" in passive) ms=3;; yes) ms=2;; *) ms=4;; esac\n'
        self.peer("fast", fast + 'echo "{\\"median_ms\\": $ms}"\n', {"special": {"SPECIAL": "yes"}})
        self.steady("near", ms=2.9)
        folder = self.steady("far", ms=3.1)
        _, _, told = self.bench("--peers", folder)
        (row,) = told["rows"]
        self.assertEqual((row["best_peer"], row["best_setting"]), ("fast", "special"))
        peers = {(peer["peer"], peer["setting"]): peer for peer in row["peers"]}
        self.assertEqual([peers["fast", s]["scout"]["median_ms"]
                          for s in ("defaults", "passive", "special")], [4, 3, 2])
        self.assertEqual(peers["fast", "special"]["environment"], {"SPECIAL": "yes"})
        rounds = {key[0]: len(peer["rounds"]) for key, peer in peers.items() if peer["rounds"]}
        self.assertEqual(rounds, {"fast": 1, "near": 1})  # 3.1 is over 1.5 times 2

    def test_what_a_peer_is_told(self):
        folder = self.peer(
            "told",
            'echo "{\\"median_ms\\": 1, \\"args\\": \\"$*\\", \\"omp\\": \\"$OMP_NUM_THREADS\\"}"\n',
        )
        _, _, told = self.bench("--peers", folder, threads="2")
        (sample,) = [s for peer in told["rows"][0]["peers"] for s in peer["rounds"]]
        self.assertEqual((sample["args"], sample["omp"]), ("mlp-small 2 0.01", "2"))

    def test_growth_less_its_warm_up(self):
        folder = self.peer(
            "grows",
            "if [ $1 = mlp-small ]; then g=4000000; else g=9500000; fi\n"
            'echo "{\\"median_ms\\": 1, \\"growth_bytes\\": $g}"\n',
        )
        out, _, told = self.bench("--peers", folder, workload="mlp-small,matmul-64")
        for peer in told["rows"][1]["peers"]:
            self.assertEqual(peer["growth_less_warm_up_bytes"], 5.5e6)
        memory = out.split("\n\n")[2]
        self.assertTrue(memory.startswith("Memory"), memory)
        self.assertEqual(memory.splitlines()[2].split()[-1], "grows")
        self.assertEqual(memory.splitlines()[-1].split()[-1], "5.5")

    def test_no_twin(self):
        self.peer("picky", "exit 3\n")
        folder = self.steady()
        out, err, told = self.bench("--peers", folder)
        self.assertEqual(err, "")
        self.assertNotIn("picky", out)
        self.assertEqual({peer["peer"] for peer in told["rows"][0]["peers"]}, {"steady"})

    def test_only_a_peer_without_twin(self):
        out, _, told = self.bench("--peers", self.peer("picky", "exit 3\n"))
        self.assertNotIn("best_peer", told["rows"][0])
        self.assertIn("of limit", out)

    def check_failing(self, broken, workload="matmul-64", args=()):
        """`broken`: a peer's script, and words that tell what it did. One line names all of them;
        everything else is measured all the same."""
        for name, (script, _) in broken.items():
            self.peer(name, script)
        folder = self.steady()
        out, err, told = self.bench("--peers", folder, *args, workload=workload, status=1)
        self.assertEqual(len(err.splitlines()), 1, err)
        self.assertTrue(err.startswith("gradmill: peers failed: "), err)
        self.assertNotIn("steady", err)
        names = workload.split(",")
        self.assertEqual([line.split()[0] for line in out.splitlines()[2 : 2 + len(names)]], names)
        for row, name in zip(told["rows"], names, strict=True):
            self.assertEqual((row["workload"], row["best_peer"]), (name, "steady"))
            for peer, (_, words) in broken.items():
                problems = [p.get("problem", "") for p in row["peers"] if p["peer"] == peer]
                self.assertTrue(any(words in problem for problem in problems), (peer, problems))
                self.assertRegex(err, rf"{peer} \(\w+\) with {name}: [^;]*{words}")

    def test_failing(self):
        self.check_failing(
            {
                "fails": ("echo first >&2\necho 'no such library' >&2\nexit 7\n",
                          "exited with 7: no such library"),
                "crashes": ("kill -SEGV $$\n", "exited with 139"),
            },
            workload="mlp-small,matmul-64",
        )

    def test_program_that_cannot_run(self):
        folder = self.peer("broken", "")
        with open(os.path.join(folder, "broken"), "w") as file:
            file.write("#!/no/such/interpreter\n")
        _, err, _ = self.bench("--peers", folder, status=1)
        self.assertRegex(err, r"^gradmill: .*broken .*exited with 127.*\n$")

    def test_garbage(self):
        answers = ("echo all is well", "printf '\\377\\376 \\200\\033\\n'", "echo '[1]'", "true",
                   "echo '{\"median_ms\": \"fast\"}'", "echo '{\"ms\": 1}'")
        broken = {f"garbage{i}": (f"{answer}\n", "not JSON with median_ms")
                  for i, answer in enumerate(answers)}
        for i, number in enumerate(("-1", "0")):
            broken[f"number{i}"] = (f"echo '{{\"median_ms\": {number}}}'\n",
                                    f"median_ms is {number}")
        self.check_failing(broken)

    def test_hanging(self):
        """Under one setting. What it started goes with it."""
        pids = self.path("pids")
        script = f'sleep 60 & echo $! >> "{pids}"\n[ -z "$OMP_WAIT_POLICY" ] || wait\n'
        self.check_failing({"hangs": (script + "echo '{\"median_ms\": 99}'\n",
                                      "took longer than 5 s")}, args=("--timeout", "5"))
        with open(pids) as file:
            for pid in file.read().split():
                self.assertFalse(self.runs(pid), pid)

    @staticmethod
    def runs(pid):
        try:
            with open(f"/proc/{pid}/stat") as file:
                return file.read().split()[2] != "Z"
        except FileNotFoundError:
            return False

    def test_failing_peer_does_not_count_as_fastest(self):
        """It answers the short runs, and fails in the first round."""
        count = self.path("count")
        folder = self.peer(
            "brief",
            f'echo x >> "{count}"\n[ $(wc -l < "{count}") -le 2 ] || exit 9\n'
            'echo "{\\"median_ms\\": 4}"\n',
        )
        self.steady()
        _, err, told = self.bench("--peers", folder, status=1)
        self.assertIn("brief", err)
        self.assertEqual(told["rows"][0]["best_peer"], "steady")


class Refused(Bench):
    def refuse(self, *args):
        return self.assert_refused(["bench", *args[:-1]], args[-1])

    def test_options(self):
        for option, value in (
            ("--workload", "resnet"),
            ("--workload", "mlp-small,resnet"),
            ("--workload", ""),
            ("--measure", "resnet"),
            ("--measure-limit", "resnet"),
            ("--measure-limit", "compile"),
            ("--measure-limit", "executor"),
            ("--threads", "0"),
            ("--threads", "1,0"),
            ("--threads", "many"),
            ("--threads", "1.5"),
            ("--threads", "99999"),
            ("--rounds", "0"),
            ("--rounds", "1.5"),
            ("--rounds", "1001"),
            ("--seconds", "0"),
            ("--seconds", "-1"),
            ("--seconds", "nan"),
            ("--seconds", "inf"),
            ("--seconds", "long"),
            ("--timeout", "0"),
            ("--timeout", "nan"),
            ("--timeout", "1e9"),
            ("--peers", ""),
            ("--json", ""),
            ("--fly", "1"),
        ):
            with self.subTest(option=option, value=value):
                self.refuse(option, value, option)

    def test_unknown_workload_lists_the_known(self):
        line = self.refuse("--workload", "resnet", "resnet")
        for name in ("mlp-small", "cross-entropy-1024x50257", "gpt2-124m", "executor", "compile"):
            self.assertIn(name, line)

    def test_python_twins_know_every_step(self):
        """Their sizes are a table of their own."""
        sys.path.append(os.path.join(os.path.dirname(__file__), "../../bench/peers"))
        import twin

        line = self.refuse("--workload", "resnet", "resnet")
        names = line.split("there are ")[1].strip().split(", ")
        self.assertEqual([*twin.WORKLOADS, "executor", "compile"], names)

    def test_measuring_one(self):
        for option in ("--measure", "--measure-limit"):
            self.refuse(option, "matmul-64", "--threads", "1,2", option)
            self.refuse(option, "matmul-64", "--workload", "mlp", "--workload")
            self.refuse(option, "matmul-64", "--peers", self.folder, "--peers")
            self.refuse(option, "matmul-64", "--json", self.path("x"), "--json")
        self.refuse("--measure", "mlp", "--measure-limit", "mlp", "one at a time")

    def test_peers_folders(self):
        empty = self.path("empty")
        os.mkdir(empty)
        with open(os.path.join(empty, "readme"), "w") as file:
            file.write("no program")
        for folder in (self.path("nowhere"), empty, os.path.join(empty, "readme")):
            with self.subTest(folder):
                self.refuse("--peers", folder, folder)

    def test_settings_files(self):
        for settings in ("", "{", "[]", '{"fast": 1}', '{"fast": {"A": 1}}', '"fast"'):
            with self.subTest(settings):
                folder = self.peer("peer", "exit 3\n", settings)
                self.refuse("--peers", folder, "peer.settings.json")

    def test_json_path_is_checked_first(self):
        for path in (self.path("no/such/folder/file"), self.folder):
            with self.subTest(path):
                self.refuse("--json", path, path)

    def test_full_disk(self):
        self.assert_refused(["bench", "--json", "/dev/full"], "--json", "No space", status=1)

    def test_own_process_that_takes_too_long(self):
        result = self.run_command(
            "bench", "--workload", "mlp-small", *QUICK, "--timeout", "0.001"
        )
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr, r"^gradmill: .*--measure mlp-small.*took longer.*\n$")


if __name__ == "__main__":
    unittest.main()
