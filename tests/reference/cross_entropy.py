"""torch.nn.functional.cross_entropy with every combination of its options."""

import itertools

import numpy
import torch
import torch.nn.functional as F

from arrays import Draw, dump, flat, leaf, rounded_to_f32

SHAPES = [[3, 9], [3, 4, 2], [2, 3, 2, 2]]
REDUCTIONS = ["mean", "sum", "none"]
DEFAULT_IGNORE = -100


def label_cases(labels):
    """Labels and ignore_index: nothing ignored, a class, a number that is no class, the default."""
    holes = labels.clone()
    holes.view(-1)[1::3] = -1
    defaults = labels.clone()
    defaults.view(-1)[::4] = DEFAULT_IGNORE
    return [
        ("no row ignored", labels, DEFAULT_IGNORE),
        ("a class ignored", labels, labels.view(-1)[2].item()),
        ("-1 ignored", holes, -1),
        ("-100 ignored", defaults, DEFAULT_IGNORE),
        ("every row ignored", torch.full_like(labels, -1), -1),
    ]


def run(logits, targets, upstream, **options):
    logits = leaf(logits)
    differentiable = targets.is_floating_point()
    targets = leaf(targets) if differentiable else targets
    loss = F.cross_entropy(logits, targets, **options)
    loss.backward(upstream)
    outcome = {"result": flat(loss), "gradient": flat(logits.grad)}
    if differentiable:
        outcome["target_gradient"] = flat(targets.grad)
    return outcome


def of_shape(shape, draw):
    classes = shape[1]
    rows = [shape[0]] + shape[2:]
    logits = draw.full(*shape)
    labels = draw.labels(classes, *rows)
    probabilities = rounded_to_f32(F.softmax(draw.short(*shape), 1))
    weight = draw.short(classes).abs()
    upstream_of_rows, upstream_of_scalar = draw.short(*rows), draw.short()

    outcomes = []
    for reduction, weighted, smoothing in itertools.product(REDUCTIONS, (False, True), (0.0, 0.1)):
        options = {
            "weight": weight if weighted else None,
            "reduction": reduction,
            "label_smoothing": smoothing,
        }
        shown = {**options, "weight": weighted}
        upstream = upstream_of_rows if reduction == "none" else upstream_of_scalar
        for name, targets, ignored in label_cases(labels):
            outcome = run(logits, targets, upstream, ignore_index=ignored, **options)
            outcomes.append({"targets": name, **shown, **outcome})
        outcome = run(logits, probabilities, upstream, **options)
        outcomes.append({"targets": "probabilities", **shown, **outcome})
    return {
        "logits": dump(logits),
        "probabilities": dump(probabilities),
        "weight": dump(weight),
        "upstream_of_rows": dump(upstream_of_rows),
        "upstream_of_scalar": dump(upstream_of_scalar),
        "labels": {name: {"data": flat(targets), "ignore_index": ignored}
                   for name, targets, ignored in label_cases(labels)},
        "outcomes": outcomes,
    }


def worked_example():
    """Of full float64 inputs, unlike all the others."""
    logits = torch.tensor(numpy.random.default_rng(42).standard_normal((4, 3)))
    labels = torch.tensor([0, 2, 1, 0])
    outcome = run(logits, labels, torch.tensor(1.0))
    return {"logits": dump(logits), "labels": flat(labels), **outcome}


def large():
    """Logits whose exp overflows, and losses too small for 1 - p."""
    logits = torch.tensor([[1000.0, -1000.0, 999.0], [-3e4, 2e4, 2e4], [90.0, -20.0, 0.5]])
    labels = torch.tensor([1, 0, 0])
    outcome = run(logits, labels, torch.tensor([1.0, -0.5, 2.0]), reduction="none")
    return {"logits": dump(logits), "labels": flat(labels), "upstream": [1.0, -0.5, 2.0], **outcome}


def document():
    draw = Draw(5)
    return {
        "cases": [of_shape(shape, draw) for shape in SHAPES],
        "worked_example": worked_example(),
        "large": large(),
    }
