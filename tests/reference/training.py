"""Optimizers on given gradients, and a classifier trained for 20 steps."""

import torch
import torch.nn.functional as F

from arrays import Draw, dump, flat, leaf, number, rounded_to_f32

STEPS = 20
SHOWN = 5  # parameters are kept after each so many steps

OPTIMIZERS = {
    "sgd": (torch.optim.SGD, {"lr": 0.1}),
    "sgd_weight_decay": (torch.optim.SGD, {"lr": 0.1, "weight_decay": 0.03}),
    "sgd_momentum": (torch.optim.SGD, {"lr": 0.1, "momentum": 0.9}),
    "sgd_momentum_weight_decay": (
        torch.optim.SGD,
        {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01},
    ),
    "sgd_nesterov": (
        torch.optim.SGD,
        {"lr": 0.1, "momentum": 0.8, "weight_decay": 0.01, "nesterov": True},
    ),
    "adamw": (torch.optim.AdamW, {"lr": 0.01}),
    "adamw_no_decay": (torch.optim.AdamW, {"lr": 0.01, "weight_decay": 0.0}),
    "adamw_options": (
        torch.optim.AdamW,
        {"lr": 0.05, "betas": (0.5, 0.9), "eps": 1e-3, "weight_decay": 0.1},
    ),
}


def optimizer_cases():
    """A parameter p under 20 gradients, the same for all; the loss is <p, gradient>."""
    draw = Draw(6)
    start = draw.short(5)
    gradients = [draw.short(5) for _ in range(STEPS)]
    rows = []
    for name, (kind, options) in OPTIMIZERS.items():
        parameter = leaf(start)
        optimizer = kind([parameter], **options)
        shown = []
        for step, gradient in enumerate(gradients, 1):
            parameter.grad = gradient.clone()
            optimizer.step()
            if step % SHOWN == 0:
                shown.append(flat(parameter))
        rows.append({"optimizer": name, "parameters": shown})
    return {"start": dump(start), "gradients": [flat(g) for g in gradients], "rows": rows}


SIZES = [6, 9, 7, 4]
BATCH = 8
CLASSIFIER_OPTIMIZERS = {
    "sgd_momentum": (torch.optim.SGD, {"lr": 0.1, "momentum": 0.9}),
    "adamw": (torch.optim.AdamW, {"lr": 0.01}),
}


def classifier(x, p):
    x = torch.relu(F.linear(x, p["fc1.weight"], p["fc1.bias"]))
    x = torch.tanh(F.linear(x, p["fc2.weight"], p["fc2.bias"]))
    return F.linear(x, p["fc3.weight"], p["fc3.bias"])


def classifier_document():
    """linear, relu, linear, tanh, linear, cross-entropy; four batches in turn."""
    draw = Draw(7)
    batches = [(draw.short(BATCH, SIZES[0]), draw.labels(SIZES[-1], BATCH)) for _ in range(4)]
    start = {}
    for layer, (inputs, outputs) in enumerate(zip(SIZES, SIZES[1:]), 1):
        start[f"fc{layer}.weight"] = rounded_to_f32(draw.full(outputs, inputs) / 4)
        start[f"fc{layer}.bias"] = rounded_to_f32(draw.full(outputs) / 4)
    rows = []
    for name, (kind, options) in CLASSIFIER_OPTIMIZERS.items():
        parameters = {key: leaf(value) for key, value in start.items()}
        optimizer = kind(parameters.values(), **options)
        losses = []
        for step in range(STEPS):
            x, labels = batches[step % len(batches)]
            optimizer.zero_grad()
            loss = F.cross_entropy(classifier(x, parameters), labels)
            loss.backward()
            optimizer.step()
            losses.append(number(loss.item()))
        end = {key: flat(value) for key, value in parameters.items()}
        rows.append({"optimizer": name, "losses": losses, "end": end})
    return {
        "sizes": SIZES,
        "batches": [{"x": flat(x), "labels": flat(labels)} for x, labels in batches],
        "start": {key: dump(value) for key, value in start.items()},
        "rows": rows,
    }


def document():
    return {"optimizers": optimizer_cases(), "classifier": classifier_document()}
