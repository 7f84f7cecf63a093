#include <cstdint>
#include <vector>

#include <gradmill/runtime/random.h>

#include "commands/check_gradients.h"
#include "commands/commands.h"
#include "data/image_dataset.h"
#include "models/mlp.h"

namespace gradmill {
namespace {

constexpr std::int64_t kPixels = std::int64_t{28} * 28;

// Streams of the seed that no parameter has: those are hashes of names.
constexpr std::uint64_t kPixelStream = 0;
constexpr std::uint64_t kLabelStream = 1;

std::vector<Value> parameters_of(const Graph& graph) {
  std::vector<Value> parameters;
  for (const Node& node : graph.nodes()) {
    if (node.kind == NodeKind::parameter) parameters.push_back(graph.find(node.name));
  }
  return parameters;
}

}  // namespace

int gradcheck(const GradcheckCommandOptions& options) {
  const Mlp model(mlp_sizes(kPixels, options.model.hidden, ImageDataset::kClasses),
                  options.model.batch);
  std::vector<float> pixels(static_cast<std::size_t>(model.images.shape().elements()));
  const Philox pixel_random(options.seed, kPixelStream);
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    pixels[i] = static_cast<float>(2 * pixel_random.uniform(i) - 1);
  }
  std::vector<std::int64_t> labels(static_cast<std::size_t>(model.batch));
  const Philox label_random(options.seed, kLabelStream);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    labels[i] = static_cast<std::int64_t>(label_random.bits(i) %
                                          static_cast<std::uint64_t>(ImageDataset::kClasses));
  }
  const std::vector<Feed> feeds = {{model.images, pixels}, {model.labels, labels}};
  return check_gradients(model.graph, model.loss, feeds,
                         {.wrt = parameters_of(model.graph),
                          .samples = options.samples,
                          .seed = options.seed,
                          .threads = options.threads});
}

}  // namespace gradmill
