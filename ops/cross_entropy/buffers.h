#pragma once

// The buffers of a node of cross_entropy by what they mean.

#include <cstdint>

#include <gradmill/ops/cross_entropy/problem.h>
#include <gradmill/runtime/kernel.h>

namespace gradmill {

/// Null where the node has none.
template <class T>
struct CrossEntropyBuffers {
  CrossEntropyBuffers(const CrossEntropyProblem& problem, const KernelRun& run)
      : logits(run.input<T>(0)) {
    int input = 1;
    if (problem.settings.labels) {
      labels = run.input<std::int64_t>(input++);
    } else {
      probabilities = run.input<T>(input++);
    }
    if (problem.settings.weighted) weight = run.input<T>(input++);
    const bool with_loss = has_loss(problem.parts);
    const bool with_gradient = has_gradient(problem.parts);
    if (!with_loss) known_other_terms = run.input<T>(input++);
    if (with_gradient) upstream = run.input<T>(input++);
    int output = 0;
    if (with_loss) loss = run.output<T>(output++);
    if (with_gradient) {
      gradient = run.output<T>(output);
    } else {
      other_terms = run.output<T>(output);
    }
  }

  const T* logits;
  const std::int64_t* labels = nullptr;
  const T* probabilities = nullptr;
  const T* weight = nullptr;
  const T* known_other_terms = nullptr;
  const T* upstream = nullptr;
  T* loss = nullptr;
  T* other_terms = nullptr;
  T* gradient = nullptr;
};

}  // namespace gradmill
