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

import jax  # noqa: E402: after the number of threads is set
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402

RNG = np.random.default_rng(1)


def floats(*shape):
    return jnp.asarray(RNG.random(shape, dtype=np.float32))


def integers(classes, *shape):
    return jnp.asarray(RNG.integers(0, classes, shape or rows, dtype=np.int32))


def normal(*shape):
    return jnp.asarray(0.02 * RNG.standard_normal(shape, dtype=np.float32))


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


def layer_norm(x, norm):
    scale, shift = norm
    centered = x - jnp.mean(x, axis=-1, keepdims=True)
    variance = jnp.mean(centered * centered, axis=-1, keepdims=True)
    return centered * jax.lax.rsqrt(variance + 1e-5) * scale + shift


def linear(x, layer):
    weight, bias = layer
    return x @ weight + bias


def gpt_layer(x, layer):
    q, k, v = (part.reshape(*x.shape[:2], sizes.heads, -1) for part in jnp.split(
        linear(layer_norm(x, layer["ln_1"]), layer["c_attn"]), 3, axis=-1))
    mixed = jax.nn.dot_product_attention(q, k, v, is_causal=True)
    x = x + linear(mixed.reshape(x.shape), layer["attn_proj"])
    hidden = jax.nn.gelu(linear(layer_norm(x, layer["ln_2"]), layer["c_fc"]), approximate=True)
    return x + linear(hidden, layer["mlp_proj"])


def gpt_loss(p, tokens, targets):
    """GPT-2 without dropout."""
    x = p["wte"][tokens] + p["wpe"][:sizes.length]
    for layer in p["layers"]:
        x = gpt_layer(x, layer)
    logits = layer_norm(x, p["ln_f"]) @ p["wte" if sizes.tied else "head"].T
    return cross_entropy(logits.reshape(-1, sizes.vocab), targets.reshape(-1))


def gpt_parameters():
    width = sizes.width

    def norm():
        return jnp.ones(width), jnp.zeros(width)

    def layer():
        return {name: (normal(a, b), jnp.zeros(b)) for name, a, b in (
            ("c_attn", width, 3 * width), ("attn_proj", width, width),
            ("c_fc", width, 4 * width), ("mlp_proj", 4 * width, width))} | {
                "ln_1": norm(), "ln_2": norm()}

    p = {"wte": normal(sizes.vocab, width), "wpe": normal(sizes.context, width),
         "layers": [layer() for _ in range(sizes.layers)], "ln_f": norm()}
    return p if sizes.tied else p | {"head": normal(sizes.vocab, width)}


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


def train_layers():
    data = batches(lambda: (floats(rows, sizes[0]), integers(sizes[-1])))
    bound = [a**-0.5 for a in sizes[:-1]]
    return train(data, lambda: [[((2 * floats(a, b) - 1) * s, (2 * floats(b) - 1) * s)
                                 for a, b, s in zip(sizes[:-1], sizes[1:], bound)]
                                for _ in range(twin.towers_of(family))],
                 lambda p, x, labels: cross_entropy(forward(p, x), labels))


def train_gpt():
    shape = rows, sizes.length
    data = batches(lambda: (integers(sizes.vocab, *shape), integers(sizes.vocab, *shape)))
    return train(data, gpt_parameters, gpt_loss)


def train(data, make_parameters, loss_of):
    growth = twin.MemoryGrowth()
    parameters = make_parameters()

    def zeros():
        return jax.tree_util.tree_map(jnp.zeros_like, parameters)

    state = {"sgd": lambda: (), "momentum": zeros, "adamw": lambda: (zeros(), zeros())}[update]()

    def one(parameters, state, t, x, labels):
        loss, gradients = jax.value_and_grad(loss_of)(parameters, x, labels)
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


def attention():
    heads, size = sizes
    data = batches(lambda: [floats(1, rows, heads, size) for _ in range(4)])
    growth = twin.MemoryGrowth()

    @jax.jit
    def one(q, k, v, upstream):
        o, pull = jax.vjp(lambda *qkv: jax.nn.dot_product_attention(*qkv, is_causal=True), q, k, v)
        return o, *pull(upstream)

    return growth, 0, lambda i: jax.block_until_ready(one(*data[i % len(data)]))


def loss_of_rows():
    size, classes = sizes
    data = batches(lambda: (floats(rows, size), floats(classes, size), integers(classes)))
    growth = twin.MemoryGrowth()
    one = jax.jit(jax.value_and_grad(lambda x, w, labels: cross_entropy(x @ w.T, labels), (0, 1)))
    return growth, 0, lambda i: jax.block_until_ready(one(*data[i % len(data)]))


make = {"mlp": train_layers, "branches": train_layers, "matmul": product,
        "cross_entropy": loss_of_logits, "gpt": train_gpt, "attention": attention,
        "linear_cross_entropy": loss_of_rows}
twin.answer("jax", jax.__version__, name, threads, seconds, *make[family]())
