#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <gradmill/gradmill.h>

namespace gradmill::bench {

/// A matrix product C [m, n] = op(A) [m, k] op(B) [k, n] of a step, or a batch of them; a
/// transposed operand is stored as [k, m] or [n, k].
struct Product {
  std::int64_t m = 0;
  std::int64_t n = 0;
  std::int64_t k = 0;
  bool transpose_a = false;
  bool transpose_b = false;
  int count = 1;           ///< how often the step has it
  std::int64_t batch = 1;  ///< number of independent products in each
  bool fused = false;      ///< whether the plan has no separate node for it

  double flops() const {
    return 2.0 * static_cast<double>(batch) * static_cast<double>(m) * static_cast<double>(n) *
           static_cast<double>(k);
  }
};

/// A training step to measure: what to compile and what to feed. Seeds are fixed, so that every run
/// has the same data.
struct Workload {
  std::string name;
  Graph graph;
  SessionOptions options;  ///< loss, optimizer, fetches; threads and dispatch have their defaults
  /// All matrix products of the step, gradients included. What a kernel computes twice counts once,
  /// and causal attention counts without what is masked: see `attention_products`.
  std::vector<Product> products;
  std::vector<std::vector<Feed>> batches;  ///< to feed in turns
  /// The memory that the feeds refer to.
  std::deque<std::variant<std::vector<float>, std::vector<std::int64_t>>> data;
};

/// All names, in the order of the table.
std::vector<std::string> workload_names();
/// Those whose step takes less than a second: the ones that are measured by default.
std::vector<std::string> default_workload_names();

/// The products of `batch` causal attentions of `length` tokens with head width `size`, forward and
/// backward, `count` times: q k^T, p v, and do v^T, p^T do, ds k, ds^T q. A query sees half of the
/// keys on average, so each counts as the product with half as many keys.
std::vector<Product> attention_products(std::int64_t batch, std::int64_t length, std::int64_t size,
                                        int count = 1);

/// Builds a workload. `batches` limits the number of batches of random data; 0 means `batches_of`.
/// Throws Error for an unknown name, listing the known ones.
std::unique_ptr<Workload> make_workload(std::string_view name, int batches = 0);

/// Floating-point operations of all products of a step.
double product_flops(const Workload& workload);

}  // namespace gradmill::bench
