#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <gradmill/runtime/kernel.h>
#include <gradmill/runtime/short_list.h>
#include <gradmill/runtime/tensor.h>

namespace gradmill {

/// Which part of a training step a node belongs to.
enum class Phase : std::uint8_t { forward, backward, update };

GRADMILL_API std::string_view to_string(Phase phase);

/// Where a buffer's bytes are.
enum class Place : std::uint8_t {
  arena,     ///< at `offset` in the plan's one block
  feed,      ///< the caller's memory, bound before each run
  variable,  ///< a parameter or optimizer state, at `address`
  constant,  ///< at `address`, never written
};

/// A block of bytes that steps read and write.
struct PlanBuffer {
  std::string name;
  Type type;  ///< of the first value that lives here
  std::size_t bytes = 0;
  Place place = Place::arena;
  std::size_t offset = 0;
  void* address = nullptr;
  bool keep = false;  ///< fetched: its content must survive until the next run
};

/// One phase of one node's kernel.
struct PlanStep {
  std::string name;  ///< the node's, as the user sees it
  std::string op;
  Phase phase = Phase::forward;
  std::shared_ptr<const Kernel> kernel;
  int kernel_phase = 0;
  std::int64_t tiles = 1;
  ShortList<int, 6> inputs;        ///< buffers, in the order of the op's inputs
  ShortList<int, 6> outputs;       ///< buffers, in the order of the op's outputs
  ShortList<int, 6> writes;        ///< every buffer written: outputs, mutated inputs, workspace
  int workspace = -1;              ///< buffer, or -1
  ShortList<int, 6> predecessors;  ///< steps that must end first; each is smaller than this step
  bool fallible = false;
  double flops = 0;
  double bytes_moved = 0;
  std::string shapes;  ///< "f32 [128, 784], f32 [512, 784] -> f32 [128, 512]"
};

/// Everything that a run needs, as plain data. Steps are in a legal serial order.
struct Plan {
  std::vector<PlanBuffer> buffers;
  std::vector<PlanStep> steps;
  std::size_t arena_bytes = 0;     ///< with reuse, all arena buffers
  std::size_t unshared_bytes = 0;  ///< the same without any reuse
  std::size_t scratch_bytes = 0;   ///< for each tile in flight
  double prepare_seconds = 0;      ///< what the ops took to make the kernels
};

/// Bytes of all buffers of that place; of `Place::variable`, those of parameters and optimizer
/// state.
GRADMILL_API std::size_t bytes_in(const Plan& plan, Place place);

/// Throws Error when a step names a buffer that is not there, or a predecessor that is not before
/// it (which is how a cycle would look).
GRADMILL_API void validate(const Plan& plan);

}  // namespace gradmill
