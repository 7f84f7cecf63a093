"""Continuing texts: what is said, and what is refused."""

import math
import os
import random
import subprocess
import unittest

from support import COMMAND, TIMEOUT, CommandTest, write_safetensors

BPE = os.path.join(os.path.dirname(__file__), "..", "data", "bpe")
WIDTH, HEADS, CONTEXT = 6, 2, 10


def tiny_gpt(vocab=256, width=WIDTH, seed=1):
    """A GPT-2 of one layer as others publish it: linear weights are [in, out]."""
    rng = random.Random(seed)

    def drawn(*shape):
        return list(shape), [rng.gauss(0, 1) for _ in range(math.prod(shape))]

    tensors = {"wte.weight": drawn(vocab, width), "wpe.weight": drawn(CONTEXT, width)}
    for name in ("h.0.ln_1", "h.0.ln_2", "ln_f"):
        tensors[name + ".weight"] = ([width], [1.0] * width)
        tensors[name + ".bias"] = drawn(width)
    for name, inputs, outputs in (
        ("h.0.attn.c_attn", width, 3 * width),
        ("h.0.attn.c_proj", width, width),
        ("h.0.mlp.c_fc", width, 4 * width),
        ("h.0.mlp.c_proj", 4 * width, width),
    ):
        tensors[name + ".weight"] = drawn(inputs, outputs)
        tensors[name + ".bias"] = drawn(outputs)
    return tensors


class Reference:
    """The same by the book, one number after the other."""

    def __init__(self, tensors):
        self.tensors = tensors

    def row(self, name, index):
        width = self.tensors[name][0][1]
        return self.tensors[name][1][index * width:(index + 1) * width]

    def norm(self, x, name):
        mean = sum(x) / len(x)
        scale = 1 / math.sqrt(sum((v - mean) ** 2 for v in x) / len(x) + 1e-5)
        weight, bias = self.tensors[name + ".weight"][1], self.tensors[name + ".bias"][1]
        return [(v - mean) * scale * w + b for v, w, b in zip(x, weight, bias)]

    def project(self, x, name):
        out = list(self.tensors[name + ".bias"][1])
        for i, v in enumerate(x):
            out = [o + v * w for o, w in zip(out, self.row(name + ".weight", i))]
        return out

    def attend(self, rows):
        size = WIDTH // HEADS
        out = []
        for t, row in enumerate(rows):
            mixed = []
            for head in range(HEADS):
                q, k, v = (slice(part * WIDTH + head * size, part * WIDTH + (head + 1) * size)
                           for part in range(3))
                shares = [math.exp(sum(a * b for a, b in zip(row[q], other[k])) / math.sqrt(size))
                          for other in rows[:t + 1]]
                mixed += [sum(share * other[v][i] for share, other in zip(shares, rows)) / sum(shares)
                          for i in range(size)]
            out.append(mixed)
        return out

    def next(self, tokens):
        """The likeliest token, and by how much."""
        rows = [[a + b for a, b in zip(self.row("wte.weight", token), self.row("wpe.weight", t))]
                for t, token in enumerate(tokens)]
        mixed = self.attend([self.project(self.norm(x, "h.0.ln_1"), "h.0.attn.c_attn") for x in rows])
        x = [a + b for a, b in zip(rows[-1], self.project(mixed[-1], "h.0.attn.c_proj"))]
        wide = self.project(self.norm(x, "h.0.ln_2"), "h.0.mlp.c_fc")
        active = [0.5 * v * (1 + math.tanh(math.sqrt(2 / math.pi) * (v + 0.044715 * v**3)))
                  for v in wide]
        x = [a + b for a, b in zip(x, self.project(active, "h.0.mlp.c_proj"))]
        x = self.norm(x, "ln_f")
        logits = [sum(a * b for a, b in zip(x, self.row("wte.weight", token)))
                  for token in range(self.tensors["wte.weight"][0][0])]
        first, second = sorted(logits)[-1:-3:-1]
        return logits.index(first), first - second


class Generate(CommandTest):
    def setUp(self):
        super().setUp()
        self.model = self.path("gpt.safetensors")
        write_safetensors(self.model, tiny_gpt())

    def command(self, *more, prompt="Hi"):
        return ["generate", "--load", self.model, "--heads", HEADS, "--prompt", prompt, *more]

    def said(self, *more, prompt="Hi"):
        result = self.run_command(*self.command(*more, prompt=prompt), errors="surrogateescape")
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def refused(self, *words, args=(), prompt="Hi"):
        self.assert_refused(self.command(*args, prompt=prompt), *words)

    def test_greedy_is_the_likeliest_also_beyond_the_context(self):
        # A table as PyTorch would have it, so that bytes in the answer are text.
        tensors = tiny_gpt(seed=2)
        tensors["h.0.ln_1.bias"] = ([WIDTH], [0.0] * WIDTH)
        write_safetensors(self.model, tensors)
        tokens = list(b"Hello")
        reference = Reference(tensors)
        for _ in range(12):
            token, margin = reference.next(tokens[-CONTEXT:])
            self.assertGreater(margin, 1e-3, "another seed would tell tokens better apart")
            tokens.append(token)
        out = self.said("--tokens", 12, "--temperature", 0, prompt="Hello")
        # Universal newlines would change what a model says.
        self.assertEqual(out.encode(errors="surrogateescape").replace(b"\n", b"\r").rstrip(b"\r"),
                         bytes(tokens).replace(b"\r\n", b"\r").replace(b"\n", b"\r").rstrip(b"\r"))

    def test_seed_and_threads(self):
        one = self.said("--seed", 1)
        self.assertEqual(one, self.said("--seed", 1, "--threads", 1))
        self.assertNotEqual(one, self.said("--seed", 2))

    def test_top_1_is_greedy(self):
        self.assertEqual(self.said("--top-k", 1, "--tokens", 5),
                         self.said("--temperature", 0, "--tokens", 5))

    def test_byte_pairs(self):
        vocab, merges = os.path.join(BPE, "vocab.json"), os.path.join(BPE, "merges.txt")
        write_safetensors(self.model, tiny_gpt(vocab=600))
        files = ["--vocab", vocab, "--merges", merges]
        self.assertTrue(self.said(*files, "--tokens", 20, prompt="The miller").startswith("The miller"))
        self.refused("600", "--vocab", "--merges")
        write_safetensors(self.model, tiny_gpt(vocab=300))
        self.refused(vocab, "300", args=files)

    def test_prompt(self):
        self.refused("--prompt", "empty", prompt="")
        self.refused("--prompt", "11 tokens", "context of 10", prompt="12345678901")
        self.said(prompt="1234567890")

    def test_not_utf8(self):
        write_safetensors(self.model, tiny_gpt(vocab=600))
        files = ["--vocab", os.path.join(BPE, "vocab.json"), "--merges", os.path.join(BPE, "merges.txt")]
        args = [os.fsencode(str(arg)) for arg in self.command(*files)]
        args[args.index(b"Hi")] = b"H\xff"
        result = self.run_bytes(args)
        self.assertEqual(result.returncode, 2)
        self.assertIn(b"not UTF-8: byte 0xff at offset 1", result.stderr)

    def run_bytes(self, args):
        return subprocess.run([os.fsencode(COMMAND), *args], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=TIMEOUT)

    def test_options(self):
        for option, value in (("--tokens", "0"), ("--temperature", "-1"), ("--temperature", "nan"),
                              ("--temperature", "hot"), ("--top-k", "0"), ("--seed", "-1"),
                              ("--heads", "0"), ("--vocab", ""), ("--threads", "0")):
            with self.subTest(option=option, value=value):
                self.refused(option, args=[option, value])
        self.refused("--vocab", "--merges", args=["--vocab", "x"])
        self.refused("none.json", args=["--vocab", self.path("none.json"), "--merges", "x"])
        self.refused("heads", "4", args=["--heads", "4"])

    def test_help_says_what_long_texts_do(self):
        text = " ".join(self.assert_runs("generate", "--help").stdout.split())
        self.assertIn("no longer than the model's context", text)

    def test_files(self):
        self.model = self.path("none")
        self.refused("none")
        self.model = self.path("wrong.safetensors")
        tensors = tiny_gpt()
        del tensors["h.0.mlp.c_fc.bias"]
        tensors["ln_f.bias"] = ([5], [0.0] * 5)
        write_safetensors(self.model, tensors)
        self.refused("h.0.mlp.c_fc.bias", "ln_f.bias", "[5]")

    def test_heads_by_width(self):
        write_safetensors(self.model, tiny_gpt(width=64))
        self.assert_runs("generate", "--load", self.model, "--prompt", "a", "--tokens", 1,
                         errors="surrogateescape")
        write_safetensors(self.model, tiny_gpt())
        self.assert_refused(["generate", "--load", self.model, "--prompt", "a"], "how many heads")


if __name__ == "__main__":
    unittest.main()
