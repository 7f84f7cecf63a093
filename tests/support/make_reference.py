"""Writes tests/data/pytorch.json: what PyTorch computes, for tests/ops/reference_test.cpp.

    apt-get install python3-torch
    /usr/bin/python3 make_reference.py
"""

import json
import pathlib

import torch
import torch.nn.functional as F

torch.manual_seed(1)
torch.set_default_dtype(torch.float64)
DATA = pathlib.Path(__file__).resolve().parent.parent / "data"


def dump(tensor):
    return {"shape": list(tensor.shape), "data": tensor.detach().reshape(-1).tolist()}


def draw(*shape):
    # Few digits keep the file small, and no number is zero.
    return torch.round(torch.randn(shape) * 64) / 64 + 1 / 256


LABELS = torch.tensor([3, 0, 2])

# Name, function, inputs.
OPS = [
    ("add", torch.add, [draw(2, 1, 3), draw(4, 1)]),
    ("sub", torch.sub, [draw(3), draw(2, 3)]),
    ("mul", torch.mul, [draw(2, 3), draw(2, 1)]),
    ("div", torch.div, [draw(2, 3), draw(3)]),
    ("neg", torch.neg, [draw(3)]),
    ("exp", torch.exp, [draw(5)]),
    ("log", torch.log, [draw(5).abs()]),
    ("sqrt", torch.sqrt, [draw(5).abs()]),
    ("tanh", torch.tanh, [draw(7)]),
    ("sigmoid", torch.sigmoid, [draw(7)]),
    ("relu", torch.relu, [torch.tensor([-1.5, 0.0, 2.5])]),
    ("sum_0_2", lambda x: x.sum((0, 2)), [draw(2, 3, 2)]),
    ("mean_1_keepdim", lambda x: x.mean(1, keepdim=True), [draw(2, 3)]),
    ("max_0_2", lambda x: x.amax((0, 2)), [torch.tensor([[[1.0, 3, 3]], [[3, 2, 1]]])]),
    ("max_1", lambda x: x.amax(1), [torch.tensor([[1.0, 3, 3], [2, 1, 0]])]),
    ("transpose_0_2", lambda x: x.transpose(0, 2).contiguous(), [draw(2, 1, 3)]),
    ("reshape_3_4", lambda x: x.reshape(3, 4), [draw(2, 6)]),
    ("softmax_0", lambda x: F.softmax(x, 0), [draw(3, 2)]),
    ("softmax_1", lambda x: F.softmax(x, 1), [draw(2, 5)]),
    ("log_softmax_0", lambda x: F.log_softmax(x, 0), [draw(3, 2)]),
    ("log_softmax_1", lambda x: F.log_softmax(x, 1), [draw(2, 5)]),
    ("matmul", torch.matmul, [draw(2, 3), draw(3, 4)]),
    ("linear", F.linear, [draw(2, 2, 3), draw(4, 3), draw(4)]),
    ("cross_entropy", lambda x: F.cross_entropy(x, LABELS), [draw(3, 4)]),
]

OPTIMIZERS = [
    ("sgd", torch.optim.SGD, {"lr": 0.1}),
    ("sgd_momentum", torch.optim.SGD, {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01}),
    (
        "sgd_nesterov",
        torch.optim.SGD,
        {"lr": 0.1, "momentum": 0.8, "weight_decay": 0.01, "nesterov": True},
    ),
    ("adamw", torch.optim.AdamW, {"lr": 0.01}),
    (
        "adamw_options",
        torch.optim.AdamW,
        {"lr": 0.05, "betas": (0.5, 0.9), "eps": 1e-3, "weight_decay": 0.1},
    ),
]


def op_case(name, function, inputs):
    leaves = [x.clone().requires_grad_() for x in inputs]
    result = function(*leaves)
    upstream = draw(*result.shape)
    result.backward(upstream)
    return {
        "op": name,
        "inputs": [dump(x) for x in inputs],
        "upstream": dump(upstream),
        "result": dump(result),
        "gradients": [dump(x.grad) for x in leaves],
    }


def optimizer_case(name, kind, options):
    """20 updates of p for the gradients x_t, drawn once for all."""
    start = draw(3)
    parameter = start.clone().requires_grad_()
    optimizer = kind([parameter], **options)
    gradients = [draw(3) for _ in range(20)]
    for gradient in gradients:
        parameter.grad = gradient.clone()
        optimizer.step()
    return {
        "optimizer": name,
        "start": dump(start),
        "gradients": [g.tolist() for g in gradients],
        "end": dump(parameter),
    }


def main():
    cases = {
        "made_with": "PyTorch " + torch.__version__,
        "labels": LABELS.tolist(),
        "ops": [op_case(*case) for case in OPS],
        "optimizers": [optimizer_case(*case) for case in OPTIMIZERS],
    }
    lines = ["{"]
    lines.append(f' "made_with": {json.dumps(cases["made_with"])},')
    lines.append(f' "labels": {json.dumps(cases["labels"])},')
    for key in ("ops", "optimizers"):
        rows = ",\n  ".join(json.dumps(row) for row in cases[key])
        lines.append(f' "{key}": [\n  {rows}\n ]' + ("," if key == "ops" else ""))
    lines.append("}")
    (DATA / "pytorch.json").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
