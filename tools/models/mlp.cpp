#include "models/mlp.h"

#include <cstddef>

#include <gradmill/ops/accuracy.h>
#include <gradmill/ops/activation.h>
#include <gradmill/ops/cross_entropy.h>
#include <gradmill/ops/linear.h>
#include <gradmill/runtime/error.h>
#include <gradmill/runtime/safetensors.h>

namespace gradmill {

MlpSizes mlp_sizes(std::int64_t features, const std::vector<std::int64_t>& hidden,
                   std::int64_t classes) {
  MlpSizes sizes{features};
  sizes.insert(sizes.end(), hidden.begin(), hidden.end());
  sizes.push_back(classes);
  return sizes;
}

MlpSizes mlp_sizes_of_file(const std::string& path) {
  const SafetensorsFile file(path);
  MlpSizes sizes;
  for (int layer = 1;; ++layer) {
    const std::string name = cat("fc", layer, ".weight");
    const TensorView* weight = file.find(name);
    if (weight == nullptr) {
      check(layer > 1, path, ": not an mlp: it has no ", name);
      return sizes;
    }
    const Type& type = weight->type;
    check(type.dtype == DType::f32 && type.shape.rank() == 2, path, ": ", name, " is ", type,
          ", an mlp has f32 [out, in] there");
    if (layer == 1) sizes.push_back(type.shape[1]);
    check(type.shape[1] == sizes.back(), path, ": ", name, " ", type.shape, " takes ",
          type.shape[1], " values, and the layer before has ", sizes.back());
    sizes.push_back(type.shape[0]);
  }
}

std::string to_string(const MlpSizes& sizes) {
  std::string text;
  for (const std::int64_t size : sizes) text += (text.empty() ? "" : "-") + std::to_string(size);
  return text;
}

Mlp::Mlp(const MlpSizes& sizes, std::int64_t batch_size) : batch(batch_size) {
  images = graph.input("images", {batch, sizes.front()});
  labels = graph.input("labels", {batch}, DType::i64);
  logits = images;
  for (std::size_t layer = 1; layer < sizes.size(); ++layer) {
    if (layer > 1) logits = relu(logits);
    logits = linear(logits, sizes[layer], cat("fc", layer));
  }
  loss = cross_entropy(logits, labels, {}, "loss");
  accuracy = gradmill::accuracy(logits, labels, "accuracy");
}

}  // namespace gradmill
