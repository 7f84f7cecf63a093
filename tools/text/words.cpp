#define PCRE2_CODE_UNIT_WIDTH 8

#include "text/words.h"

#include <cstdint>
#include <cstdio>
#include <memory>

#include <pcre2.h>

#include <gradmill/runtime/error.h>

namespace gradmill {
namespace {

// White space is spelled out because PCRE's \s includes U+180E, which Unicode no longer counts as
// white space since 6.3.
#define SPACE R"(\p{Z}\t-\r\x{85})"
constexpr std::string_view kPattern =
    "'s|'t|'re|'ve|'m|'ll|'d"
    R"(| ?\p{L}+| ?\p{N}+| ?[^)" SPACE R"(\p{L}\p{N}]+)"
    "|[" SPACE "]+(?![^" SPACE "])|[" SPACE "]+";
#undef SPACE

struct Free {
  void operator()(pcre2_code* code) const { pcre2_code_free(code); }
  void operator()(pcre2_match_data* match) const { pcre2_match_data_free(match); }
};

PCRE2_SPTR units(std::string_view text) { return reinterpret_cast<PCRE2_SPTR>(text.data()); }

std::unique_ptr<pcre2_code, Free> compile_pattern() {
  int error = 0;
  PCRE2_SIZE offset = 0;
  std::unique_ptr<pcre2_code, Free> code(pcre2_compile(
      units(kPattern), kPattern.size(), PCRE2_UTF | PCRE2_UCP, &error, &offset, nullptr));
  if (!code) {
    throw Failure(
        cat("the pattern of words does not compile: PCRE2's error ", error, " at ", offset));
  }
  return code;
}

[[noreturn]] void refuse(std::string_view text, std::size_t offset) {
  char byte[8];
  std::snprintf(byte, sizeof(byte), "0x%02x",
                static_cast<unsigned>(static_cast<unsigned char>(text[offset])));
  fail("the text is not UTF-8: byte ", byte, " at offset ", offset);
}

}  // namespace

std::vector<std::string_view> split_words(std::string_view text) {
  static const auto pattern = compile_pattern();
  std::vector<std::string_view> words;
  if (text.empty()) return words;
  const std::unique_ptr<pcre2_match_data, Free> match(pcre2_match_data_create(1, nullptr));
  std::uint32_t options = 0;  // only the first call checks that the whole text is UTF-8
  for (std::size_t at = 0; at < text.size();) {
    const int status =
        pcre2_match(pattern.get(), units(text), text.size(), at, options, match.get(), nullptr);
    if (status <= PCRE2_ERROR_UTF8_ERR1 && status >= PCRE2_ERROR_UTF8_ERR21) {
      refuse(text, pcre2_get_startchar(match.get()));
    }
    // Every character is white space or is not, so something always matches at this offset.
    if (status < 0) throw Failure(cat("cutting the text into words: PCRE2's error ", status));
    const std::size_t end = pcre2_get_ovector_pointer(match.get())[1];
    words.push_back(text.substr(at, end - at));
    at = end;
    options = PCRE2_NO_UTF_CHECK;
  }
  return words;
}

}  // namespace gradmill
