#include "text/bpe.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <queue>
#include <utility>

#include <nlohmann/json.hpp>

#include <gradmill/runtime/error.h>

#include "text/read_file.h"
#include "text/words.h"

namespace gradmill {
namespace {

constexpr int kBytes = 256;

std::string utf8(unsigned code) {  // below U+0800
  if (code < 0x80) return {static_cast<char>(code)};
  return {static_cast<char>(0xC0 | (code >> 6)), static_cast<char>(0x80 | (code & 0x3F))};
}

/// How GPT-2's files write each byte: printable Latin-1 as it is, all other bytes as U+0100,
/// U+0101,
/// ... in ascending order.
std::map<std::string, char, std::less<>> written_bytes() {
  std::map<std::string, char, std::less<>> bytes;
  unsigned next = 0x100;
  for (unsigned byte = 0; byte < kBytes; ++byte) {
    const bool printable = (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte != 0xAD);
    bytes[utf8(printable ? byte : next++)] = static_cast<char>(byte);
  }
  return bytes;
}

/// The bytes that `written` stands for. A special piece may have characters that stand for no byte;
/// it then stands for its own bytes.
std::string bytes_of(std::string_view written) {
  static const auto known = written_bytes();
  std::string bytes;
  for (std::size_t at = 0; at < written.size();) {
    const std::size_t length = static_cast<unsigned char>(written[at]) < 0x80 ? 1 : 2;
    const auto found = known.find(written.substr(at, length));
    if (found == known.end()) return std::string(written);
    bytes += found->second;
    at += length;
  }
  return bytes;
}

std::uint64_t key(std::int32_t left, std::int32_t right) {
  return static_cast<std::uint64_t>(left) << 32 | static_cast<std::uint32_t>(right);
}

}  // namespace

BytePairEncoding::BytePairEncoding(const std::string& vocab_path, const std::string& merges_path) {
  const Pieces ids = read_vocab(vocab_path);
  for (int byte = 0; byte < kBytes; ++byte) {
    const auto found = ids.find(std::string(1, static_cast<char>(byte)));
    check(found != ids.end(), vocab_path, ": no piece for byte ", byte);
    byte_pieces_.push_back(found->second);
  }
  read_merges(merges_path, ids);
}

BytePairEncoding::Pieces BytePairEncoding::read_vocab(const std::string& path) {
  const std::string text = read_file(path);
  nlohmann::json json;
  try {
    json = nlohmann::json::parse(text);
  } catch (const nlohmann::json::exception& error) {
    fail(path, ": not JSON: ", error.what());
  }
  check(json.is_object(), path, ": not an object from piece to id");
  check(json.size() <= std::numeric_limits<std::int32_t>::max(), path, ": too many pieces");
  pieces_.resize(json.size());
  std::vector<bool> used(json.size(), false);
  Pieces ids;
  for (const auto& [piece, id] : json.items()) {
    check(id.is_number_unsigned(), path, ": the id of '", piece, "' is not a whole number");
    const auto number = id.get<std::uint64_t>();
    check(number < pieces_.size(), path, ": '", piece, "' has id ", number,
          ", and ids must be 0 to ", pieces_.size() - 1, ", each once");
    check(!used[number], path, ": '", piece, "' has id ", number, ", like another piece");
    used[number] = true;
    pieces_[number] = bytes_of(piece);
    ids[pieces_[number]] = static_cast<std::int32_t>(number);
  }
  return ids;
}

void BytePairEncoding::read_merges(const std::string& path, const Pieces& ids) {
  const std::string text = read_file(path);
  int number = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line(text.data() + at, end - at);
    at = end + 1;
    ++number;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || (number == 1 && line.starts_with("#version"))) continue;

    const std::size_t space = line.find(' ');
    check(space != std::string_view::npos && space == line.rfind(' '), path, ": line ", number,
          " '", line, "' is not two pieces with a space between");
    const std::string left = bytes_of(line.substr(0, space));
    const std::string right = bytes_of(line.substr(space + 1));
    const auto id = [&](const std::string& piece) {
      const auto found = ids.find(piece);
      check(found != ids.end(), path, ": line ", number, " '", line, "': the vocabulary has no '",
            piece, "'");
      return found->second;
    };
    const Merge merge{static_cast<std::int32_t>(merges_.size()), id(left + right)};
    check(merges_.emplace(key(id(left), id(right)), merge).second, path, ": line ", number, " '",
          line, "' is listed twice");
  }
}

const BytePairEncoding::Merge* BytePairEncoding::find_merge(std::int32_t left,
                                                            std::int32_t right) const {
  const auto found = merges_.find(key(left, right));
  return found == merges_.end() ? nullptr : &found->second;
}

void BytePairEncoding::encode_word(std::string_view word, std::vector<std::int64_t>& ids) const {
  constexpr int kNone = -1;
  struct Part {
    std::int32_t piece;  // kNone: merged into the one before
    int before;
    int behind;
  };
  struct Candidate {
    std::int32_t rank;
    int at;
    std::int32_t left;  // what was there when it was found
    std::int32_t right;
    std::int32_t piece;
    bool operator>(const Candidate& other) const {
      return std::pair(rank, at) > std::pair(other.rank, other.at);
    }
  };
  const int count = static_cast<int>(word.size());
  std::vector<Part> parts;
  for (int i = 0; i < count; ++i) {
    const auto byte = static_cast<unsigned char>(word[static_cast<std::size_t>(i)]);
    parts.push_back({byte_pieces_[byte], i - 1, i + 1 < count ? i + 1 : kNone});
  }
  // A heap, so that a long word takes O(n log n).
  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> candidates;
  const auto part = [&](int at) -> Part& { return parts[static_cast<std::size_t>(at)]; };
  const auto offer = [&](int at) {
    if (at == kNone || part(at).behind == kNone) return;
    const std::int32_t left = part(at).piece;
    const std::int32_t right = part(part(at).behind).piece;
    if (const Merge* merge = find_merge(left, right)) {
      candidates.push({merge->rank, at, left, right, merge->piece});
    }
  };
  for (int i = 0; i < count; ++i) offer(i);
  while (!candidates.empty()) {
    const Candidate best = candidates.top();
    candidates.pop();
    Part& left = part(best.at);
    if (left.piece != best.left || left.behind == kNone) continue;
    Part& right = part(left.behind);
    if (right.piece != best.right) continue;
    left.piece = best.piece;
    left.behind = right.behind;
    right.piece = kNone;
    if (left.behind != kNone) part(left.behind).before = best.at;
    offer(left.before);
    offer(best.at);
  }
  for (const Part& left : parts) {
    if (left.piece != kNone) ids.push_back(left.piece);
  }
}

std::vector<std::int64_t> BytePairEncoding::encode(std::string_view text) const {
  std::vector<std::int64_t> ids;
  for (const std::string_view word : split_words(text)) {
    check(word.size() < static_cast<std::size_t>(std::numeric_limits<int>::max()), "a word of ",
          word.size(), " bytes is too long to encode");
    encode_word(word, ids);
  }
  return ids;
}

std::string BytePairEncoding::decode(std::span<const std::int64_t> ids) const {
  std::string text;
  for (const std::int64_t id : ids) {
    check(id >= 0 && id < size(), "no piece has id ", id, ", ids are 0 to ", size() - 1);
    text += pieces_[static_cast<std::size_t>(id)];
  }
  return text;
}

}  // namespace gradmill
