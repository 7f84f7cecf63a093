#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace gradmill {

/// GPT-2's byte-level byte pair encoding: text as ids of pieces, each a string of bytes.
///
/// A word (see split_words) starts as its bytes. Of all neighbours that can merge, those of the
/// earliest merge in the list do, leftmost first, until none can.
/// R. Sennrich et al., "Neural machine translation of rare words with subword units", ACL 2016.
class BytePairEncoding {
 public:
  /// Reads `vocab.json`, an object from piece to id, and `merges.txt`, one merge per line (left,
  /// space, right), the earliest first, after an optional line `#version ...`. Both write bytes
  /// as GPT-2 does: printable Latin-1 as itself, the rest as U+0100 and up.
  /// Throws Error naming the file when it cannot be read, is not JSON of that form, its ids are not
  /// 0, 1, ... each once, a byte has no piece, or (naming the line) a merge is not two pieces of
  /// the vocabulary whose concatenation is a piece, or is listed twice.
  BytePairEncoding(const std::string& vocab_path, const std::string& merges_path);

  /// The number of ids.
  std::int64_t size() const { return static_cast<std::int64_t>(pieces_.size()); }

  /// Throws Error naming the offset when the text is not UTF-8. Names of special pieces, as
  /// `<|endoftext|>`, are text like any other.
  std::vector<std::int64_t> encode(std::string_view text) const;

  /// The bytes of the pieces, concatenated; they may end within a character.
  /// Throws Error for an id out of range.
  std::string decode(std::span<const std::int64_t> ids) const;

 private:
  struct Merge {
    std::int32_t rank;
    std::int32_t piece;
  };
  using Pieces = std::unordered_map<std::string, std::int32_t>;

  Pieces read_vocab(const std::string& path);
  void read_merges(const std::string& path, const Pieces& ids);
  const Merge* find_merge(std::int32_t left, std::int32_t right) const;
  void encode_word(std::string_view word, std::vector<std::int64_t>& ids) const;

  std::vector<std::string> pieces_;                  ///< by id
  std::vector<std::int32_t> byte_pieces_;            ///< the id of each single byte
  std::unordered_map<std::uint64_t, Merge> merges_;  ///< by both ids
};

}  // namespace gradmill
