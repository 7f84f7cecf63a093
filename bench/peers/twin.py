"""What the twins in Python share: the workloads, the clock, memory and the line of JSON.

A twin calls `answer`. What it is called with is WORKLOAD THREADS SECONDS; what has no twin exits
with 3. Sizes and rates are those of bench/workloads/specs.h, the clock is that of clock.h.
"""

import json
import sys
import time
from typing import NamedTuple

NO_TWIN = 3

SGD_RATE, MOMENTUM, ADAMW_RATE, ADAMW_DECAY = 0.01, 0.9, 1e-3, 0.01
TOWERS = 16


class Gpt(NamedTuple):
    length: int
    vocab: int
    layers: int
    width: int
    heads: int
    context: int
    tied: bool


# name -> family, rows, sizes, update
WORKLOADS = {
    "mlp-small": ("mlp", 64, (784, 128, 10), "momentum"),
    "mlp": ("mlp", 128, (784, 512, 512, 10), "adamw"),
    "mlp-wide": ("mlp", 512, (784, 2048, 2048, 10), "adamw"),
    "branches": ("branches", 32, (128, 128, 128, 10), "sgd"),
    "matmul-64": ("matmul", 64, (64, 64), None),
    "matmul-1024": ("matmul", 1024, (1024, 1024), None),
    "matmul-512x768x3072": ("matmul", 512, (768, 3072), None),
    "cross-entropy-65536x10": ("cross_entropy", 65536, (10,), None),
    "cross-entropy-8192x1000": ("cross_entropy", 8192, (1000,), None),
    "cross-entropy-1024x50257": ("cross_entropy", 1024, (50257,), None),
    "gpt-char": ("gpt", 4, Gpt(256, 256, 6, 384, 6, 256, False), "adamw"),
    "gpt-mini": ("gpt", 8, Gpt(128, 8192, 4, 256, 4, 128, False), "adamw"),
    "gpt2-124m": ("gpt", 4, Gpt(64, 50257, 12, 768, 12, 1024, True), "adamw"),
    "attention-1024": ("attention", 1024, (8, 64), None),
    "linear_cross_entropy-1024x768x50257": ("linear_cross_entropy", 1024, (768, 50257), None),
}


def towers_of(family):
    return TOWERS if family == "branches" else 1


def batches_of(family):
    return 2 if family.endswith("cross_entropy") else 8


def state_copies(update):
    """How many arrays of a parameter's size there are, including the parameter."""
    return {"adamw": 3, "momentum": 2, "sgd": 1, None: 0}[update]


def arguments():
    """The workload's name and its entry, threads and seconds; ends the program when they do not fit."""
    try:
        name, threads, seconds = sys.argv[-3], int(sys.argv[-2]), float(sys.argv[-1])
    except (IndexError, ValueError):
        sys.exit(f"usage: {sys.argv[0]} WORKLOAD THREADS SECONDS")
    if name not in WORKLOADS:
        sys.exit(NO_TWIN)
    return name, WORKLOADS[name], threads, seconds


def kilobytes(key):
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith(key):
                return int(line.split()[1])
    return 0


class MemoryGrowth:
    """How far the resident memory rises above its size now."""

    def __init__(self):
        try:
            with open("/proc/self/clear_refs", "w") as refs:
                refs.write("5")  # resets the peak
        except OSError:
            pass
        self.start = kilobytes("VmRSS:")

    def bytes(self):
        return self.peak_bytes() - self.start * 1024

    def peak_bytes(self):
        return kilobytes("VmHWM:") * 1024


def measure(seconds, step):
    """Milliseconds of `step(i)`, i = 0, 1, ...: sorted, after a warm-up."""
    clock = time.perf_counter
    i = 0
    start = clock()
    while i < 3 or (i < 30 and clock() - start < seconds / 4):
        step(i)
        i += 1
    times = []
    start = last = clock()
    while len(times) < 5 or last - start < seconds:
        step(i)
        i += 1
        now = clock()
        times.append(1e3 * (now - last))
        last = now
    return sorted(times)


def answer(peer, version, name, threads, seconds, growth, state_bytes, step, **more):
    """Measures and prints. `state_bytes` are those of parameters and optimizer state."""
    times = measure(seconds, step)

    def quantile(q):
        return times[int(q * (len(times) - 1))]

    print(json.dumps({
        "peer": peer, "workload": name, "threads": threads, "steps": len(times),
        "median_ms": quantile(0.5), "p10_ms": quantile(0.1), "p90_ms": quantile(0.9),
        "state_bytes": state_bytes, "growth_bytes": growth.bytes() - state_bytes,
        "peak_bytes": growth.peak_bytes(),
        "version": version, **more}))
