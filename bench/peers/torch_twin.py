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


def make_optimizer(parameters, update):
    if update == "adamw":
        return torch.optim.AdamW(parameters, lr=twin.ADAMW_RATE, weight_decay=twin.ADAMW_DECAY,
                                 fused=True)
    momentum = twin.MOMENTUM if update == "momentum" else 0.0
    return torch.optim.SGD(parameters, lr=twin.SGD_RATE, momentum=momentum, fused=True)


def train(family, rows, sizes, update, wrap):
    x, labels = batches(family, lambda: (torch.rand(rows, sizes[0]),
                                         torch.randint(sizes[-1], (rows,))))
    growth = twin.MemoryGrowth()
    model = Towers(twin.towers_of(family), sizes)
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


def batches(family, make):
    torch.manual_seed(1)
    return tuple(zip(*(make() for _ in range(twin.batches_of(family)))))


def main():
    mode = sys.argv[1]
    name, (family, rows, sizes, update), threads, seconds = twin.arguments()
    torch.set_num_threads(threads)
    wrap = torch.compile if mode == "compile" else lambda f: f
    make = {"mlp": train, "branches": train, "matmul": product, "cross_entropy": loss_of_logits}
    growth, state_bytes, step = make[family](family, rows, sizes, update, wrap)
    twin.answer(f"torch_{mode}", torch.__version__, name, threads, seconds, growth, state_bytes,
                step)


if __name__ == "__main__":
    main()
