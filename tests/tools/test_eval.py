"""Evaluating saved parameters, ours and others', and what is refused of them."""

import json
import math
import struct
import unittest

from support import (
    CommandTest,
    random_mlp,
    write_data,
    write_raw_safetensors,
    write_safetensors,
)


def reference(tensors, images, labels):
    """Mean cross-entropy and accuracy of an mlp, by the book."""
    loss, right = 0.0, 0
    for image, label in zip(images, labels):
        x = [pixel / 255 * 2 - 1 for pixel in image]
        layers = len(tensors) // 2
        for layer in range(1, layers + 1):
            shape, weight = tensors[f"fc{layer}.weight"]
            bias = tensors[f"fc{layer}.bias"][1]
            width = shape[1]
            x = [
                b + sum(a * w for a, w in zip(x, weight[row * width : (row + 1) * width]))
                for row, b in enumerate(bias)
            ]
            if layer < layers:
                x = [max(v, 0.0) for v in x]
        peak = max(x)
        loss += peak + math.log(sum(math.exp(v - peak) for v in x)) - x[label]
        right += x.index(peak) == label
    return loss / len(labels), right / len(labels)


class Eval(CommandTest):
    def setUp(self):
        super().setUp()
        self.data_folder = self.path("data")
        self.images, self.labels = write_data(self.data_folder, train=10)
        self.model = self.path("model.safetensors")

    def refused(self, *words):
        self.assert_refused(
            ["eval", "--load", self.model, "--data", self.data_folder], self.model, *words
        )

    def test_file_from_elsewhere(self):
        for sizes in ([64, 10], [64, 16, 10], [64, 9, 7, 5, 10]):
            with self.subTest(sizes=sizes):
                tensors = random_mlp(sizes)
                write_safetensors(self.model, tensors, {"format": "pt"})
                loss, accuracy = reference(tensors, self.images, self.labels)
                out = self.assert_runs("eval", "--load", self.model, "--data", self.data_folder).stdout
                self.assertEqual(
                    out.split("\n"),
                    [
                        f"model          {'-'.join(map(str, sizes))}",
                        "images         53",
                        f"test accuracy  {accuracy:.4f}",
                        f"test loss      {loss:.4f}",
                        "",
                    ],
                )

    def test_missing(self):
        self.refused()

    def test_folder(self):
        self.model = self.folder
        self.refused()

    def test_truncated(self):
        write_safetensors(self.model, random_mlp([64, 10]))
        with open(self.model, "rb") as file:
            whole = file.read()
        for length in (0, 7, 8, 100, len(whole) - 1):
            with self.subTest(length=length):
                with open(self.model, "wb") as file:
                    file.write(whole[:length])
                self.refused()

    def test_oversized(self):
        write_safetensors(self.model, random_mlp([64, 10]))
        with open(self.model, "ab") as file:
            file.write(b"\0")
        self.refused()

    def test_header_too_long(self):
        with open(self.model, "wb") as file:
            file.write(struct.pack("<Q", 1 << 60) + b"{}")
        self.refused()

    def test_header_is_not_json(self):
        write_raw_safetensors(self.model, b"{nonsense", b"")
        self.refused()

    def test_overlapping(self):
        entry = {"dtype": "F32", "shape": [10], "data_offsets": [0, 40]}
        header = {"fc1.weight": entry, "fc1.bias": entry}
        write_raw_safetensors(self.model, json.dumps(header).encode(), bytes(40))
        self.refused()

    def test_shape_and_offsets_disagree(self):
        header = {"fc1.weight": {"dtype": "F32", "shape": [10, 65], "data_offsets": [0, 2560]}}
        write_raw_safetensors(self.model, json.dumps(header).encode(), bytes(2560))
        self.refused("fc1.weight")

    def test_not_an_mlp(self):
        write_safetensors(self.model, {"conv1.weight": ([2], [1, 2])})
        self.refused("fc1.weight")

    def test_bias_missing(self):
        tensors = random_mlp([64, 16, 10])
        del tensors["fc2.bias"]
        write_safetensors(self.model, tensors)
        self.refused("fc2.bias")

    def test_name_too_many(self):
        write_safetensors(self.model, {**random_mlp([64, 10]), "extra": ([1], [0])})
        self.refused("extra")

    def test_bias_of_another_size(self):
        tensors = random_mlp([64, 10])
        tensors["fc1.bias"] = ([9], [0] * 9)
        write_safetensors(self.model, tensors)
        self.refused("fc1.bias", "[9]", "[10]")

    def test_weight_is_not_a_matrix(self):
        write_safetensors(self.model, {"fc1.weight": ([640], [0] * 640), "fc1.bias": ([10], [0] * 10)})
        self.refused("fc1.weight", "[640]")

    def test_weight_of_another_dtype(self):
        header = {
            "fc1.weight": {"dtype": "F64", "shape": [10, 64], "data_offsets": [0, 5120]},
            "fc1.bias": {"dtype": "F64", "shape": [10], "data_offsets": [5120, 5200]},
        }
        write_raw_safetensors(self.model, json.dumps(header).encode(), bytes(5200))
        self.refused("fc1.weight", "f64")

    def test_layers_do_not_fit(self):
        tensors = random_mlp([64, 16, 10])
        tensors["fc2.weight"] = ([10, 15], [0] * 150)
        write_safetensors(self.model, tensors)
        self.refused("fc2.weight", "15", "16")

    def test_images_do_not_fit(self):
        write_safetensors(self.model, random_mlp([49, 10]))
        self.refused("49", "8x8", "64")

    def test_classes_do_not_fit(self):
        write_safetensors(self.model, random_mlp([64, 7]))
        self.refused("7", "10")


if __name__ == "__main__":
    unittest.main()
