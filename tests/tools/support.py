"""What the tests of the command share: running it, and making data and model files for it."""

import gzip
import json
import os
import random
import shutil
import struct
import subprocess
import tempfile
import unittest

COMMAND = os.environ["GRADMILL_COMMAND"]
REAL_DATA = "/usr/share/datasets/fashion-mnist"
TIMEOUT = 120

FILES = {
    "train_images": "train-images-idx3-ubyte",
    "train_labels": "train-labels-idx1-ubyte",
    "test_images": "t10k-images-idx3-ubyte",
    "test_labels": "t10k-labels-idx1-ubyte",
}


def idx(sizes, data, magic=None):
    """The bytes of an IDX file of unsigned bytes."""
    magic = 0x0800 + len(sizes) if magic is None else magic
    return struct.pack(f">I{len(sizes)}I", magic, *sizes) + bytes(data)


def make_images(count, side, seed):
    """Images of one bright band a class, in noise, and their labels."""
    rng = random.Random(seed)
    images, labels = [], []
    for _ in range(count):
        label = rng.randrange(10)
        pixels = bytearray(rng.randrange(100) for _ in range(side * side))
        first = label * len(pixels) // 10
        for k in range(first, first + len(pixels) // 10):
            pixels[k] = min(255, pixels[k] + 120)
        images.append(bytes(pixels))
        labels.append(label)
    return images, labels


def write_data(folder, train=205, test=53, side=8, seed=1, compress=False):
    """Four IDX files; returns images and labels of the test set."""
    os.makedirs(folder, exist_ok=True)
    for part, count, salt in (("train", train, 0), ("test", test, 1)):
        images, labels = make_images(count, side, seed * 2 + salt)
        for kind, content in (
            ("images", idx([count, side, side], b"".join(images))),
            ("labels", idx([count], labels)),
        ):
            name = FILES[f"{part}_{kind}"] + (".gz" if compress else "")
            with open(os.path.join(folder, name), "wb") as file:
                file.write(gzip.compress(content) if compress else content)
    return images, labels


def write_safetensors(path, tensors, metadata=None):
    """`tensors`: name -> (shape, floats), written as F32 in the order given."""
    header, data = {}, b""
    if metadata:
        header["__metadata__"] = metadata
    for name, (shape, values) in tensors.items():
        raw = struct.pack(f"<{len(values)}f", *values)
        header[name] = {
            "dtype": "F32",
            "shape": shape,
            "data_offsets": [len(data), len(data) + len(raw)],
        }
        data += raw
    write_raw_safetensors(path, json.dumps(header).encode(), data)


def write_raw_safetensors(path, header, data):
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(header)) + header + data)


def read_safetensors(path):
    """name -> (shape, floats), and the metadata."""
    with open(path, "rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(size))
        data = file.read()
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        tensors[name] = (entry["shape"], struct.unpack(f"<{(end - begin) // 4}f", data[begin:end]))
    return tensors, metadata


def random_mlp(sizes, seed=1):
    rng = random.Random(seed)
    tensors = {}
    for layer, (fan_in, fan_out) in enumerate(zip(sizes, sizes[1:]), 1):
        bound = fan_in**-0.5
        tensors[f"fc{layer}.weight"] = (
            [fan_out, fan_in],
            [rng.uniform(-bound, bound) for _ in range(fan_in * fan_out)],
        )
        tensors[f"fc{layer}.bias"] = (
            [fan_out],
            [rng.uniform(-bound, bound) for _ in range(fan_out)],
        )
    return tensors


class CommandTest(unittest.TestCase):
    """A folder of its own for each test, and ways to run the command in it."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="gradmill-test-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.folder, name)

    def data(self, **options):
        folder = self.path("data")
        write_data(folder, **options)
        return folder

    def run_command(self, *args, **options):
        return subprocess.run(
            [COMMAND, *map(str, args)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            timeout=TIMEOUT,
            **options,
        )

    def assert_runs(self, *args, **options):
        result = self.run_command(*args, **options)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result

    def assert_refused(self, args, *words, status=2, **options):
        """One line on stderr that has all of `words`, nothing on stdout, and that exit status."""
        result = self.run_command(*args, **options)
        self.assertEqual(result.returncode, status, result.stderr)
        lines = result.stderr.splitlines()
        self.assertEqual(len(lines), 1, result.stderr)
        self.assertTrue(lines[0].startswith("gradmill: "), lines[0])
        for word in words:
            self.assertIn(word, lines[0])
        self.assertEqual(result.stdout, "")
        return lines[0]


def small_train(data, *more):
    """A training that takes well under a second."""
    return ["train", "--data", data, "--hidden", "16", "--epochs", "2", "--batch", "32", *more]
