"""A GPT-2 of two layers with the names and layouts of the published files, and what it computes."""

import math

import torch
import torch.nn.functional as F

from arrays import Draw, dump

VOCAB, WIDTH, HEADS, CONTEXT, LAYERS = 11, 8, 2, 6, 2


def tensors():
    """Linear weights are [in, out] in these files."""
    draw = Draw(11)

    def normal_sized(*shape, scale=0.3, around=0.0):
        return (scale * draw.full(*shape) + around).float().double()

    made = {"wte.weight": normal_sized(VOCAB, WIDTH), "wpe.weight": normal_sized(CONTEXT, WIDTH)}

    def norm(name):
        made[name + ".weight"] = normal_sized(WIDTH, around=1.0)
        made[name + ".bias"] = normal_sized(WIDTH)

    def project(name, inputs, outputs):
        made[name + ".weight"] = normal_sized(inputs, outputs)
        made[name + ".bias"] = normal_sized(outputs)

    for layer in range(LAYERS):
        norm(f"h.{layer}.ln_1")
        project(f"h.{layer}.attn.c_attn", WIDTH, 3 * WIDTH)
        project(f"h.{layer}.attn.c_proj", WIDTH, WIDTH)
        norm(f"h.{layer}.ln_2")
        project(f"h.{layer}.mlp.c_fc", WIDTH, 4 * WIDTH)
        project(f"h.{layer}.mlp.c_proj", 4 * WIDTH, WIDTH)
    norm("ln_f")
    return made


def logits_of(tokens, w, heads=HEADS):
    """Of a model of any size, whose tensors say all but the number of heads; tied without lm_head."""
    width = w["wte.weight"].shape[1]
    layers = sum(name.endswith("ln_1.weight") for name in w)

    def norm(x, name):
        return F.layer_norm(x, [width], w[name + ".weight"], w[name + ".bias"], 1e-5)

    def project(x, name):
        return x @ w[name + ".weight"] + w[name + ".bias"]

    def cut(x):
        return x.view(*x.shape[:2], heads, width // heads).transpose(1, 2)

    length = tokens.shape[1]
    hidden = torch.triu(torch.ones(length, length, dtype=torch.bool), 1)
    x = w["wte.weight"][tokens] + w["wpe.weight"][:length]
    for layer in range(layers):
        name = f"h.{layer}"
        q, k, v = map(cut, project(norm(x, name + ".ln_1"), name + ".attn.c_attn").split(width, 2))
        scores = q @ k.transpose(2, 3) / math.sqrt(width // heads)
        mixed = scores.masked_fill(hidden, -math.inf).softmax(-1) @ v
        x = x + project(mixed.transpose(1, 2).reshape(x.shape), name + ".attn.c_proj")
        wide = project(norm(x, name + ".ln_2"), name + ".mlp.c_fc")
        x = x + project(F.gelu(wide, approximate="tanh"), name + ".mlp.c_proj")
    return norm(x, "ln_f") @ w.get("lm_head.weight", w["wte.weight"]).T


def document():
    draw = Draw(12)
    weights = tensors()
    tokens = draw.labels(VOCAB, 2, CONTEXT)
    targets = draw.labels(VOCAB, 2, CONTEXT)
    logits = logits_of(tokens, weights)
    return {
        "heads": HEADS,
        "tensors": {name: dump(tensor) for name, tensor in weights.items()},
        "tokens": dump(tokens),
        "targets": dump(targets),
        "logits": dump(logits),
        "loss": F.cross_entropy(logits.view(-1, VOCAB), targets.view(-1)).item(),
    }
