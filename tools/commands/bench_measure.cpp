#include "commands/bench_measure.h"

#include <iostream>

#include <nlohmann/json.hpp>

#include <gradmill/gradmill.h>

#include "commands/tuning_file.h"
#include "workloads/clock.h"
#include "workloads/limit.h"
#include "workloads/memory.h"
#include "workloads/workload.h"

namespace gradmill {
namespace {

using Json = nlohmann::ordered_json;

Json product_json(const bench::Limit::Row& row) {
  const bench::Product& product = row.product;
  return {{"m", product.m},
          {"n", product.n},
          {"k", product.k},
          {"transpose_a", product.transpose_a},
          {"transpose_b", product.transpose_b},
          {"count", product.count},
          {"batch", product.batch},
          {"ms", row.time.ms},
          {"gflop_s", product.flops() / row.time.ms / 1e6},
          {"choice", row.time.choice}};
}

/// The bytes that the step would take without fusion and without reuse.
std::size_t unfused_unshared_bytes(const bench::Workload& workload, const Session& session) {
  SessionOptions options = workload.options;
  options.threads = 1;
  options.parameters = session.parameters();
  options.rewrites.fuse = false;
  return Session(workload.graph, options).plan().unshared_bytes;
}

}  // namespace

int measure_workload(const std::string& name, int threads, double seconds,
                     const std::string& tuning) {
  const std::unique_ptr<bench::Workload> workload = bench::make_workload(name);
  const bench::MemoryGrowth growth;
  SessionOptions options = workload->options;
  options.threads = threads;
  options.tuning = load_tuning(tuning);
  Session session(workload->graph, options);
  const std::vector<std::vector<Feed>>& batches = workload->batches;
  const bench::StepTimes times = bench::measure_steps(
      seconds, [&](int i) { session.run(batches[static_cast<std::size_t>(i) % batches.size()]); });

  const std::int64_t grown = growth.bytes();
  const std::int64_t peak = growth.peak_bytes();

  const Plan& plan = session.plan();
  double moved = 0;
  for (const PlanStep& step : plan.steps) moved += step.bytes_moved;
  const auto variables = static_cast<std::int64_t>(bytes_in(plan, Place::variable));
  const Json line = {{"peer", "gradmill"},
                     {"workload", name},
                     {"threads", threads},
                     {"steps", times.steps},
                     {"median_ms", times.median_ms},
                     {"p10_ms", times.p10_ms},
                     {"p90_ms", times.p90_ms},
                     {"state_bytes", variables},
                     {"growth_bytes", grown - variables},
                     {"peak_bytes", peak},
                     {"planned_bytes", plan.arena_bytes},
                     {"unshared_bytes", plan.unshared_bytes},
                     {"unfused_unshared_bytes", unfused_unshared_bytes(*workload, session)},
                     {"flops", bench::product_flops(*workload)},
                     {"moved_bytes", moved},
                     {"plan_steps", plan.steps.size()},
                     {"execution", session.serial() ? "serial" : "flow graph"},
                     {"version", GRADMILL_VERSION}};
  std::cout << line << '\n';
  return 0;
}

int measure_workload_limit(const std::string& name, int threads, double seconds) {
  const std::unique_ptr<bench::Workload> workload = bench::make_workload(name, 1);
  const bench::Limit limit = bench::measure_limit(*workload, threads, seconds);
  Json products = Json::array();
  for (const bench::Limit::Row& row : limit.products) products.push_back(product_json(row));
  const Json line = {{"workload", name},
                     {"threads", threads},
                     {"limit_ms", limit.ms()},
                     {"products_ms", limit.products_ms},
                     {"move_ms", limit.move_ms},
                     {"bytes", limit.bytes},
                     {"bandwidth_gb_s", limit.bandwidth_gb_s},
                     {"peak_gflop_s", limit.peak_gflop_s},
                     {"onednn", limit.onednn},
                     {"products", products}};
  std::cout << line << '\n';
  return 0;
}

}  // namespace gradmill
