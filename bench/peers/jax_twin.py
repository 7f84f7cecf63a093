"""The workloads on JAX, each one jitted step with donated buffers: jax_twin.py WORKLOAD THREADS SECONDS

XLA:CPU has as many threads as the process may use cores when it starts, so that is what limits them
here; a single thread is asked for by a flag as well.
"""

import os

import twin

name, (family, rows, sizes, update), threads, seconds = twin.arguments()
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
if threads == 1:
    os.environ["XLA_FLAGS"] = (os.environ.get("XLA_FLAGS", "") +
                               " --xla_cpu_multi_thread_eigen=false")
os.environ["JAX_PLATFORMS"] = "cpu"

import jax  # noqa: E402: after the number of threads is settled
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402

RNG = np.random.default_rng(1)


def floats(*shape):
    return jnp.asarray(RNG.random(shape, dtype=np.float32))


def integers(classes):
    return jnp.asarray(RNG.integers(0, classes, rows, dtype=np.int32))


def batches(make):
    made = [make() for _ in range(twin.batches_of(family))]
    jax.block_until_ready(made)
    return made


def cross_entropy(logits, labels):
    picked = jnp.take_along_axis(logits, labels[:, None], axis=1)[:, 0]
    return jnp.mean(jax.nn.logsumexp(logits, axis=1) - picked)


def forward(towers, x):
    total = 0
    for layers in towers:
        y = x
        for i, (weight, bias) in enumerate(layers):
            y = y @ weight + bias
            if i + 1 < len(layers):
                y = jax.nn.relu(y)
        total = total + y
    return total


def updated(parameters, gradients, state, t):
    tree = jax.tree_util.tree_map
    if update == "sgd":
        return tree(lambda p, g: p - twin.SGD_RATE * g, parameters, gradients), state
    if update == "momentum":
        state = tree(lambda b, g: twin.MOMENTUM * b + g, state, gradients)
        return tree(lambda p, b: p - twin.SGD_RATE * b, parameters, state), state
    first, second = state
    first = tree(lambda m, g: 0.9 * m + 0.1 * g, first, gradients)
    second = tree(lambda v, g: 0.999 * v + 0.001 * g * g, second, gradients)
    size = twin.ADAMW_RATE / (1 - 0.9**t)
    root = jnp.sqrt(1 - 0.999**t)
    return tree(
        lambda p, m, v: (1 - twin.ADAMW_RATE * twin.ADAMW_DECAY) * p
        - size * m / (jnp.sqrt(v) / root + 1e-8), parameters, first, second), (first, second)


def train():
    data = batches(lambda: (floats(rows, sizes[0]), integers(sizes[-1])))
    growth = twin.MemoryGrowth()
    bound = [a**-0.5 for a in sizes[:-1]]
    parameters = [[((2 * floats(a, b) - 1) * s, (2 * floats(b) - 1) * s)
                   for a, b, s in zip(sizes[:-1], sizes[1:], bound)]
                  for _ in range(twin.towers_of(family))]

    def zeros():
        return jax.tree_util.tree_map(jnp.zeros_like, parameters)

    state = {"sgd": lambda: (), "momentum": zeros, "adamw": lambda: (zeros(), zeros())}[update]()

    def one(parameters, state, t, x, labels):
        loss, gradients = jax.value_and_grad(
            lambda p: cross_entropy(forward(p, x), labels))(parameters)
        parameters, state = updated(parameters, gradients, state, t + 1)
        return parameters, state, t + 1, loss

    one = jax.jit(one, donate_argnums=(0, 1, 2))
    kept = [parameters, state, jnp.float32(0)]

    def step(i):
        *kept[:], loss = one(*kept, *data[i % len(data)])
        loss.block_until_ready()

    count = sum(p.size for p in jax.tree_util.tree_leaves(parameters))
    return growth, 4 * count * twin.state_copies(update), step


def product():
    k, n = sizes
    data = batches(lambda: (floats(rows, k), floats(k, n), floats(rows, n)))
    growth = twin.MemoryGrowth()

    @jax.jit
    def one(a, b, dc):
        c, pull = jax.vjp(jnp.matmul, a, b)
        return c, *pull(dc)

    return growth, 0, lambda i: jax.block_until_ready(one(*data[i % len(data)]))


def loss_of_logits():
    data = batches(lambda: (floats(rows, sizes[0]), integers(sizes[0])))
    growth = twin.MemoryGrowth()
    one = jax.jit(jax.value_and_grad(cross_entropy))
    return growth, 0, lambda i: jax.block_until_ready(one(*data[i % len(data)]))


make = {"mlp": train, "branches": train, "matmul": product, "cross_entropy": loss_of_logits}
twin.answer("jax", jax.__version__, name, threads, seconds, *make[family]())
