#pragma once

// Kernels of several phases: what they do is one list, from which phases, tiles and run follow.

#include <cstddef>
#include <cstdint>
#include <tuple>
#include <vector>

#include <gradmill/runtime/kernel.h>

namespace gradmill {

/// A kernel whose phases are stages: numbers of tiles, each with the member function of `Self` that
/// runs one of them. `Args` are what a stage passes on to its function in front of the tile, such
/// as the number of a block.
///
///   class Norm final : public StagedKernel<Norm> {
///     Norm() {
///       add_stage(blocks, &Norm::sum_block);
///       add_stage(1, &Norm::finish);
///     }
///     void sum_block(std::int64_t tile, const KernelRun& run) const;
///     void finish(std::int64_t tile, const KernelRun& run) const;
///   };
template <class Self, class... Args>
class StagedKernel : public Kernel {
 public:
  int phases() const final { return as_one_ ? 1 : static_cast<int>(stages_.size()); }
  std::int64_t tiles(int phase) const final { return as_one_ ? 1 : at(phase).tiles; }
  void run(int phase, std::int64_t tile, const KernelRun& run) const final {
    if (!as_one_) return run_stage(at(phase), tile, run);
    for (const Stage& stage : stages_) {
      for (std::int64_t i = 0; i < stage.tiles; ++i) run_stage(stage, i, run);
    }
  }

 protected:
  using Body = void (Self::*)(Args..., std::int64_t tile, const KernelRun& run) const;

  /// Of at least one tile.
  void add_stage(std::int64_t tiles, Body body, Args... args) {
    stages_.push_back({tiles, body, {args...}});
  }
  /// All tiles of all stages become one, which runs them in their order: for what is small.
  void run_as_one() { as_one_ = true; }

 private:
  struct Stage {
    std::int64_t tiles;
    Body body;
    std::tuple<Args...> args;
  };

  const Stage& at(int phase) const { return stages_[static_cast<std::size_t>(phase)]; }
  void run_stage(const Stage& stage, std::int64_t tile, const KernelRun& run) const {
    std::apply(
        [&](Args... args) { (static_cast<const Self*>(this)->*stage.body)(args..., tile, run); },
        stage.args);
  }

  std::vector<Stage> stages_;
  bool as_one_ = false;
};

}  // namespace gradmill
