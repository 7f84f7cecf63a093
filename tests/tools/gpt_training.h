#pragma once

#include <gradmill/graph/session.h>
#include <gradmill/ops/clip_grad_norm.h>
#include <gradmill/ops/optimizer.h>

#include <cstdint>
#include <utility>
#include <vector>

#include "models/gpt.h"

namespace gradmill {

using Tokens = std::vector<std::int64_t>;

/// The small model and the batches of tests/reference/gpt_training.py.
constexpr GptConfig kTrained = {.vocab = 61, .layers = 2, .width = 24, .heads = 3, .context = 16};
constexpr std::int64_t kTrainedRows = 4;

/// What the rows of a step are: token and the one that follows.
inline std::pair<Tokens, Tokens> training_batch(std::int64_t step) {
  std::pair<Tokens, Tokens> batch;
  for (std::int64_t i = 0; i < kTrainedRows * kTrained.context; ++i) {
    const std::int64_t token = (5 * i * i + 11 * i + 17 * step) % kTrained.vocab;
    batch.first.push_back(token);
    batch.second.push_back((i % 7 == 0 ? 29 * step + i : 3 * token + 1) % kTrained.vocab);
  }
  return batch;
}

/// Options that train `model` with decay on matrices alone, and clipped gradients.
inline SessionOptions training_options(const Gpt& model, SessionOptions options = {}) {
  const AdamW rule{.lr = 1e-2, .beta1 = 0.9, .beta2 = 0.95, .weight_decay = 0.1};
  options.loss = model.loss;
  options.optimizer = rule;
  AdamW without = rule;
  without.weight_decay = 0;
  ParameterGroup vectors{.parameters = {}, .optimizer = without};
  for (const Node& node : model.graph.nodes()) {
    if (node.kind == NodeKind::parameter && node.outputs[0].shape.rank() == 1) {
      vectors.parameters.push_back(model.graph.find(node.name));
    }
  }
  options.parameter_groups = {std::move(vectors)};
  options.gradient_scaling = ClipGradNorm{.max_norm = 1};
  return options;
}

}  // namespace gradmill
