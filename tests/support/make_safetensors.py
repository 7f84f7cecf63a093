"""Writes the safetensors files in tests/data with the PyPI package, or checks one that gradmill wrote.

    pip install safetensors numpy
    python make_safetensors.py            # writes tests/data/*.safetensors
    python make_safetensors.py check FILE # FILE holds the same tensors as tests/data/python.safetensors
"""

import pathlib
import sys

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file

DATA = pathlib.Path(__file__).resolve().parent.parent / "data"
METADATA = {"format": "pt"}


def tensors():
    return {
        "fc1.weight": (np.arange(6, dtype=np.float32) * 0.5 - 1).reshape(3, 2),
        "fc1.bias": np.array([1e30, -0.0, 1.5e-45], dtype=np.float32),
        "scale": np.array(0.1, dtype=np.float64),
        "labels": (np.arange(6, dtype=np.int64) * -(2**40)).reshape(2, 1, 3),
        'größe "\\\n': np.array([3.25], dtype=np.float32),
    }


def check(path):
    with safe_open(path, framework="numpy") as file:
        assert file.metadata() == METADATA, file.metadata()
        expected = tensors()
        assert set(file.keys()) == set(expected), file.keys()
        for name, value in expected.items():
            read = file.get_tensor(name)
            assert read.dtype == value.dtype and read.shape == value.shape, name
            assert read.tobytes() == value.tobytes(), name


if __name__ == "__main__":
    if sys.argv[1:2] == ["check"]:
        check(sys.argv[2])
        print("equal")
    else:
        save_file(tensors(), DATA / "python.safetensors", metadata=METADATA)
        save_file({"half": np.zeros(2, dtype=np.float16)}, DATA / "python_f16.safetensors")
