"""gelu, silu, layer_norm and rms_norm with every combination of their options."""

import itertools

import torch
import torch.nn.functional as F

from arrays import Draw, dump, leaf

# Input, how many of its last axes are normalized.
SHAPES = [([7], 1), ([3, 5], 1), ([3, 19], 1), ([2, 3, 4], 2), ([2, 3, 1, 5], 3), ([4, 1], 1)]
EPS = [None, 0.25]


def rms_norm(x, normalized_shape, weight=None, eps=None):
    """torch.nn.functional.rms_norm by its definition: this PyTorch is older than it."""
    axes = tuple(range(-len(normalized_shape), 0))
    eps = torch.finfo(x.dtype).eps if eps is None else eps
    y = x * torch.rsqrt(x.square().mean(axes, keepdim=True) + eps)
    return y if weight is None else y * weight


def row(op, function, inputs, upstream, **options):
    leaves = [leaf(x) for x in inputs]
    result = function(*leaves)
    result.backward(upstream)
    return {
        "op": op,
        **options,
        "inputs": [dump(x) for x in inputs],
        "upstream": dump(upstream),
        "result": dump(result),
        "gradients": [dump(x.grad) for x in leaves],
    }


def activations(draw):
    functions = {
        "gelu": F.gelu,
        "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
        "silu": F.silu,
    }
    ends = torch.tensor([-60.0, -20, -9, -6, -5, -3, -0.75, -1e-4, 0, 1e-4, 3, 5, 6, 9, 20, 60])
    ends = ends.float().double()
    for op, function in functions.items():
        for x in (draw.full(3, 7), 4 * draw.short(5), ends):
            yield row(op, function, [x], draw.short(*x.shape))


def layer_norms(draw):
    for (shape, axes), eps in itertools.product(SHAPES, EPS):
        if shape[-1] == 1 and eps is None:
            continue  # rms_norm's gradient is then 0 but for rounding
        x, upstream = draw.full(*shape), draw.short(*shape)
        normalized = shape[-axes:]
        weight, bias = draw.short(*normalized), draw.short(*normalized)
        shown = {"eps": eps, "axes": axes}
        given = {} if eps is None else {"eps": eps}
        for weighted, biased in itertools.product((False, True), repeat=2):
            inputs = [x] + [weight] * weighted + [bias] * biased
            yield row("layer_norm",
                      lambda x, *rest: F.layer_norm(x, normalized,
                                                    rest[0] if weighted else None,
                                                    rest[-1] if biased else None, **given),
                      inputs, upstream, weighted=weighted, biased=biased, **shown)
        for weighted in (False, True):
            yield row("rms_norm", lambda x, *rest: rms_norm(x, normalized, *rest, **given),
                      [x] + [weight] * weighted, upstream, weighted=weighted, biased=False,
                      **shown)


def document():
    draw = Draw(9)
    return {"activations": list(activations(draw)), "norms": list(layer_norms(draw))}
