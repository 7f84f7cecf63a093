#pragma once

#include <string_view>
#include <vector>

namespace gradmill {

/// Cuts a text into the words that GPT-2 encodes one by one: English contractions ('s, 't, ...),
/// runs of letters, of numbers and of anything else that is not white space, each with the space
/// before it, and white space. Together they are the text; each refers to it. Letters, numbers and
/// white space are Unicode's.
/// The pattern: A. Radford et al., "Language models are unsupervised multitask learners" (2019),
/// the code published with it.
/// Throws Error naming the byte and its offset where the text is not UTF-8.
std::vector<std::string_view> split_words(std::string_view text);

}  // namespace gradmill
