"""Attention by its formula, with torch's ops: of separate tensors, with masks, and of packed ones.

PyTorch's own function takes no scale before 2.1, and gives NaN where a mask hides all keys.
"""

import math

import torch

from arrays import Draw, dump, leaf


def attention(q, k, v, mask=None, causal=False, scale=None):
    scores = q @ k.transpose(-2, -1) * (1 / math.sqrt(q.shape[-1]) if scale is None else scale)
    if mask is not None:
        scores = scores + mask
    if causal:
        seen = torch.ones(scores.shape[-2:], dtype=torch.bool).tril()
        scores = scores.masked_fill(~seen, -math.inf)
    return torch.softmax(scores, -1) @ v


def separate(draw, leading, queries, keys, width, value_width, mask=None, **settings):
    q, k, v = (leaf(draw.full(*leading, rows, columns))
               for rows, columns in ((queries, width), (keys, width), (keys, value_width)))
    if mask is not None:
        mask = draw.short(*mask)
    result = attention(q, k, v, mask, **settings)
    return outcome(draw, [q, k, v], result, settings) | {"mask": mask if mask is None else dump(mask)}


def packed(draw, batch, length, heads, width, **settings):
    qkv = leaf(draw.full(batch, length, 3 * heads * width))
    q, k, v = (part.reshape(batch, length, heads, width).transpose(1, 2)
               for part in qkv.split(heads * width, -1))
    result = attention(q, k, v, **settings).transpose(1, 2).reshape(batch, length, heads * width)
    return outcome(draw, [qkv], result, settings) | {"heads": heads}


def outcome(draw, inputs, result, settings):
    upstream = draw.full(*result.shape)
    result.backward(upstream)
    return {
        "causal": settings.get("causal", False),
        "scale": settings.get("scale"),
        "inputs": [dump(x) for x in inputs],
        "upstream": dump(upstream),
        "result": dump(result),
        "gradients": [dump(x.grad) for x in inputs],
    }


def document():
    draw = Draw(11)
    return {
        "separate": [
            separate(draw, [], 1, 1, 1, 1),
            separate(draw, [], 5, 7, 3, 2),
            separate(draw, [2], 7, 5, 4, 9, causal=True),
            separate(draw, [2, 3], 5, 6, 2, 3, scale=0.7),
            separate(draw, [1], 19, 21, 8, 8, causal=True, scale=-0.2),
            separate(draw, [2, 2], 3, 5, 4, 2, mask=[3, 5]),
            separate(draw, [2, 2], 3, 5, 4, 2, mask=[2, 1, 1, 5]),
        ],
        "packed": [
            packed(draw, 1, 4, 1, 2),
            packed(draw, 2, 6, 2, 3, causal=True),
            packed(draw, 1, 18, 3, 5, causal=True, scale=0.4),
        ],
    }
