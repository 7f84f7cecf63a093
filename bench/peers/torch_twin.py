"""The workloads on PyTorch: torch_twin.py eager|compile WORKLOAD THREADS SECONDS"""

import sys

import twin

import torch
from torch import nn
from torch.nn import functional


class Towers(nn.Module):
    """Linear layers with relu between them, once or side by side; their sum."""

    def __init__(self, towers, sizes):
        super().__init__()
        self.towers = nn.ModuleList(
            nn.Sequential(*(module for a, b in zip(sizes[:-2], sizes[1:-1])
                            for module in (nn.Linear(a, b), nn.ReLU(inplace=True))),
                          nn.Linear(*sizes[-2:]))
            for _ in range(towers))

    def forward(self, x, labels):
        logits = self.towers[0](x)
        for tower in self.towers[1:]:
            logits = logits + tower(x)
        return functional.cross_entropy(logits, labels)


class Layer(nn.Module):
    """One layer of a GPT-2."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.c_attn, self.attn_proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.c_fc, self.mlp_proj = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        q, k, v = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2)
                   for part in self.c_attn(self.ln_1(x)).chunk(3, dim=-1))
        mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.attn_proj(mixed.transpose(1, 2).flatten(2))
        hidden = functional.gelu(self.c_fc(self.ln_2(x)), approximate="tanh")
        return x + self.mlp_proj(hidden)


class Gpt(nn.Module):
    """GPT-2 without dropout, and its loss."""

    def __init__(self, sizes):
        super().__init__()
        self.wte = nn.Embedding(sizes.vocab, sizes.width)
        self.wpe = nn.Embedding(sizes.context, sizes.width)
        self.layers = nn.ModuleList(Layer(sizes.width, sizes.heads) for _ in range(sizes.layers))
        self.ln_f = nn.LayerNorm(sizes.width)
        self.register_buffer("positions", torch.arange(sizes.length))
        for module in self.modules():
            if isinstance(module, (nn.Linear, nn.Embedding)):
                nn.init.normal_(module.weight, std=0.02)
            if isinstance(module, nn.Linear):
                nn.init.zeros_(module.bias)
        self.head = self.wte.weight if sizes.tied else nn.Parameter(
            0.02 * torch.randn(sizes.vocab, sizes.width))

    def forward(self, tokens, targets):
        x = self.wte(tokens) + self.wpe(self.positions)
        for layer in self.layers:
            x = layer(x)
        logits = functional.linear(self.ln_f(x), self.head)
        return functional.cross_entropy(logits.flatten(0, 1), targets.flatten())


def make_optimizer(parameters, update):
    if update == "adamw":
        return torch.optim.AdamW(parameters, lr=twin.ADAMW_RATE, weight_decay=twin.ADAMW_DECAY,
                                 fused=True)
    momentum = twin.MOMENTUM if update == "momentum" else 0.0
    return torch.optim.SGD(parameters, lr=twin.SGD_RATE, momentum=momentum, fused=True)


def train_layers(family, rows, sizes, update, wrap):
    data = batches(family, lambda: (torch.rand(rows, sizes[0]),
                                    torch.randint(sizes[-1], (rows,))))
    return train(data, lambda: Towers(twin.towers_of(family), sizes), update, wrap)


def train_gpt(family, rows, sizes, update, wrap):
    shape = (rows, sizes.length)
    data = batches(family, lambda: (torch.randint(sizes.vocab, shape),
                                    torch.randint(sizes.vocab, shape)))
    return train(data, lambda: Gpt(sizes), update, wrap)


def train(data, make_model, update, wrap):
    x, labels = data
    growth = twin.MemoryGrowth()
    model = make_model()
    optimizer = make_optimizer(model.parameters(), update)
    loss_of = wrap(model)

    def step(i):
        i %= len(x)
        optimizer.zero_grad(set_to_none=True)
        loss_of(x[i], labels[i]).backward()
        optimizer.step()

    count = sum(parameter.numel() for parameter in model.parameters())
    return growth, 4 * count * twin.state_copies(update), step


def product(family, rows, sizes, update, wrap):
    k, n = sizes
    a, b, dc = batches(family, lambda: (torch.rand(rows, k, requires_grad=True),
                                        torch.rand(k, n, requires_grad=True), torch.rand(rows, n)))
    growth = twin.MemoryGrowth()
    multiply = wrap(torch.matmul)

    def step(i):
        i %= len(a)
        torch.autograd.grad(multiply(a[i], b[i]), (a[i], b[i]), dc[i])

    return growth, 0, step


def loss_of_logits(family, rows, sizes, update, wrap):
    logits, labels = batches(family, lambda: (torch.rand(rows, sizes[0], requires_grad=True),
                                              torch.randint(sizes[0], (rows,))))
    growth = twin.MemoryGrowth()
    loss_of = wrap(lambda x, y: functional.cross_entropy(x, y))

    def step(i):
        i %= len(logits)
        torch.autograd.grad(loss_of(logits[i], labels[i]), logits[i])

    return growth, 0, step


def attention(family, rows, sizes, update, wrap):
    heads, size = sizes

    def made():
        return torch.rand(1, heads, rows, size)

    q, k, v, upstream = batches(family, lambda: (*(made().requires_grad_() for _ in "qkv"), made()))
    growth = twin.MemoryGrowth()
    attend = wrap(lambda q, k, v: functional.scaled_dot_product_attention(q, k, v, is_causal=True))

    def step(i):
        i %= len(q)
        torch.autograd.grad(attend(q[i], k[i], v[i]), (q[i], k[i], v[i]), upstream[i])

    return growth, 0, step


def loss_of_rows(family, rows, sizes, update, wrap):
    size, classes = sizes
    x, weight, labels = batches(family, lambda: (torch.rand(rows, size, requires_grad=True),
                                                 torch.rand(classes, size, requires_grad=True),
                                                 torch.randint(classes, (rows,))))
    growth = twin.MemoryGrowth()
    loss_of = wrap(lambda x, w, y: functional.cross_entropy(functional.linear(x, w), y))

    def step(i):
        i %= len(x)
        torch.autograd.grad(loss_of(x[i], weight[i], labels[i]), (x[i], weight[i]))

    return growth, 0, step


def batches(family, make):
    torch.manual_seed(1)
    return tuple(zip(*(make() for _ in range(twin.batches_of(family)))))


def main():
    mode = sys.argv[1]
    name, (family, rows, sizes, update), threads, seconds = twin.arguments()
    torch.set_num_threads(threads)
    wrap = torch.compile if mode == "compile" else lambda f: f
    make = {"mlp": train_layers, "branches": train_layers, "matmul": product,
            "cross_entropy": loss_of_logits, "gpt": train_gpt, "attention": attention,
            "linear_cross_entropy": loss_of_rows}
    growth, state_bytes, step = make[family](family, rows, sizes, update, wrap)
    twin.answer(f"torch_{mode}", torch.__version__, name, threads, seconds, growth, state_bytes,
                step)


if __name__ == "__main__":
    main()
