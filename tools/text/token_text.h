#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "text/bpe.h"

namespace gradmill {

/// How a model's tokens stand for text: as bytes, or by byte pairs.
class TokenText {
 public:
  /// Of bytes where both paths are empty. Throws Error as BytePairEncoding.
  TokenText(const std::string& vocab_path, const std::string& merges_path);

  bool is_bytes() const { return !pairs_; }
  std::int64_t size() const;
  std::vector<std::int64_t> encode(const std::string& text) const;
  std::string decode(std::span<const std::int64_t> ids) const;

 private:
  std::optional<BytePairEncoding> pairs_;
};

}  // namespace gradmill
