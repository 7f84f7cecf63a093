"""A GPT of two layers trained for ten steps, as tests/tools/gpt_training_test.cpp trains it."""

import math

import torch
import torch.nn.functional as F

from arrays import leaf
from gpt import logits_of

VOCAB, WIDTH, HEADS, CONTEXT, LAYERS, BATCH = 61, 24, 3, 16, 2, 4
STEPS, WARMUP, PEAK, MINIMUM = 10, 3, 1e-2, 1e-3
MAX_NORM, DECAY, BETAS = 1.0, 0.1, (0.9, 0.95)


def shapes(tied):
    """In the order in which the model has them; linear weights are [out, in]."""
    made = {"wte.weight": (VOCAB, WIDTH), "wpe.weight": (CONTEXT, WIDTH)}

    def pair(name, *shape):
        made[name + ".weight"] = shape
        made[name + ".bias"] = shape[:1]

    for layer in range(LAYERS):
        pair(f"h.{layer}.ln_1", WIDTH)
        pair(f"h.{layer}.attn.c_attn", 3 * WIDTH, WIDTH)
        pair(f"h.{layer}.attn.c_proj", WIDTH, WIDTH)
        pair(f"h.{layer}.ln_2", WIDTH)
        pair(f"h.{layer}.mlp.c_fc", 4 * WIDTH, WIDTH)
        pair(f"h.{layer}.mlp.c_proj", WIDTH, 4 * WIDTH)
    pair("ln_f", WIDTH)
    if not tied:
        made["lm_head.weight"] = (VOCAB, WIDTH)
    return made


def start(number, name, shape):
    """Multiples of 1/1024 below 1/8, which f32 holds; around 1 for the weights of norms."""
    i = torch.arange(math.prod(shape))
    values = ((31 * i * i + 7919 * i + 104729 * number) % 257 - 128) / 1024
    if len(shape) == 1 and name.endswith(".weight"):
        values += 1
    return values.reshape(shape)


def batch(step):
    """Tokens and targets: the next token follows from the last, but for a few."""
    i = torch.arange(BATCH * CONTEXT)
    tokens = (5 * i * i + 11 * i + 17 * step) % VOCAB
    targets = torch.where(i % 7 == 0, (29 * step + i) % VOCAB, (3 * tokens + 1) % VOCAB)
    return tokens.view(BATCH, CONTEXT), targets.view(BATCH, CONTEXT)


def rate(step):
    if step < WARMUP:
        return PEAK * (step + 1) / WARMUP
    part = (step - WARMUP) / (STEPS - WARMUP)
    return MINIMUM + (PEAK - MINIMUM) * (1 + math.cos(math.pi * part)) / 2


def row(tied):
    parameters = {name: leaf(start(number, name, shape))
                  for number, (name, shape) in enumerate(shapes(tied).items())}
    matrices = [p for p in parameters.values() if p.dim() == 2]
    others = [p for p in parameters.values() if p.dim() == 1]
    optimizer = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": DECAY}, {"params": others, "weight_decay": 0.0}],
        betas=BETAS)
    losses, norms = [], []
    for step in range(STEPS):
        tokens, targets = batch(step)
        published = {name: p.T if p.dim() == 2 and name.startswith("h.") else p
                     for name, p in parameters.items()}
        optimizer.zero_grad()
        loss = F.cross_entropy(logits_of(tokens, published, HEADS).view(-1, VOCAB),
                               targets.view(-1))
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(list(parameters.values()), MAX_NORM)
        for group in optimizer.param_groups:
            group["lr"] = rate(step)
        optimizer.step()
        losses.append(loss.item())
        norms.append(norm.item())
    # Everything is in these; a bias of the keys has no gradient but rounding's.
    sums = {name: p.square().sum().item() for name, p in parameters.items()}
    return {"tied": tied, "losses": losses, "norms": norms, "squares": sums}


def document():
    return {"rows": [row(tied) for tied in (False, True)]}
