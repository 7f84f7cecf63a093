#include "models/random_batch.h"

#include <gradmill/runtime/support/random.h>

namespace gradmill {
namespace {

// Streams of the seed that no parameter has: those are hashes of names.
constexpr std::uint64_t kPixelStream = 0;
constexpr std::uint64_t kLabelStream = 1;

}  // namespace

RandomBatch::RandomBatch(const Mlp& model, std::uint64_t seed)
    : pixels(static_cast<std::size_t>(model.images.shape().elements())),
      labels(static_cast<std::size_t>(model.batch)) {
  const Philox pixel_random(seed, kPixelStream);
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    pixels[i] = static_cast<float>(2 * pixel_random.uniform(i) - 1);
  }
  const auto classes = static_cast<std::uint64_t>(model.logits.shape()[1]);
  const Philox label_random(seed, kLabelStream);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    labels[i] = static_cast<std::int64_t>(label_random.bits(i) % classes);
  }
  feeds = {{model.images, pixels}, {model.labels, labels}};
}

}  // namespace gradmill
