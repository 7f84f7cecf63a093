#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include <gradmill/graph/optimizer.h>
#include <gradmill/graph/parameters.h>
#include <gradmill/graph/value.h>
#include <gradmill/runtime/trace_file.h>
#include <gradmill/runtime/tuning.h>

namespace gradmill {

/// Which rewrites a session applies to its graph. Each leaves the results as they are, to the bit.
struct RewriteOptions {
  bool fuse = true;  ///< ops absorb their consumers: bias and activation into a product
  /// With `fuse`: what has nothing to do but update a parameter is absorbed by the product that is
  /// its gradient, which is then never stored.
  bool fuse_updates = true;
  bool merge_equal = true;  ///< nodes that compute the same are computed once
  bool drop_dead = true;    ///< nodes whose results nobody asked for are not run
};

/// How steps are dispatched. The results have the same bits either way.
enum class Execution : std::uint8_t {
  automatic,   ///< by estimated cost
  serial,      ///< on the calling thread alone
  flow_graph,  ///< on the flow graph, whatever it costs
};

struct SessionOptions {
  /// A floating scalar to report and, with an optimizer, to minimise.
  Value loss = {};
  /// Given: every run is a training step, which updates all parameters that the loss depends on.
  /// `SGD{...}` and `AdamW{...}` convert to it.
  std::shared_ptr<const Optimizer> optimizer = {};
  /// Parameters that follow another optimizer, which may differ in anything but the learning rate:
  /// weight decay for matrices only, say. Those that no group names follow `optimizer`.
  std::vector<ParameterGroup> parameter_groups = {};
  /// What is done to all gradients together before the updates; `ClipGradNorm{...}` converts to it.
  std::shared_ptr<const GradientScaling> gradient_scaling = {};
  /// Runs that make a step: their gradients' mean is what the last of them updates with.
  int micro_batches = 1;
  /// Whether dropout drops; by default only with an optimizer or gradients.
  std::optional<bool> training = {};
  /// More values to keep for `fetch`.
  std::vector<Value> fetches = {};
  /// Parameters whose gradients of `loss` to keep for `fetch_gradient`.
  std::vector<Value> gradients = {};
  /// 0: all cores that the process may use (affinity mask and cgroup limit). More than oneTBB
  /// allows raises `tbb::global_control::max_allowed_parallelism`, process-wide, while the session
  /// lives.
  int threads = 0;
  /// Share these parameters, which must contain all that the graph uses; by default new ones are
  /// made.
  std::shared_ptr<Parameters> parameters = {};
  /// For the initial values of new parameters, and for dropout.
  std::uint64_t seed = 0;
  /// Stop a step at the first node (in plan order) whose result, or at the input whose feed, holds
  /// a NaN or an infinity; nothing is updated then.
  bool check_finite = false;
  Execution execution = Execution::automatic;
  RewriteOptions rewrites = {};
  /// Bytes that parameters, optimizer state and everything planned may take together; 0 for no
  /// limit. Steps are then kept from running far ahead of others, and results computed a second
  /// time rather than kept, as far as that is needed; the log says what was chosen (info: how much,
  /// debug: which nodes). Results have the same bits. A budget that cannot be met is refused with
  /// the smallest that can. What the caller feeds is the caller's, and does not count.
  std::size_t memory_budget = 0;
  /// What `tune` measured on this machine: how kernels do their work. Sessions with the same tuning
  /// have the same bits. By default each op decides from shapes.
  std::shared_ptr<const Tuning> tuning = {};
  /// Every run is written there; by default to the file that GRADMILL_TRACE names, if it does.
  /// Sessions may share one. Results have the same bits, traced or not.
  std::shared_ptr<TraceFile> trace = {};
};

}  // namespace gradmill
