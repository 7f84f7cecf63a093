"""Numbers in and out: inputs drawn, tensors as JSON."""

import math

import numpy
import torch


class Draw:
    """Random inputs. RandomState's stream is frozen, so a seed means the same numbers anywhere.

    All are exact in float32: a float32 test starts from what PyTorch computed in float64 with.
    """

    def __init__(self, seed):
        self.random = numpy.random.RandomState(seed)

    def short(self, *shape):
        """In (-2, 2), a multiple of 1/256, so of few digits; never zero."""
        return torch.tensor(self.random.randint(-128, 128, shape) / 64 + 1 / 256)

    def full(self, *shape):
        """In (-2, 2), with all the digits that float32 has, so that sums have to round."""
        return torch.tensor(self.random.uniform(-2, 2, shape)).float().double()

    def labels(self, classes, *shape):
        return torch.tensor(self.random.randint(0, classes, shape))


def rounded_to_f32(tensor):
    return tensor.float().double()


def dump(tensor):
    return {"shape": list(tensor.shape), "data": flat(tensor)}


def flat(tensor):
    return [number(x) for x in tensor.detach().reshape(-1).tolist()]


def number(x):
    """JSON has no name for these."""
    return x if isinstance(x, int) or math.isfinite(x) else str(x)


def leaf(tensor):
    return tensor.detach().clone().requires_grad_()
