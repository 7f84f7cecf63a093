#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include <gradmill/graph/session.h>

#include "models/gpt.h"
#include "models/gpt_file.h"

namespace gradmill {

/// Computes the logits of the token that follows a text. It has graphs of a few lengths, each made
/// when a text first needs it, so that a short text does not take the time of the whole context.
class GptGenerator {
 public:
  /// `options` as for Session, except that parameters and fetches are filled in here.
  GptGenerator(const GptFile& file, SessionOptions options);
  /// For a model whose parameters are in `options`, and may change between calls.
  GptGenerator(const GptConfig& config, SessionOptions options);

  /// The logits of the token after `tokens`, of which the last `context` count; valid until the
  /// next call. Throws Error when there are none, or one is not in the vocabulary.
  std::span<const float> next(std::span<const std::int64_t> tokens);

 private:
  struct Runner {
    Runner(const GptConfig& config, std::int64_t length, SessionOptions options);

    Gpt model;
    Session session;
    std::vector<std::int64_t> tokens;
  };
  Runner& runner(std::int64_t length);

  GptConfig config_;
  SessionOptions options_;
  std::map<std::int64_t, std::unique_ptr<Runner>> runners_;  ///< by length
};

}  // namespace gradmill
