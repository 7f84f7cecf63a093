#pragma once

#include <cstdint>
#include <vector>

#include <gradmill/graph/session.h>

#include "models/mlp.h"

namespace gradmill {

/// A batch of noise for a model, for when only the amount of work matters: pixels in [-1, 1) and
/// labels, which depend on the seed only. The feeds refer to it.
struct RandomBatch {
  RandomBatch(const Mlp& model, std::uint64_t seed);
  RandomBatch(const RandomBatch&) = delete;
  RandomBatch& operator=(const RandomBatch&) = delete;

  std::vector<float> pixels;
  std::vector<std::int64_t> labels;
  std::vector<Feed> feeds;
};

}  // namespace gradmill
