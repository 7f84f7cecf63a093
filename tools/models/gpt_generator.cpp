#include "models/gpt_generator.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <utility>

#include <gradmill/runtime/error.h>

namespace gradmill {
namespace {

constexpr std::int64_t kShortest = 32;

SessionOptions fetching(SessionOptions options, const Gpt& model) {
  options.fetches = {model.next};
  return options;
}

}  // namespace

GptGenerator::Runner::Runner(const GptConfig& config, std::int64_t length, SessionOptions options)
    : model(config, 1, length, 0),
      session(model.graph, fetching(std::move(options), model)),
      tokens(static_cast<std::size_t>(length)) {}

GptGenerator::GptGenerator(const GptFile& file, SessionOptions options)
    : config_(file.config()), options_(std::move(options)) {
  options_.parameters = runner(1).session.parameters();
  file.copy_to(*options_.parameters);
}

GptGenerator::GptGenerator(const GptConfig& config, SessionOptions options)
    : config_(config), options_(std::move(options)) {}

GptGenerator::Runner& GptGenerator::runner(std::int64_t length) {
  const auto power = static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(length)));
  const std::int64_t size = std::min(std::max(power, kShortest), config_.context);
  std::unique_ptr<Runner>& runner = runners_[size];
  if (!runner) runner = std::make_unique<Runner>(config_, size, options_);
  return *runner;
}

std::span<const float> GptGenerator::next(std::span<const std::int64_t> tokens) {
  check(!tokens.empty(), "nothing to continue: there are no tokens");
  const auto context = static_cast<std::size_t>(config_.context);
  if (tokens.size() > context) tokens = tokens.last(context);
  Runner& chosen = runner(static_cast<std::int64_t>(tokens.size()));
  // The model does not see tokens after the place; they only have to be valid.
  std::ranges::fill(chosen.tokens, 0);
  std::ranges::copy(tokens, chosen.tokens.begin());
  const std::array place = {static_cast<std::int64_t>(tokens.size()) - 1};
  chosen.session.run({{chosen.model.tokens, chosen.tokens}, {chosen.model.place, place}});
  return chosen.session.view(chosen.model.next).as<float>();
}

}  // namespace gradmill
