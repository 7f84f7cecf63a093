#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include <gradmill/runtime/export.h>

namespace gradmill {

class Tunable;

/// What differs from one step to the next besides the data.
struct StepInfo {
  std::uint64_t step = 0;           ///< updates done before this step; 0 for the first
  double learning_rate = 0.0;       ///< in force during this step
  std::uint64_t seed = 0;           ///< of what is drawn at random
  std::uint32_t micro_batch = 0;    ///< the one of this run, counted within the step
  std::uint32_t micro_batches = 1;  ///< how many make a step: the last one updates
  bool training = true;             ///< false: evaluation, in which dropout keeps everything
};

/// The buffers of one node while a tile runs. Pointers need no particular alignment.
class KernelRun {
 public:
  KernelRun(void* const* inputs, void* const* outputs, std::byte* workspace, std::byte* scratch,
            const StepInfo* step)
      : inputs_(inputs), outputs_(outputs), workspace_(workspace), scratch_(scratch), step_(step) {}

  template <class T>
  const T* input(int i) const {
    return static_cast<const T*>(inputs_[i]);
  }
  /// An input that the op declares in `Op::mutates()`.
  template <class T>
  T* variable(int i) const {
    return static_cast<T*>(inputs_[i]);
  }
  template <class T>
  T* output(int i) const {
    return static_cast<T*>(outputs_[i]);
  }
  /// Shared by all tiles and phases of the node; `Kernel::workspace_bytes()` long, 64-byte aligned.
  template <class T>
  T* workspace() const {
    return reinterpret_cast<T*>(workspace_);
  }
  /// This tile's own; `Kernel::scratch_bytes()` long, 64-byte aligned, content undefined.
  template <class T>
  T* scratch() const {
    return reinterpret_cast<T*>(scratch_);
  }
  const StepInfo& step() const { return *step_; }

 private:
  void* const* inputs_;
  void* const* outputs_;
  std::byte* workspace_;
  std::byte* scratch_;
  const StepInfo* step_;
};

/// A node made ready to run: a fixed grid of tiles and the code for one of them.
///
/// The grid may depend on op, shape, dtype and instruction set, never on the number of threads. A
/// kernel has one or more phases; all tiles of a phase end before the first of the next begins, and
/// the tiles of one phase run in any order, on any threads, at the same time. `run` writes only
/// what no other tile of the phase reads or writes, allocates nothing, waits for nothing, and
/// throws only if the op is declared fallible: an Error or Failure that says what is wrong, to
/// which the executor adds op and node. A kernel holds no state that changes in a step.
class GRADMILL_API Kernel {
 public:
  virtual ~Kernel();

  virtual int phases() const { return 1; }
  virtual std::int64_t tiles(int phase) const = 0;
  virtual void run(int phase, std::int64_t tile, const KernelRun& run) const = 0;

  virtual std::size_t workspace_bytes() const { return 0; }
  virtual std::size_t scratch_bytes() const { return 0; }

  /// This kernel's choices, where there is something to choose; otherwise null.
  virtual const Tunable* tunable() const { return nullptr; }

  /// What does the work, for logs and plans: "dnnl_sgemm 4x2 tiles of 128x256", "avx2".
  virtual std::string description() const = 0;
};

}  // namespace gradmill
