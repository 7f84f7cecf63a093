"""Ops without options of many forms: one case each, with a random upstream gradient."""

import torch
import torch.nn.functional as F

from arrays import Draw, dump, leaf


def cases():
    """Name, function, inputs."""
    draw = Draw(1)
    short = draw.short
    ties = torch.tensor([[[1.0, 3, 3]], [[3, 2, 1]]])
    return [
        ("add", torch.add, [short(2, 1, 3), short(4, 1)]),
        ("sub", torch.sub, [short(3), short(2, 3)]),
        ("mul", torch.mul, [short(2, 3), short(2, 1)]),
        ("div", torch.div, [short(2, 3), short(3)]),
        ("neg", torch.neg, [short(3)]),
        ("exp", torch.exp, [short(5)]),
        ("log", torch.log, [short(5).abs()]),
        ("sqrt", torch.sqrt, [short(5).abs()]),
        ("tanh", torch.tanh, [short(7)]),
        ("sigmoid", torch.sigmoid, [short(7)]),
        ("relu", torch.relu, [torch.tensor([-1.5, 0.0, 2.5])]),
        ("sum", lambda x: x.sum(), [short(3, 2)]),
        ("sum_0_2", lambda x: x.sum((0, 2)), [short(2, 3, 2)]),
        ("mean", lambda x: x.mean(), [short(3, 2)]),
        ("mean_1_keepdim", lambda x: x.mean(1, keepdim=True), [short(2, 3)]),
        ("max", lambda x: x.amax(), [ties]),
        ("max_0_2", lambda x: x.amax((0, 2)), [ties]),
        ("max_1", lambda x: x.amax(1), [torch.tensor([[1.0, 3, 3], [2, 1, 0]])]),
        ("transpose_0_2", lambda x: x.transpose(0, 2).contiguous(), [short(2, 1, 3)]),
        ("reshape_3_4", lambda x: x.reshape(3, 4), [short(2, 6)]),
        ("linear", F.linear, [short(2, 2, 3), short(4, 3), short(4)]),
        ("linear_vector", F.linear, [short(3), short(4, 3), short(4)]),
        ("linear_no_bias", F.linear, [short(2, 3), short(4, 3)]),
    ]


def document():
    draw = Draw(2)
    rows = []
    for name, function, inputs in cases():
        leaves = [leaf(x) for x in inputs]
        result = function(*leaves)
        upstream = draw.short(*result.shape)
        result.backward(upstream)
        rows.append({
            "op": name,
            "inputs": [dump(x) for x in inputs],
            "upstream": dump(upstream),
            "result": dump(result),
            "gradients": [dump(x.grad) for x in leaves],
        })
    return {"cases": rows}
