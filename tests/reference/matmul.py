"""torch.matmul in every form: ranks 1 to 5, batches that broadcast.

An operand of two axes or more that is stored transposed is the same matrix, so its cases need no
numbers of their own: the test exchanges the axes of what is fed and of the gradient it expects.
"""

import torch

from arrays import Draw, dump, leaf

FORMS = [
    ([5], [5]),
    ([3], [3, 4]),
    ([2, 3], [3]),
    ([3], [2, 3, 4]),
    ([3], [2, 2, 3, 2]),
    ([2, 4, 3], [3]),
    ([2, 1, 4, 3], [3]),
    ([1, 3], [3, 1]),
    ([2, 3], [3, 4]),
    ([4, 17], [17, 7]),
    ([3, 2, 3], [3, 3, 2]),
    ([2, 2, 2, 3], [2, 2, 3, 2]),
    ([2, 3], [3, 3, 4]),
    ([3, 2, 4], [4, 3]),
    ([1, 2, 3], [4, 3, 2]),
    ([4, 2, 3], [1, 3, 2]),
    ([4, 1, 2, 3], [5, 3, 2]),
    ([3, 2, 3], [2, 1, 3, 2]),
    ([2, 1, 2, 3], [1, 3, 3, 2]),
    ([1, 1, 2, 3], [3, 2]),
    ([2, 3], [1, 1, 3, 2]),
    ([1, 1, 2, 3], [2, 3, 2]),
    ([2, 1, 1, 2, 3], [3, 1, 3, 2]),
]


def document():
    draw = Draw(3)
    rows = []
    for shape_a, shape_b in FORMS:
        a, b = leaf(draw.full(*shape_a)), leaf(draw.full(*shape_b))
        result = torch.matmul(a, b)
        upstream = draw.full(*result.shape)
        result.backward(upstream)
        rows.append({
            "inputs": [dump(a), dump(b)],
            "upstream": dump(upstream),
            "result": dump(result),
            "gradients": [dump(a.grad), dump(b.grad)],
        })
    return {"cases": rows}
