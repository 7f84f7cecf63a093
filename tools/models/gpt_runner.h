#pragma once

#include <cstdint>
#include <vector>

#include <gradmill/graph/session.h>

#include "data/text_dataset.h"
#include "models/gpt.h"

namespace gradmill {

/// Trains with weight decay on matrices alone: norms and biases follow an AdamW without.
struct GptOptimizer {
  double lr = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.95;
  double weight_decay = 0.1;
  double clip = 1;  ///< the norm that gradients are cut to; 0 for as they are
};

/// A GPT made ready to train on batches of text, or to be tried on them, and the buffers it is fed
/// from.
class GptRunner {
 public:
  /// `options` as for Session, except that loss, optimizer and clipping are filled in here.
  GptRunner(const GptConfig& config, std::int64_t batch, SessionOptions options,
            const GptOptimizer& optimizer);
  /// Without an optimizer.
  GptRunner(const GptConfig& config, std::int64_t batch, SessionOptions options);

  /// One step, of as many micro-batches as the options say; the mean of their losses.
  double train(const TextDataset& data, std::uint64_t seed, std::uint64_t step);
  /// The mean loss over the validation part's first `windows` pieces; what does not fill a batch is
  /// left out.
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
