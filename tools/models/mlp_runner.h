#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include <gradmill/graph/session.h>

#include "data/image_dataset.h"
#include "models/mlp.h"

namespace gradmill {

/// An mlp compiled for one batch size, and the buffers that it is fed from.
class MlpRunner {
 public:
  /// `options` as for Session, except that loss and fetches are filled in here.
  MlpRunner(const MlpSizes& sizes, std::int64_t batch, SessionOptions options);

  /// One step over `indices`, as many as the batch.
  void run(const ImageDataset& data, std::span<const std::uint32_t> indices);

  std::int64_t batch() const { return model_.batch; }
  Session& session() { return session_; }
  /// Of the last step: its mean loss, and how many images of the batch were right, which is only
  /// computed without an optimizer.
  double loss() const { return session_.fetch<float>(model_.loss); }
  std::int64_t right() const;

 private:
  Mlp model_;
  Session session_;
  std::vector<float> pixels_;
  std::vector<std::int64_t> labels_;
};

/// A pass over any number of images: one runner for the full batches and, if images are left over,
/// one for them. Both share one set of parameters.
class MlpPass {
 public:
  /// A `batch` above `images` is lowered to it.
  MlpPass(const MlpSizes& sizes, std::int64_t batch, std::int64_t images, SessionOptions options);

  std::int64_t steps() const { return steps_; }
  const std::shared_ptr<Parameters>& parameters() const { return full_->session().parameters(); }

  /// The runner of a step, counted from 0.
  MlpRunner& runner(std::int64_t step) { return step < full_steps_ ? *full_ : *rest_; }
  /// Runs a step over its part of `order`; returns its runner.
  MlpRunner& run(const ImageDataset& data, std::span<const std::uint32_t> order, std::int64_t step);

 private:
  std::unique_ptr<MlpRunner> full_;
  std::unique_ptr<MlpRunner> rest_;
  std::int64_t full_steps_;
  std::int64_t steps_;
};

struct Evaluation {
  double loss = 0;      ///< mean over all images
  double accuracy = 0;  ///< the fraction that is right
};

/// Runs all steps of `pass`, which has no optimizer, over all of `data`.
Evaluation evaluate(MlpPass& pass, const ImageDataset& data);

}  // namespace gradmill
