#include "text/token_text.h"

namespace gradmill {
namespace {

constexpr std::int64_t kBytes = 256;

}  // namespace

TokenText::TokenText(const std::string& vocab_path, const std::string& merges_path) {
  if (!vocab_path.empty() || !merges_path.empty()) pairs_.emplace(vocab_path, merges_path);
}

std::int64_t TokenText::size() const { return pairs_ ? pairs_->size() : kBytes; }

std::vector<std::int64_t> TokenText::encode(const std::string& text) const {
  if (pairs_) return pairs_->encode(text);
  std::vector<std::int64_t> ids;
  for (const char byte : text) ids.push_back(static_cast<unsigned char>(byte));
  return ids;
}

std::string TokenText::decode(std::span<const std::int64_t> ids) const {
  if (pairs_) return pairs_->decode(ids);
  std::string text;
  for (const std::int64_t id : ids) text += static_cast<char>(id);
  return text;
}

}  // namespace gradmill
