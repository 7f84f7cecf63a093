"""softmax and log_softmax along every axis of several shapes, and of large logits."""

import torch
import torch.nn.functional as F

from arrays import Draw, dump, flat, leaf

FUNCTIONS = {"softmax": F.softmax, "log_softmax": F.log_softmax}


def inputs():
    draw = Draw(4)
    for shape in ([5], [3, 19], [2, 3, 4], [2, 1, 3, 2]):
        yield draw.full(*shape), draw.short(*shape)
    # exp overflows float64 above 709, and float32 above 88.
    yield 1000 * draw.short(2, 5), draw.short(2, 5)
    yield 1e30 * torch.tensor([[1.0, -1.0, 0.5, 1.0]]).float().double(), draw.short(1, 4)
    yield torch.tensor([[-80.0, 3.0, 20.0], [700.0, 690.0, 600.0]]), draw.short(2, 3)


def document():
    rows = []
    for x, upstream in inputs():
        x = x.float().double()
        outcomes = []
        for axis in range(x.dim()):
            for op, function in FUNCTIONS.items():
                logits = leaf(x)
                result = function(logits, axis)
                result.backward(upstream)
                outcomes.append({
                    "op": op,
                    "axis": axis,
                    "result": flat(result),
                    "gradient": flat(logits.grad),
                })
        rows.append({"input": dump(x), "upstream": dump(upstream), "outcomes": outcomes})
    return {"cases": rows}
