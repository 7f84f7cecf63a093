#pragma once

#include <string_view>
#include <vector>

namespace gradmill {

/// Cuts a text into the words that GPT-2 encodes one by one: English contractions ('s, 't, ...);
/// runs of letters, of digits, and of anything else that is not white space, each with the space
/// before it; and white space. Concatenated, they are the text; they refer to its memory. Letters,
/// digits and white space are those of Unicode.
/// The pattern: A. Radford et al., "Language models are unsupervised multitask learners" (2019),
/// the code published with it.
/// Throws Error naming the byte and its offset when the text is not UTF-8.
std::vector<std::string_view> split_words(std::string_view text);

}  // namespace gradmill
