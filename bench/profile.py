#!/usr/bin/env python3
"""Where the busy time of a training step goes.

Usage: profile.py [--gradmill PROGRAM] [--threads N] [--seconds S] [NAME ...]

Samples `gradmill bench --measure NAME` with perf (cpu-clock) after its set-up. Of the samples that
were not waiting, it prints how many were in kernels and how many outside, by function; waiting is
reported separately. NAME: mlp and mlp-wide by default.

A sample is classified by its function and, in the operating system, by the functions around it:
  kernel   our kernels, oneDNN with the code it generates, copying and clearing of memory
  waiting  sched_yield, waiting for a futex, and those functions of oneTBB which hold a `pause`.
           Its dispatch loop is one of these; its own share is small, a few hundred ns per task.
  outside  all else: the executor, the rest of oneTBB, libc, page faults and other system calls.
"""

import argparse
import bisect
import collections
import os
import re
import subprocess
import sys
import tempfile

OUTSIDE = re.compile(
    r"Executor::|Flow|tbb::|Workers|Session::|Parameters::|HeldSignals|SequentialOneDnn|TaskOrder"
    r"|measure_|Clock|^main$|^_start$|std::"
)
COPIES = re.compile(r"^_*mem(cpy|move|set)")
WAITING_CALLS = re.compile(r"sched_yield|futex_wait|do_nanosleep|poll_schedule")
MAPPED = re.compile(
    r"PERF_RECORD_MMAP2? .*\[(0x[0-9a-f]+)\((0x[0-9a-f]+)\) @ (0x[0-9a-f]+|0) .*: r-xp (\S+)"
)
FRAME = re.compile(r"^\s+([0-9a-f]+) (.*) \((.*)\)$")


class PauseFunctions:
    """Functions of a library that hold a `pause`, known by the unwind table alone."""

    def __init__(self, library):
        frames = subprocess.run(
            ["readelf", "--debug-dump=frames", library], capture_output=True, text=True
        ).stdout
        ranges = re.findall(r"FDE .* pc=([0-9a-f]+)\.\.([0-9a-f]+)", frames)
        self.ranges = sorted((int(a, 16), int(b, 16)) for a, b in ranges)
        self.starts = [a for a, _ in self.ranges]
        code = subprocess.run(
            ["objdump", "-d", "--no-show-raw-insn", library], capture_output=True, text=True
        ).stdout
        pauses = re.findall(r"^\s+([0-9a-f]+):\s+pause", code, re.MULTILINE)
        self.waiting = {self.function(int(a, 16)) for a in pauses} - {None}

    def function(self, address):
        i = bisect.bisect_right(self.starts, address) - 1
        return i if i >= 0 and address < self.ranges[i][1] else None

    def holds(self, address):
        return self.function(address) in self.waiting


class Classifier:
    def __init__(self):
        self.libraries = {}

    def tbb_waits(self, library, address):
        if library not in self.libraries:
            self.libraries[library] = PauseFunctions(library)
        return self.libraries[library].holds(address)

    def of(self, frames):
        """(class, label) of a call chain of (address, symbol, dso), innermost first."""
        address, symbol, dso = frames[0]
        symbol = re.sub(r"\+0x[0-9a-f]+$", "", symbol)
        system = [s for _, s, d in frames if d.startswith("[kernel")]
        if system:
            if any(WAITING_CALLS.search(s) for s in system):
                return "waiting", "waiting in the system"
            if any("page_fault" in s for s in system):
                return "outside", "page faults"
            return "outside", "system: " + system[-1 if len(system) < 4 else -4].split("+")[0]
        library = os.path.basename(dso)
        if COPIES.match(symbol):
            return "kernel", "copying and clearing"
        if library.startswith("libdnnl"):
            return "kernel", "oneDNN"
        generated = ("perf-", "jitted-")
        if re.search(r"anon|\[unknown\]|memfd", dso) or library.startswith(generated):
            return "kernel", "oneDNN's generated code"
        if library.startswith("libtbb."):
            if self.tbb_waits(dso, address):
                return "waiting", "oneTBB waiting"
            return "outside", "oneTBB"
        if library.startswith("gradmill"):
            if OUTSIDE.search(symbol) and "_kernel" not in symbol:
                return "outside", symbol
            return "kernel", symbol
        return "outside", f"{library}: {symbol}"


def samples(data):
    """Call chains, innermost first. Addresses in libraries are as in their files."""
    text = subprocess.run(
        ["perf", "script", "-i", data, "-F", "ip,sym,dso,symoff", "--show-mmap-events"],
        capture_output=True, text=True,
    ).stdout
    # Where executable parts of files were mapped: (start, end, offset in the file, file).
    maps = []
    frames = []
    for line in text.splitlines():
        mapped = MAPPED.search(line)
        if mapped:
            start, size, offset = (int(x, 16) for x in mapped.groups()[:3])
            maps.append((start, start + size, offset, mapped.group(4)))
            continue
        frame = FRAME.match(line)
        if frame:
            address = int(frame.group(1), 16)
            for start, end, offset, name in maps:
                if start <= address < end and name.startswith("/"):
                    address = address - start + offset
                    break
            frames.append((address, frame.group(2), frame.group(3)))
        elif frames:
            yield frames
            frames = []
    if frames:
        yield frames


def profile(gradmill, name, threads, seconds):
    with tempfile.TemporaryDirectory() as folder:
        data = os.path.join(folder, "perf.data")
        subprocess.run(
            ["perf", "record", "-q", "-e", "cpu-clock", "-F", "2999", "-g", "-D", "1500",
             "-o", data, gradmill, "bench", "--measure", name, "--threads", str(threads),
             "--seconds", str(seconds)],
            check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        classifier = Classifier()
        counts = collections.Counter(classifier.of(frames) for frames in samples(data))
    total = sum(counts.values())
    if total == 0:
        sys.exit("profile.py: perf took no samples")
    of = collections.Counter()
    for (kind, _), count in counts.items():
        of[kind] += count
    busy = of["kernel"] + of["outside"]
    print(f"{name}, {threads} threads: {total} samples, "
          f"{100 * of['waiting'] / total:.1f} % of them waiting")
    print(f"  of busy time: kernels {100 * of['kernel'] / busy:.2f} %, "
          f"outside {100 * of['outside'] / busy:.2f} % (target < 3 %)")
    for kind in ("kernel", "outside"):
        labels = [(n, label) for (k, label), n in counts.items() if k == kind]
        for count, label in sorted(labels, reverse=True)[:12]:
            print(f"    {kind:8} {100 * count / busy:6.2f} %  {label[:100]}")


def main():
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    parser = argparse.ArgumentParser(description="where the busy time of a step goes")
    parser.add_argument("names", nargs="*", default=["mlp", "mlp-wide"], metavar="NAME")
    parser.add_argument("--gradmill", default=os.path.join(root, "build/release/tools/gradmill"))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=6)
    options = parser.parse_args()
    for name in options.names:
        profile(options.gradmill, name, options.threads, options.seconds)


if __name__ == "__main__":
    main()
