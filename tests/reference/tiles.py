"""Inputs large enough for many tiles. Both sides make them from their indices, and only some of the
elements of what comes out are kept, evenly spread."""

import torch
import torch.nn.functional as F

from arrays import flat, leaf

KEPT = 10
CLASSES = 33


def made(shape, key):
    """x_i = ((7919 i + 104729 key) mod 65521 - 32760) / 16384: in [-2, 2), exact in float32."""
    i = torch.arange(torch.Size(shape).numel())
    return (((7919 * i + 104729 * key) % 65521 - 32760) / 16384).reshape(shape)


def labels(shape):
    return (7 * torch.arange(torch.Size(shape).numel()) % CLASSES).reshape(shape)


def swapped(x):
    return x.transpose(-1, -2)


CASES = [
    ("matmul", torch.matmul, [[400, 300], [300, 350]]),
    ("matmul_transposed", lambda a, b: torch.matmul(swapped(a), swapped(b)),
     [[300, 400], [350, 300]]),
    ("matmul_batches", torch.matmul, [[4, 1, 90, 70], [5, 70, 80]]),
    ("matmul_one_weight", torch.matmul, [[6, 150, 120], [120, 130]]),
    ("linear", F.linear, [[6, 150, 120], [130, 120], [130]]),
    ("softmax_last", lambda x: F.softmax(x, -1), [[700, 150]]),
    ("log_softmax_middle", lambda x: F.log_softmax(x, 1), [[30, 60, 50]]),
    ("cross_entropy_labels",
     lambda x: F.cross_entropy(x, labels([60, 40]), reduction="none", label_smoothing=0.1),
     [[60, CLASSES, 40]]),
    ("cross_entropy_probabilities", F.cross_entropy, [[3000, CLASSES], [3000, CLASSES]]),
    ("sum_0", lambda x: x.sum(0), [[500, 300]]),
    ("mean", lambda x: x.mean(), [[500, 300]]),
    ("tanh", torch.tanh, [[500, 300]]),
    ("mul", torch.mul, [[40, 1, 300], [50, 1]]),
]


def document():
    rows = []
    for name, function, shapes in CASES:
        leaves = [leaf(made(shape, key)) for key, shape in enumerate(shapes)]
        result = function(*leaves)
        result.backward(made(result.shape, len(leaves)))
        rows.append({
            "op": name,
            "shapes": shapes,
            "result": {"shape": list(result.shape), "some": some(result)},
            "gradients": [some(x.grad) for x in leaves],
        })
    return {"cases": rows}


def some(x):
    """An odd stride does not stay in one column."""
    stride = x.numel() // KEPT | 1
    return {"stride": stride, "data": flat(x.reshape(-1)[::stride])}
