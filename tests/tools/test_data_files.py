"""What happens with data files that are missing or wrong."""

import gzip
import os
import struct
import unittest

from support import FILES, CommandTest, idx, small_train, write_data


class DataFiles(CommandTest):
    def setUp(self):
        super().setUp()
        self.folder_of_data = self.data(train=40, test=20)

    def replace(self, which, content, suffix=""):
        path = os.path.join(self.folder_of_data, FILES[which])
        os.remove(path)
        if content is not None:
            with open(path + suffix, "wb") as file:
                file.write(content)
        return path + suffix

    def content(self, which):
        with open(os.path.join(self.folder_of_data, FILES[which]), "rb") as file:
            return file.read()

    def refused(self, *words):
        self.assert_refused(small_train(self.folder_of_data), *words)
        write_data(self.folder_of_data, train=40, test=20)
        self.assert_runs(*small_train(self.folder_of_data))

    def test_folder_missing(self):
        self.assert_refused(small_train(self.path("nowhere")), "nowhere", "no such folder")

    def test_file_missing(self):
        for which, name in FILES.items():
            with self.subTest(which):
                self.replace(which, None)
                self.refused(name, "missing")

    def test_file_is_a_folder(self):
        path = self.replace("train_images", None)
        os.mkdir(path)
        self.assert_refused(small_train(self.folder_of_data), path, "folder")

    def test_file_is_a_pipe(self):
        path = self.replace("train_labels", None)
        os.mkfifo(path)
        self.assert_refused(small_train(self.folder_of_data), path, "regular file")

    def test_wrong_magic(self):
        path = self.replace("train_images", idx([40, 8, 8], bytes(40 * 64), magic=0x0D03))
        self.refused(path, "magic", "0x00000d03", "0x00000803")

    def test_labels_where_images_belong(self):
        path = self.replace("test_images", self.content("test_labels"))
        self.refused(path, "magic", "0x00000801", "0x00000803")

    def test_truncated(self):
        path = self.replace("train_images", self.content("train_images")[:-1])
        self.refused(path, "truncated", "2560", "2559")

    def test_truncated_in_the_header(self):
        for length in (0, 3, 4, 15):
            with self.subTest(length):
                path = self.replace("train_images", self.content("train_images")[:length])
                self.refused(path, "truncated")

    def test_oversized(self):
        path = self.replace("test_labels", self.content("test_labels") + b"\0")
        self.refused(path, "oversized")

    def test_gzip_truncated(self):
        whole = gzip.compress(self.content("train_images"))
        for length in (1, 5, 30, len(whole) // 2, len(whole) - 9, len(whole) - 1):
            with self.subTest(length):
                path = self.replace("train_images", whole[:length], ".gz")
                self.assert_refused(small_train(self.folder_of_data), path)
                os.rename(path, path[:-3])

    def test_gzip_damaged(self):
        whole = bytearray(gzip.compress(self.content("train_images")))
        whole[-6] ^= 1  # in the checksum
        path = self.replace("train_images", bytes(whole), ".gz")
        self.assert_refused(small_train(self.folder_of_data), path, "damaged")

    def test_gzip_oversized(self):
        path = self.replace("test_labels", gzip.compress(self.content("test_labels") + b"\0"), ".gz")
        self.assert_refused(small_train(self.folder_of_data), path, "oversized")

    def test_counts_disagree(self):
        path = self.replace("train_labels", idx([39], bytes(39)))
        self.refused(path, "39 labels", "40 images", FILES["train_images"])

    def test_label_out_of_range(self):
        path = self.replace("train_labels", idx([40], bytes(25) + b"\x0a" + bytes(14)))
        self.refused(path, "label 10 at 25", "0 to 9")

    def test_no_images(self):
        path = self.replace("train_images", idx([0, 8, 8], b""))
        self.refused(path, "dimension 0 has size 0")

    def test_sizes_that_overflow(self):
        path = self.replace("train_images", struct.pack(">IIII", 0x803, *[0xFFFFFFFF] * 3))
        self.refused(path, "multiply")

    def test_sizes_that_lie(self):
        path = self.replace("train_images", struct.pack(">IIII", 0x803, 0x7FFFFFFF, 1, 1) + b"abc")
        self.refused(path, "truncated", "2147483647", "3")

    def test_train_and_test_disagree(self):
        self.replace("test_images", idx([20, 4, 16], bytes(20 * 64)))
        self.refused("4x16", "8x8")

    def test_compressed_files_read_the_same(self):
        compressed = self.path("compressed")
        write_data(compressed, train=40, test=20, compress=True)
        plain, packed = self.path("plain.safetensors"), self.path("packed.safetensors")
        self.assert_runs(*small_train(self.folder_of_data, "--save", plain))
        self.assert_runs(*small_train(compressed, "--save", packed))
        with open(plain, "rb") as a, open(packed, "rb") as b:
            self.assertEqual(a.read(), b.read())


if __name__ == "__main__":
    unittest.main()
