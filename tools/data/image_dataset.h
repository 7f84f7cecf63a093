#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace gradmill {

/// Gray images of 10 classes with their labels, in memory as bytes.
class ImageDataset {
 public:
  static constexpr int kClasses = 10;

  /// Reads `PREFIX-images-idx3-ubyte` and `PREFIX-labels-idx1-ubyte` from `folder`, each with or
  /// without `.gz`, where PREFIX is "train" or "t10k": the files of MNIST and its successors.
  /// Throws Error naming the file when one is missing or wrong (see read_idx), their counts
  /// disagree, or a label is 10 or more.
  ImageDataset(const std::string& folder, const std::string& prefix);

  std::int64_t count() const { return static_cast<std::int64_t>(labels_.size()); }
  std::int64_t rows() const { return rows_; }
  std::int64_t columns() const { return columns_; }
  /// The number of pixels of one image.
  std::int64_t pixels() const { return rows_ * columns_; }

  /// Copies the images `indices` into `pixels` [indices, pixels()] and `labels` [indices]. A pixel
  /// becomes (byte / 255 - 0.5) * 2, which lies in [-1, 1].
  void gather(std::span<const std::uint32_t> indices, std::span<float> pixels,
              std::span<std::int64_t> labels) const;

 private:
  std::int64_t rows_ = 0;
  std::int64_t columns_ = 0;
  std::vector<std::uint8_t> images_;
  std::vector<std::uint8_t> labels_;
};

/// 0 .. count-1 in the order of `epoch`, a function of seed and epoch only.
/// Fisher-Yates: R. Durstenfeld, "Algorithm 235: Random permutation", CACM 7 (1964).
std::vector<std::uint32_t> shuffled(std::int64_t count, std::uint64_t seed, int epoch);

/// 0 .. count-1 in ascending order.
std::vector<std::uint32_t> in_order(std::int64_t count);

}  // namespace gradmill
