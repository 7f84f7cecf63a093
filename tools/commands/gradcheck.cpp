#include <cstdint>
#include <vector>

#include "commands/check_gradients.h"
#include "commands/commands.h"
#include "data/image_dataset.h"
#include "models/mlp.h"
#include "models/random_batch.h"

namespace gradmill {
namespace {

constexpr std::int64_t kPixels = std::int64_t{28} * 28;

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
  const RandomBatch batch(model, options.seed);
  return check_gradients(model.graph, model.loss, batch.feeds,
                         {.wrt = parameters_of(model.graph),
                          .samples = options.samples,
                          .seed = options.seed,
                          .threads = options.threads});
}

}  // namespace gradmill
