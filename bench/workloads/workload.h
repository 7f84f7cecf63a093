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

/// A matrix product C [m, n] = op(A) [m, k] op(B) [k, n] of a step; a transposed operand is stored
/// the other way round.
struct Product {
  std::int64_t m = 0;
  std::int64_t n = 0;
  std::int64_t k = 0;
  bool transpose_a = false;
  bool transpose_b = false;
  int count = 1;  ///< how many of them a step has

  double flops() const {
    return 2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
  }
};

/// A training step that is measured: what to compile and what to feed. Fixed seeds: the same for
/// every run.
struct Workload {
  std::string name;
  Graph graph;
  SessionOptions options;         ///< loss, optimizer, fetches; threads and dispatch as they come
  std::vector<Product> products;  ///< all matrix products of the step, gradients included
  std::vector<std::vector<Feed>> batches;  ///< to be fed in turns
  /// What the feeds refer to.
  std::deque<std::variant<std::vector<float>, std::vector<std::int64_t>>> data;
};

/// All names, in the order of the table.
std::vector<std::string> workload_names();

/// Builds one; `batches` limits how many batches of random data are made, 0 for as many as are good
/// for measuring. Throws Error for an unknown name, listing the known ones.
std::unique_ptr<Workload> make_workload(std::string_view name, int batches = 0);

/// Bytes of all parameters and of the optimizer's state in a session's plan.
std::int64_t variable_bytes(const Plan& plan);

/// Bytes of what a step is fed.
std::int64_t feed_bytes(const Plan& plan);

/// Floating-point operations of all products of a step.
double product_flops(const Workload& workload);

}  // namespace gradmill::bench
