#include <cstddef>
#include <cstdint>
#include <iostream>
#include <span>
#include <vector>

#include <gradmill/runtime/error.h>

#include "commands/commands.h"
#include "commands/tuning_file.h"
#include "interrupt.h"
#include "models/gpt_file.h"
#include "models/gpt_generator.h"
#include "models/sampler.h"
#include "text/token_text.h"

namespace gradmill {
namespace {

TokenText read_text(const GenerateOptions& options, const GptConfig& config) {
  TokenText text(options.vocab, options.merges);
  if (text.is_bytes()) {
    check(config.vocab == text.size(), options.load, ": the model knows ", config.vocab,
          " tokens, so they are not bytes: give --vocab and --merges");
  }
  check(text.size() <= config.vocab, options.vocab, ": has ", text.size(),
        " pieces, and the model in ", options.load, " knows ", config.vocab, " tokens");
  return text;
}

}  // namespace

int generate(const GenerateOptions& options) {
  check(!options.prompt.empty(), "--prompt is empty: there is nothing to continue");
  check(options.vocab.empty() == options.merges.empty(),
        "--vocab and --merges must be given together");
  const Sampler sampler(
      {.temperature = options.temperature, .top_k = options.top_k, .seed = options.seed});
  const GptFile file(options.load, options.heads);
  const GptConfig& config = file.config();
  const TokenText text = read_text(options, config);
  std::vector<std::int64_t> tokens = text.encode(options.prompt);
  check(static_cast<std::int64_t>(tokens.size()) <= config.context, "--prompt takes ",
        tokens.size(), " tokens, and the model in ", options.load, " has a context of ",
        config.context);
  GptGenerator generator(file, {.threads = options.threads, .tuning = load_tuning(options.tuning)});

  const InterruptGuard guard;
  std::cout << options.prompt << std::flush;
  bool interrupted = false;
  for (std::int64_t i = 0; i < options.tokens && std::cout; ++i) {
    interrupted = InterruptGuard::interrupted();
    if (interrupted) break;
    // A model may have more tokens than its vocabulary; the extra ones mean nothing.
    const auto logits = generator.next(tokens).first(static_cast<std::size_t>(text.size()));
    tokens.push_back(sampler.sample(logits, static_cast<std::uint64_t>(i)));
    std::cout << text.decode(std::span(tokens).last(1)) << std::flush;
  }
  std::cout << '\n';
  return interrupted ? kInterrupted : 0;
}

}  // namespace gradmill
