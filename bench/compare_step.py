#!/usr/bin/env python3
"""Times whole training steps of gradmill beside libtorch, in alternating processes.

For each thread count and each setting of the peer, the two programs run A B A B ..., so that a
machine that slows down or speeds up does so for both. Warm-up steps are not counted. What is printed
is the median over rounds of each process's median step, and the median of the ratios of neighbours.

libtorch is tried with each BLAS library found (Debian's default is the unoptimized reference one,
which is left out when there is another), and with each of these settings:
  default   as it comes
  passive   OMP_WAIT_POLICY=passive: threads sleep rather than spin
  malloc    glibc keeps freed memory instead of returning it to the system after every step
  passive+malloc

  python3 bench/compare_step.py build            # after building with bench/ and libtorch found
"""

import argparse
import glob
import json
import os
import platform
import statistics
import subprocess
import sys

MALLOC = {"MALLOC_TRIM_THRESHOLD_": "1000000000", "MALLOC_MMAP_THRESHOLD_": "1000000000"}
PASSIVE = {"OMP_WAIT_POLICY": "passive"}
# The pthread build of OpenBLAS does not follow torch::set_num_threads.
POOLS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
SETTINGS = {"default": {}, "passive": PASSIVE, "malloc": MALLOC,
            "passive+malloc": {**PASSIVE, **MALLOC}}


def processor():
    try:
        with open("/proc/cpuinfo") as info:
            for line in info:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or "unknown processor"


def blas_libraries(extra):
    """Name -> environment that makes the peer use it."""
    found = {}
    for path in sorted(glob.glob("/usr/lib/*/*/libblas.so.3")) + [
            os.path.join(folder, "libblas.so.3") for folder in extra]:
        folder = os.path.dirname(path)
        if os.path.exists(path):
            found[os.path.basename(folder)] = {"LD_LIBRARY_PATH": folder}
    if len(found) > 1:
        found.pop("blas", None)
    if not found:
        found["system"] = {}
    return {("reference" if name == "blas" else name): env for name, env in found.items()}


def run(program, workload, threads, seconds, environment):
    result = subprocess.run([program, workload, str(threads), str(seconds)],
                            env={**os.environ, **environment}, capture_output=True, text=True,
                            timeout=60 + 20 * seconds)
    if result.returncode != 0:
        sys.exit(f"{program} failed with {result.returncode}: {result.stderr.strip()}")
    return json.loads(result.stdout.splitlines()[-1])


def compare(arguments, threads, blas, setting, environment):
    ours, peers, ratios = [], [], []
    for _ in range(arguments.rounds):
        a = run(arguments.gradmill, arguments.workload, threads, arguments.seconds, {})
        b = run(arguments.peer, arguments.workload, threads, arguments.seconds, environment)
        ours.append(a["median_ms"])
        peers.append(b["median_ms"])
        ratios.append(b["median_ms"] / a["median_ms"])
    return {"threads": threads, "blas": blas, "setting": setting, "environment": environment,
            "gradmill_ms": statistics.median(ours), "libtorch_ms": statistics.median(peers),
            "ratio": statistics.median(ratios), "ratio_min": min(ratios),
            "ratio_max": max(ratios), "gradmill": a, "libtorch": b}


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", help="the build folder")
    parser.add_argument("--workload", default="mlp", help="mlp, wide or tiny")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.5, help="measured in each process")
    parser.add_argument("--blas-dir", action="append", default=[],
                        help="a folder with a libblas.so.3 for the peer; may be repeated")
    parser.add_argument("--peer-env", action="append", default=[], metavar="NAME=VALUE,...",
                        help="one more setting of the peer; may be repeated")
    parser.add_argument("--json", help="write everything measured to this file")
    arguments = parser.parse_args()
    arguments.gradmill = os.path.join(arguments.build, "bench", "step")
    arguments.peer = os.path.join(arguments.build, "bench", "peers", "libtorch_step")
    for program in (arguments.gradmill, arguments.peer):
        if not os.path.exists(program):
            sys.exit(f"{program} is missing: build with libtorch installed (libtorch-dev)")

    settings = dict(SETTINGS)
    for text in arguments.peer_env:
        settings[text] = dict(pair.split("=", 1) for pair in text.split(","))
    libraries = blas_libraries(arguments.blas_dir)
    print(f"{processor()}, {os.cpu_count()} cores; workload {arguments.workload}; "
          f"{arguments.rounds} rounds of {arguments.seconds} s a process, alternating")
    if list(libraries) == ["reference"]:
        print("libtorch has only the unoptimized reference BLAS here: install "
              "libopenblas0-openmp or libopenblas0-pthread for a comparison that means something")
    print(f"{'threads':>7} {'libtorch BLAS':<18}{'setting':<16}{'gradmill':>10}{'libtorch':>10}"
          f"{'ratio':>7}  (range)")
    rows = []
    for threads in arguments.threads:
        for blas, blas_environment in libraries.items():
            for setting, environment in settings.items():
                pools = {name: str(threads) for name in POOLS}
                row = compare(arguments, threads, blas, setting,
                              {**pools, **blas_environment, **environment})
                rows.append(row)
                print(f"{threads:>7} {blas:<18}{setting:<16}{row['gradmill_ms']:>7.2f} ms"
                      f"{row['libtorch_ms']:>7.2f} ms{row['ratio']:>6.2f}x  "
                      f"({row['ratio_min']:.2f}-{row['ratio_max']:.2f})", flush=True)
    for threads in arguments.threads:
        mine = [row for row in rows if row["threads"] == threads]
        own = [row for row in mine if "malloc" not in row["setting"]]
        for what, candidates in (("its own settings", own), ("the allocator tuned as well", mine)):
            best = min(candidates, key=lambda row: row["libtorch_ms"])
            print(f"{threads} thread{'s' if threads > 1 else ''}, libtorch at its best with {what} "
                  f"({best['blas']}, {best['setting']}): {best['libtorch_ms']:.2f} ms; gradmill is "
                  f"{best['ratio']:.2f}x as fast ({best['gradmill']['settings']['execution']})")
    if arguments.json:
        with open(arguments.json, "w") as out:
            json.dump({"processor": processor(), "cores": os.cpu_count(), "rows": rows}, out,
                      indent=1)


if __name__ == "__main__":
    main()
