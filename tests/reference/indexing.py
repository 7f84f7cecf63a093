"""Rows looked up, slices, and tensors joined and cut."""

import torch
import torch.nn.functional as F

from arrays import Draw, dump, leaf


def cases():
    """Name, function, inputs, indices."""
    draw = Draw(31)
    short = draw.short
    flat, nested = draw.labels(5, 7), draw.labels(5, 2, 3)
    scalar = torch.tensor(3)

    def looked_up(indices, padding_idx=None):
        return lambda weight: F.embedding(indices, weight, padding_idx=padding_idx)

    def product_of_outer_parts(x):
        parts = x.split(3, 1)
        return parts[0] * parts[2]

    def parts_in_other_order(x):
        parts = x.split([2, 1, 3], -1)
        return torch.cat([parts[2], parts[0] * 2, parts[1]], -1)

    return [
        ("embedding", looked_up(flat), [short(5, 3)], flat),
        ("embedding_nested", looked_up(nested), [short(5, 1)], nested),
        ("embedding_scalar", looked_up(scalar), [short(5, 4)], scalar),
        ("embedding_padding", looked_up(nested, int(nested[1, 1])), [short(5, 3)], nested),
        ("embedding_padding_from_end", looked_up(flat, -1), [short(5, 3)], flat),
        ("slice_0", lambda x: x[1:3], [short(4, 3)], None),
        ("slice_1_from_end", lambda x: x[:, -3:-1], [short(2, 5, 2)], None),
        ("slice_1_by_2", lambda x: x[:, 1::2], [short(3, 6, 2)], None),
        ("slice_last_by_3", lambda x: x[..., :100:3], [short(2, 8)], None),
        ("concat_0", lambda *x: torch.cat(x), [short(2, 3), short(1, 3), short(3, 3)], None),
        ("concat_last", lambda *x: torch.cat(x, -1), [short(2, 1, 3), short(2, 1, 1)], None),
        ("concat_1", lambda *x: torch.cat(x, 1), [short(2, 1, 3), short(2, 4, 3)], None),
        ("split_outer", product_of_outer_parts, [short(2, 7)], None),
        ("split_sizes", parts_in_other_order, [short(2, 2, 6)], None),
    ]


def document():
    draw = Draw(32)
    rows = []
    for name, function, inputs, indices in cases():
        leaves = [leaf(x) for x in inputs]
        result = function(*leaves)
        upstream = draw.short(*result.shape)
        result.backward(upstream)
        row = {"op": name}
        if indices is not None:
            row["indices"] = dump(indices)
        rows.append(row | {
            "inputs": [dump(x) for x in inputs],
            "upstream": dump(upstream),
            "result": dump(result),
            "gradients": [dump(x.grad) for x in leaves],
        })
    return {"cases": rows}
