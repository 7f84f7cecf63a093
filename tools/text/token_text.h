#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "text/bpe.h"

namespace gradmill {

/// What a model's tokens are: bytes, or pieces of a byte pair encoding.
class TokenText {
 public:
  /// Bytes if both paths are empty. Throws Error as BytePairEncoding does.
  TokenText(const std::string& vocab_path, const std::string& merges_path);

  bool is_bytes() const { return !pairs_; }
  std::int64_t size() const;
  std::vector<std::int64_t> encode(const std::string& text) const;
  std::string decode(std::span<const std::int64_t> ids) const;

 private:
  std::optional<BytePairEncoding> pairs_;
};

}  // namespace gradmill
