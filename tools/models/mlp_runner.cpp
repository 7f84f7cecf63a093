#include "models/mlp_runner.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace gradmill {
namespace {

SessionOptions complete(SessionOptions options, const Mlp& model) {
  options.loss = model.loss;
  if (!options.optimizer) options.fetches = {model.accuracy};
  return options;
}

}  // namespace

MlpRunner::MlpRunner(const MlpSizes& sizes, std::int64_t batch, SessionOptions options)
    : model_(sizes, batch),
      session_(model_.graph, complete(std::move(options), model_)),
      pixels_(static_cast<std::size_t>(batch * sizes.front())),
      labels_(static_cast<std::size_t>(batch)) {}

void MlpRunner::run(const ImageDataset& data, std::span<const std::uint32_t> indices) {
  data.gather(indices, pixels_, labels_);
  session_.run({{model_.images, pixels_}, {model_.labels, labels_}});
}

std::int64_t MlpRunner::right() const {
  return std::llround(session_.fetch<float>(model_.accuracy) * static_cast<double>(batch()));
}

MlpPass::MlpPass(const MlpSizes& sizes, std::int64_t batch, std::int64_t images,
                 SessionOptions options) {
  batch = std::min(batch, images);
  full_ = std::make_unique<MlpRunner>(sizes, batch, options);
  full_steps_ = images / batch;
  steps_ = full_steps_;
  if (images % batch != 0) {
    options.parameters = full_->session().parameters();
    rest_ = std::make_unique<MlpRunner>(sizes, images % batch, options);
    ++steps_;
  }
}

MlpRunner& MlpPass::run(const ImageDataset& data, std::span<const std::uint32_t> order,
                        std::int64_t step) {
  MlpRunner& chosen = runner(step);
  chosen.run(data, order.subspan(static_cast<std::size_t>(step * full_->batch()),
                                 static_cast<std::size_t>(chosen.batch())));
  return chosen;
}

Evaluation evaluate(MlpPass& pass, const ImageDataset& data) {
  const std::vector<std::uint32_t> order = in_order(data.count());
  double loss = 0;
  std::int64_t right = 0;
  for (std::int64_t step = 0; step < pass.steps(); ++step) {
    const MlpRunner& runner = pass.run(data, order, step);
    loss += runner.loss() * static_cast<double>(runner.batch());
    right += runner.right();
  }
  const auto count = static_cast<double>(data.count());
  return {loss / count, static_cast<double>(right) / count};
}

}  // namespace gradmill
