#pragma once

#include <cstdint>
#include <vector>

#include <gradmill/graph/session.h>

#include "data/text_dataset.h"
#include "models/gpt.h"

namespace gradmill {

/// AdamW with weight decay for matrices only: norms and biases do not decay.
struct GptOptimizer {
  double lr = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.95;
  double weight_decay = 0.1;
  double clip = 1;  ///< max global norm of the gradients; 0 for no clipping
};

/// A GPT compiled to train on batches of text, or to be evaluated on them, and the buffers that it
/// is fed from.
class GptRunner {
 public:
  /// `options` as for Session, except that loss, optimizer and clipping are filled in here.
  GptRunner(const GptConfig& config, std::int64_t batch, SessionOptions options,
            const GptOptimizer& optimizer);
  /// Without an optimizer.
  GptRunner(const GptConfig& config, std::int64_t batch, SessionOptions options);

  /// Runs one step, of all its micro-batches, and returns the mean of their losses.
  double train(const TextDataset& data, std::uint64_t seed, std::uint64_t step);
  /// The mean loss over the first `windows` pieces of the validation part; pieces that do not fill
  /// a batch are left out.
  double validate(const TextDataset& data, std::int64_t windows);

  std::int64_t batch() const { return model_.batch; }
  Session& session() { return session_; }

 private:
  GptRunner(const GptConfig& config, std::int64_t batch, SessionOptions options,
            const GptOptimizer* optimizer);
  double run();

  int micro_batches_;
  Gpt model_;
  Session session_;
  std::vector<std::int64_t> tokens_;
  std::vector<std::int64_t> targets_;
};

}  // namespace gradmill
