"""torch.nn.functional.cross_entropy of a linear layer."""

import itertools

import torch.nn.functional as F

from arrays import Draw, dump, flat, leaf

SHAPES = [([5], 3, 7), ([2, 3], 5, 19)]
REDUCTIONS = ["mean", "sum", "none"]


def run(x, weight, bias, labels, upstream, **options):
    leaves = [leaf(value) for value in (x, weight, bias) if value is not None]
    logits = F.linear(leaves[0], leaves[1], leaves[2] if bias is not None else None)
    loss = F.cross_entropy(logits.flatten(0, -2), labels.flatten(), **options)
    if options["reduction"] == "none":
        loss = loss.reshape(labels.shape)
    loss.backward(upstream)
    return {"result": flat(loss), "gradients": [flat(value.grad) for value in leaves]}


def of_shape(rows, features, classes, draw):
    x, weight, bias = draw.full(*rows, features), draw.full(classes, features), draw.full(classes)
    labels = draw.labels(classes, *rows)
    holes = labels.clone()
    holes.view(-1)[1::3] = -100
    upstream_of_rows, upstream_of_scalar = draw.short(*rows), draw.short()
    outcomes = []
    for reduction, biased, smoothing, ignored in itertools.product(
            REDUCTIONS, (False, True), (0.0, 0.1), (False, True)):
        upstream = upstream_of_rows if reduction == "none" else upstream_of_scalar
        options = {"reduction": reduction, "label_smoothing": smoothing}
        outcome = run(x, weight, bias if biased else None, holes if ignored else labels, upstream,
                      **options)
        outcomes.append({"bias": biased, "ignored": ignored, **options, **outcome})
    return {
        "x": dump(x),
        "weight": dump(weight),
        "bias": dump(bias),
        "rows": rows,
        "labels": flat(labels),
        "labels_with_holes": flat(holes),
        "upstream_of_rows": dump(upstream_of_rows),
        "upstream_of_scalar": dump(upstream_of_scalar),
        "outcomes": outcomes,
    }


def document():
    draw = Draw(11)
    return {"cases": [of_shape(*shape, draw) for shape in SHAPES]}
