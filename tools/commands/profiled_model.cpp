#include "commands/profiled_model.h"

#include <gradmill/runtime/error.h>

#include "commands/optimizer.h"
#include "data/image_dataset.h"

namespace gradmill {

ProfiledModel::ProfiledModel(const ModelOptions& model, const OptimizerOptions& optimizer,
                             const std::string& workload) {
  if (!workload.empty()) {
    workload_ = bench::make_workload(workload);
    title_ = workload;
    options_ = workload_->options;
    return;
  }
  constexpr std::int64_t kPixels = std::int64_t{28} * 28;
  const MlpSizes sizes = mlp_sizes(kPixels, model.hidden, ImageDataset::kClasses);
  mlp_ = std::make_unique<Mlp>(sizes, model.batch);
  title_ = cat(model.model, " ", to_string(sizes), ", batch ", model.batch, ", ", optimizer.name);
  options_ = {.loss = mlp_->loss, .optimizer = make_optimizer(optimizer)};
}

const Graph& ProfiledModel::graph() const { return workload_ ? workload_->graph : mlp_->graph; }

std::span<const Feed> ProfiledModel::feeds(std::size_t step) {
  if (workload_) return workload_->batches[step % workload_->batches.size()];
  if (batch_ == nullptr) batch_ = std::make_unique<RandomBatch>(*mlp_, 0);
  return batch_->feeds;
}

}  // namespace gradmill
