#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "workloads/products.h"
#include "workloads/workload.h"

namespace gradmill::bench {

/// The least time that the machine needs for a step, as far as it can be measured.
struct Limit {
  struct Row {
    Product product;
    ProductTime time;
  };
  std::vector<Row> products;
  double products_ms = 0;     ///< all products of the step, each as often as it occurs
  std::int64_t bytes = 0;     ///< parameters, optimizer state and feeds, once each
  double bandwidth_gb_s = 0;  ///< of memory
  double move_ms = 0;         ///< those bytes at that bandwidth
  double peak_gflop_s = 0;    ///< of a product of 1024 x 1024 x 1024, the same way
  std::string onednn;         ///< its version

  double ms() const { return products_ms + move_ms; }
};

/// Measures everything at `threads` threads in about `seconds`, in a process that has done nothing
/// else: what oneDNN does with its own threads depends on who called it first. Throws as
/// `measure_product` does.
Limit measure_limit(const Workload& workload, int threads, double seconds);

}  // namespace gradmill::bench
