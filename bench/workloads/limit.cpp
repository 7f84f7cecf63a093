#include "workloads/limit.h"

#include <dnnl.h>

#include "workloads/bandwidth.h"

namespace gradmill::bench {

Limit measure_limit(const Workload& workload, int threads, double seconds) {
  Limit limit;
  const double share = seconds / static_cast<double>(workload.products.size() + 2);
  const Product cube{1024, 1024, 1024};
  limit.peak_gflop_s = cube.flops() / measure_product(cube, threads, share).ms / 1e6;
  for (const Product& product : workload.products) {
    limit.products.push_back({product, measure_product(product, threads, share)});
    limit.products_ms += product.count * limit.products.back().time.ms;
  }
  limit.bandwidth_gb_s = measure_bandwidth(threads, share);
  {
    const Session session(workload.graph, workload.options);
    limit.bytes = static_cast<std::int64_t>(bytes_in(session.plan(), Place::variable) +
                                            bytes_in(session.plan(), Place::feed));
  }
  limit.move_ms = static_cast<double>(limit.bytes) / limit.bandwidth_gb_s / 1e6;
  const dnnl_version_t& version = *dnnl_version();
  limit.onednn = cat(version.major, ".", version.minor, ".", version.patch);
  return limit;
}

}  // namespace gradmill::bench
