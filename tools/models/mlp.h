#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <gradmill/graph/graph.h>

namespace gradmill {

/// Sizes of the layers of a multilayer perceptron from the input to the classes.
using MlpSizes = std::vector<std::int64_t>;

/// `features`, the hidden sizes, then `classes`.
MlpSizes mlp_sizes(std::int64_t features, const std::vector<std::int64_t>& hidden,
                   std::int64_t classes);

/// The sizes of the model in a safetensors file, from its fc1.weight [out, in], fc2.weight, ...
/// Throws Error naming the file when it has no such weights, or when one is not f32, not a matrix,
/// or does not fit the output of the layer before.
MlpSizes mlp_sizes_of_file(const std::string& path);

/// "784-512-512-10".
std::string to_string(const MlpSizes& sizes);

/// The graph for one batch size: linear layers fc1, fc2, ... with ReLU between them, and the mean
/// cross-entropy of the last one's outputs. Graphs of any batch size share one set of parameters.
struct Mlp {
  /// Throws Error for a size or batch that is not positive.
  Mlp(const MlpSizes& sizes, std::int64_t batch);

  std::int64_t batch;
  Graph graph;
  Value images;    ///< f32 [batch, sizes.front()]
  Value labels;    ///< i64 [batch]
  Value logits;    ///< f32 [batch, sizes.back()]
  Value loss;      ///< f32 scalar
  Value accuracy;  ///< f32 scalar, the fraction that is right
};

}  // namespace gradmill
