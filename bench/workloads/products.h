#pragma once

#include <string>

#include "workloads/workload.h"

namespace gradmill::bench {

/// The time of one product, executed alone.
struct ProductTime {
  double ms = 0;
  std::string choice;  ///< "sgemm", "matmul" or "matmul, packed"
};

/// The best of what oneDNN offers for a whole f32 product with `threads` threads of its own:
/// `dnnl_sgemm`, the matmul primitive, and the same with the second operand already packed in the
/// format that the primitive asks for; for a batch, one sgemm after the other. Each runs for
/// `seconds` / 3, and its median counts. Throws Failure when oneDNN fails.
ProductTime measure_product(const Product& product, int threads, double seconds);

}  // namespace gradmill::bench
