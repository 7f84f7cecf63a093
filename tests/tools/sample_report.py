"""Data of a made-up training run, for pages to be tested with: the same for the same arguments.

The run is that of a perceptron: tiles with durations by chance are given to the worker that is free
first, so the timeline, the critical path and the times in the tables fit together.
"""

import heapq
import math
import random

PEAK_GFLOPS = 70.0  # of one thread
BANDWIDTH_GBS = 11.0
DISPATCH_US = 0.4


def node(op, name, phase, flops, moved, tiles, before, shapes):
    return {
        "name": name,
        "op": op,
        "phase": phase,
        "kernel_phase": 0,
        "kernel_phases": 1,
        "shapes": shapes,
        "kernel": f"{op}, {tiles} tiles",
        "tiles": tiles,
        "calls": tiles,
        "flops": float(flops),
        "bytes": float(moved),
        "predecessors": before,
    }


def plan(layers, width, batch):
    """The nodes of one step: forward, then for each layer the gradient and the update."""
    nodes = []

    def add(*args):
        nodes.append(node(*args))
        return len(nodes) - 1

    product = 2.0 * batch * width * width
    moved = 4.0 * (2 * batch * width + width * width)
    matrix, vector = f"f32 [{batch}, {width}]", f"f32 [{width}]"
    last = []
    for k in range(1, layers + 1):
        shapes = f"{matrix}, f32 [{width}, {width}], {vector} -> {matrix}"
        last = [add("matmul", f"fc{k}", "forward", product, moved, 8, last, shapes)]
    loss = add("cross_entropy", "loss", "forward", 20 * batch * 10, 88 * batch, 1,
               last, f"f32 [{batch}, 10], i64 [{batch}], f32 [] -> f32 [], f32 [{batch}, 10]")
    add("count", "step.count", "update", 0, 8, 1, [], "i64 [] -> i64 []")
    gradient = loss
    for k in range(layers, 0, -1):
        summed = add("sum", f"fc{k}.grad.sum", "backward", batch * width, 4 * batch * width, 1,
                     [gradient], f"{matrix} -> {vector}")
        add("adamw", f"fc{k}.bias.adamw", "update", 16 * width, 28 * width, 1, [summed],
            f"{vector}, {vector}, {vector}, {vector}, i64 []")
        add("matmul", f"fc{k}.weight.adamw", "update", product, moved * 3, 8, [gradient],
            f"{matrix}, {matrix} -> f32 [{width}, {width}]")
        if k > 1:
            gradient = add("matmul", f"fc{k}.grad.matmul", "backward", product, moved, 8,
                           [gradient], f"{matrix}, f32 [{width}, {width}] -> {matrix}")
    for index, entry in enumerate(nodes):
        entry["index"] = index
    return nodes


def tile_us(entry, rng):
    fastest = max(entry["flops"] / (PEAK_GFLOPS * 1e3), entry["bytes"] / (BANDWIDTH_GBS * 1e3))
    return round((0.3 + fastest / entry["tiles"]) * (1.15 + 0.3 * rng.random()), 3)


def schedule(nodes, threads, begin, rng):
    """The events of one run, and its end."""
    free = [(begin, lane) for lane in range(threads)]
    heapq.heapify(free)
    ended, events = {}, []
    for entry in nodes:
        ready = max([ended[k] for k in entry["predecessors"]], default=begin)
        ends = []
        for tile in range(entry["tiles"]):
            at, lane = heapq.heappop(free)
            at = round(max(at, ready) + DISPATCH_US * (0.5 + rng.random()), 3)
            duration = tile_us(entry, rng)
            events.append([lane, entry["index"], tile, at, duration])
            ends.append(at + duration)
            heapq.heappush(free, (at + duration, lane))
        ended[entry["index"]] = max(ends)
    return events, round(max(ended.values()), 3)


def critical_path(nodes, run, events):
    """From the node that ended last back to what ended last before each began."""
    spans = {}
    for _, index, _, begin, duration in events:
        first, last = spans.get(index, (math.inf, -math.inf))
        spans[index] = (min(first, begin), max(last, begin + duration))
    chain = [max(spans, key=lambda index: spans[index][1])]
    while True:
        begin = spans[chain[0]][0]
        before = [index for index in spans if spans[index][1] <= begin]
        if not before:
            break
        chain.insert(0, max(before, key=lambda index: spans[index][1]))
    steps, at = [], run["begin_us"]
    for index in chain:
        first, last = spans[index]
        steps.append({
            "index": index,
            "begin_ms": (first - run["begin_us"]) / 1e3,
            "ms": (last - first) / 1e3,
            "wait_ms": (first - at) / 1e3,
        })
        at = last
    total = (run["end_us"] - run["begin_us"]) / 1e3
    return {
        "run": run["run"],
        "ms": total,
        "waiting_ms": sum(step["wait_ms"] for step in steps),
        "bound_ms": total * 0.3,
        "nodes": steps,
    }


def measure(nodes, runs, events):
    """Adds the measured times to the nodes; returns the busy time of a run."""
    busy = sum(event[4] for event in events) / 1e3 / len(runs)
    for entry in nodes:
        own = [event[4] for event in events if event[1] == entry["index"]]
        self_ms = sum(own) / 1e3 / len(runs)
        seconds = self_ms / 1e3 or math.inf
        gflops, gbs = entry["flops"] / seconds / 1e9, entry["bytes"] / seconds / 1e9
        entry.update(
            self_ms=self_ms,
            share=self_ms / busy if busy else 0.0,
            longest_tile_ms=max(own, default=0.0) / 1e3,
            gflops=gflops if entry["flops"] else None,
            gbs=gbs,
            peak_fraction=max(gflops / PEAK_GFLOPS, gbs / BANDWIDTH_GBS),
            critical=False,
        )
    return busy


def by_op(nodes, busy):
    ops = []
    for op in sorted({entry["op"] for entry in nodes}):
        mine = [entry for entry in nodes if entry["op"] == op]
        self_ms = sum(entry["self_ms"] for entry in mine)
        flops = sum(entry["flops"] for entry in mine)
        ops.append({
            "op": op,
            "nodes": len(mine),
            "calls": sum(entry["calls"] for entry in mine),
            "self_ms": self_ms,
            "share": self_ms / busy if busy else 0.0,
            "gflops": flops / self_ms / 1e6 if flops and self_ms else None,
            "gbs": sum(entry["bytes"] for entry in mine) / self_ms / 1e6 if self_ms else None,
            "peak_fraction": 0.8 if flops else None,
        })
    return ops


def memory_of(nodes, layers, width, batch):
    activation = 4 * batch * width
    curve = []
    for entry in nodes:
        k = entry["index"]
        alive = k + 1 if k < layers else max(1, layers - (k - layers) // 4)
        curve.append(activation * alive + (activation // 2 if entry["op"] == "matmul" else 0))
        entry["live_bytes"] = curve[-1]
    peak = max(range(len(curve)), key=curve.__getitem__)
    buffers = [{"name": nodes[k]["name"], "bytes": activation, "node": k} for k in range(layers)]
    return {
        "planned_bytes": int(max(curve) * 1.02),
        "unshared_bytes": activation * len(nodes),
        "variable_bytes": 3 * 4 * layers * width * width,
        "peak_bytes": max(curve),
        "peak_node": peak,
        "curve": curve,
        "peak_buffers": buffers,
    }


def scaling_of(work_ms, bound_ms, step_ms, threads):
    predictions = []
    for workers in (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128):
        ms = max(bound_ms, work_ms / workers + 0.03 * work_ms * (1 - 1 / workers))
        predictions.append({
            "workers": workers,
            "ms": ms,
            "speedup": work_ms / ms,
            "efficiency": work_ms / ms / workers,
            "measured_ms": {1: work_ms * 1.02, threads: step_ms}.get(workers),
        })
    return {
        "dispatch_us": DISPATCH_US,
        "work_ms": work_ms,
        "critical_path_ms": bound_ms,
        "bytes": 3.3e7,
        "bandwidth_gbs": 22.0,
        "predictions": predictions,
    }


def sample(layers=3, width=512, batch=128, threads=2, runs=30, seed=1, most_events=100_000):
    rng = random.Random(seed)
    nodes = plan(layers, width, batch)
    timeline_runs, events, per_run, at = [], [], [], 0.0
    for number in range(runs):
        own, end = schedule(nodes, threads, at, rng)
        if len(events) + len(own) > most_events:
            break
        timeline_runs.append({"run": number, "begin_us": at, "end_us": end})
        events += own
        per_run.append(own)
        at = round(end + 3.0, 3)

    busy_ms = measure(nodes, timeline_runs, events)
    lengths = sorted((run["end_us"] - run["begin_us"]) / 1e3 for run in timeline_runs)
    median = lengths[len(lengths) // 2]
    typical = min(range(len(timeline_runs)), key=lambda k: abs(
        timeline_runs[k]["end_us"] - timeline_runs[k]["begin_us"] - 1e3 * median))
    path = critical_path(nodes, timeline_runs[typical], per_run[typical])
    for step in path["nodes"]:
        nodes[step["index"]]["critical"] = True
    busy = busy_ms / (threads * sum(lengths) / len(lengths))
    idle = 1 - busy
    return {
        "format": "gradmill profile 1",
        "title": f"mlp of {layers} layers of {width}, batch {batch}",
        "machine": {
            "processor": "A made-up processor",
            "cores": threads,
            "peak_gflops": PEAK_GFLOPS * threads,
            "bandwidth_gbs": BANDWIDTH_GBS * threads,
        },
        "threads": threads,
        "serial": False,
        "runs": {
            "count": runs,
            "median_ms": median,
            "p10_ms": lengths[len(lengths) // 10],
            "p90_ms": lengths[len(lengths) * 9 // 10],
        },
        "ops": by_op(nodes, busy_ms),
        "nodes": nodes,
        "critical_path": path,
        "efficiency": {
            "busy": busy,
            "dispatch": idle * 0.3,
            "nothing_ready": idle * 0.1,
            "serial_section": idle * 0.25,
            "too_few_tiles": idle * 0.2,
            "uneven_tiles": idle * 0.15,
        },
        "memory": memory_of(nodes, layers, width, batch),
        "scaling": scaling_of(busy_ms, path["bound_ms"], median, threads),
        "timeline": {
            "lanes": [f"worker {lane}" for lane in range(threads)],
            "shown_runs": len(timeline_runs),
            "dropped_events": 0,
            "runs": timeline_runs,
            "events": events,
        },
    }


def empty():
    """What is left of a run of which nothing was measured."""
    return {
        "format": "gradmill profile 1",
        "title": "nothing",
        "machine": {"processor": "unknown", "cores": 2, "peak_gflops": None, "bandwidth_gbs": None},
        "threads": 2,
        "serial": False,
        "runs": {"count": 0, "median_ms": None, "p10_ms": None, "p90_ms": None},
        "ops": [],
        "nodes": [],
        "critical_path": None,
        "efficiency": None,
        "memory": {"planned_bytes": 0, "unshared_bytes": 0, "variable_bytes": 0, "peak_bytes": 0,
                   "peak_node": None, "curve": [], "peak_buffers": []},
        "scaling": None,
        "timeline": {"lanes": [], "shown_runs": 0, "dropped_events": 0, "runs": [], "events": []},
    }


def unknown_machine():
    """Nodes without rates, on a machine of which nothing is known."""
    data = sample(layers=2, runs=3)
    data["machine"].update(peak_gflops=None, bandwidth_gbs=None)
    for entry in data["nodes"] + data["ops"]:
        entry.update(gflops=None, gbs=None, peak_fraction=None)
    data["critical_path"] = {"run": 99, "ms": None, "waiting_ms": None, "bound_ms": None,
                             "nodes": []}
    data["scaling"].update(bandwidth_gbs=None)
    for row in data["scaling"]["predictions"]:
        row["measured_ms"] = None
    return data


HOSTILE = "</script><img src=x onerror=\"document.title='taken'\"><!-- &amp; /*SCRIPT*/"


def hostile():
    """Every text of the data is markup."""
    data = sample(layers=2, runs=3)
    data["title"] = data["machine"]["processor"] = HOSTILE
    data["timeline"]["lanes"] = [HOSTILE, HOSTILE]
    for entry in data["nodes"]:
        for key in ("name", "op", "phase", "shapes", "kernel"):
            entry[key] = HOSTILE + entry[key]
    for entry in data["ops"]:
        entry["op"] = HOSTILE + entry["op"]
    for entry in data["memory"]["peak_buffers"]:
        entry["name"] = HOSTILE
    return data
