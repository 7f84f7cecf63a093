#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace gradmill {

/// Text as bytes, each a token from 0 to 255, for a model that predicts the next token from up to
/// `context` tokens before it. The last part is kept for validation.
class TextDataset {
 public:
  static constexpr std::int64_t kVocab = 256;

  /// Reads the files one after the other, in the order given, with nothing between them.
  /// Throws Error naming the file when one cannot be read, is a folder or empty; when there are
  /// none; for a context below 1 or a fraction not between 0 and 1; and when either part has
  /// fewer than `context` + 1 bytes.
  TextDataset(const std::vector<std::string>& paths, std::int64_t context,
              double validation_fraction = 0.1);

  std::int64_t context() const { return context_; }
  std::int64_t training_bytes() const { return split_; }
  std::int64_t validation_bytes() const {
    return static_cast<std::int64_t>(bytes_.size()) - split_;
  }

  /// One training batch: `inputs` [batch, context] are pieces of the training part that start
  /// anywhere, and `targets` holds the byte after each of their bytes. The spans determine `batch`.
  ///
  /// The start of a row depends on seed, step and `micro_batch` * batch + row only: the
  /// micro-batches of a step have the same rows as one large batch would. Throws Error when the
  /// spans differ in size or do not hold a whole number of rows.
  void draw(std::uint64_t seed, std::uint64_t step, std::uint64_t micro_batch,
            std::span<std::int64_t> inputs, std::span<std::int64_t> targets) const;

  /// The number of pieces of `context` bytes in the validation part that have a byte after them;
  /// the rest at the end is not used.
  std::int64_t validation_windows() const { return (validation_bytes() - 1) / context_; }

  /// The pieces `first`, `first` + 1, ... of the validation part, in `inputs` and `targets` as
  /// above. Throws Error as `draw`, and when there are fewer pieces.
  void validation(std::int64_t first, std::span<std::int64_t> inputs,
                  std::span<std::int64_t> targets) const;

 private:
  std::int64_t rows(std::span<const std::int64_t> inputs,
                    std::span<const std::int64_t> targets) const;
  void copy_row(std::int64_t from, std::int64_t row, std::span<std::int64_t> inputs,
                std::span<std::int64_t> targets) const;

  std::string bytes_;
  std::int64_t context_;
  std::int64_t split_ = 0;  ///< start of the validation part
};

}  // namespace gradmill
