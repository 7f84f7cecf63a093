#include "models/gpt_runner.h"

#include <cstddef>
#include <utility>

#include <gradmill/ops/clip_grad_norm.h>
#include <gradmill/ops/optimizer.h>
#include <gradmill/runtime/error.h>

namespace gradmill {
namespace {

SessionOptions complete(SessionOptions options, const Gpt& model, const GptOptimizer* optimizer) {
  options.loss = model.loss;
  if (optimizer == nullptr) return options;
  AdamW rule{.lr = optimizer->lr,
             .beta1 = optimizer->beta1,
             .beta2 = optimizer->beta2,
             .weight_decay = optimizer->weight_decay};
  options.optimizer = rule;
  rule.weight_decay = 0;
  ParameterGroup rest{.parameters = {}, .optimizer = rule};
  for (const Node& node : model.graph.nodes()) {
    if (node.kind != NodeKind::parameter || node.outputs[0].shape.rank() >= 2) continue;
    rest.parameters.push_back(model.graph.find(node.name));
  }
  options.parameter_groups = {std::move(rest)};
  if (optimizer->clip > 0) options.gradient_scaling = ClipGradNorm{.max_norm = optimizer->clip};
  return options;
}

}  // namespace

GptRunner::GptRunner(const GptConfig& config, std::int64_t batch, SessionOptions options,
                     const GptOptimizer& optimizer)
    : GptRunner(config, batch, std::move(options), &optimizer) {}

GptRunner::GptRunner(const GptConfig& config, std::int64_t batch, SessionOptions options)
    : GptRunner(config, batch, std::move(options), nullptr) {}

GptRunner::GptRunner(const GptConfig& config, std::int64_t batch, SessionOptions options,
                     const GptOptimizer* optimizer)
    : micro_batches_(options.micro_batches),
      model_(config, batch, config.context, options.parameters == nullptr ? Gpt::kInitialStd : 0),
      session_(model_.graph, complete(std::move(options), model_, optimizer)),
      tokens_(static_cast<std::size_t>(batch * config.context)),
      targets_(tokens_.size()) {}

double GptRunner::run() {
  session_.run({{model_.tokens, tokens_}, {model_.targets, targets_}});
  return session_.fetch<float>(model_.loss);
}

double GptRunner::train(const TextDataset& data, std::uint64_t seed, std::uint64_t step) {
  double loss = 0;
  for (int k = 0; k < micro_batches_; ++k) {
    data.draw(seed, step, static_cast<std::uint64_t>(k), tokens_, targets_);
    loss += run();
  }
  return loss / micro_batches_;
}

double GptRunner::validate(const TextDataset& data, std::int64_t windows) {
  double loss = 0;
  std::int64_t batches = 0;
  for (std::int64_t first = 0; first + batch() <= windows; first += batch()) {
    data.validation(first, tokens_, targets_);
    loss += run();
    ++batches;
  }
  check(batches > 0, "the validation part has ", windows, " pieces, fewer than a batch of ",
        batch());
  return loss / static_cast<double>(batches);
}

}  // namespace gradmill
