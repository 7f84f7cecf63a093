#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <gradmill/graph/graph.h>
#include <gradmill/runtime/tensor.h>

namespace gradmill {

struct ParameterStore;

/// Named parameters and their optimizer state, shared by the sessions that train, evaluate and
/// infer with them. Sessions running at the same time take turns when one of them trains. The
/// functions here may be called from any thread; they wait for a running step.
class GRADMILL_API Parameters {
 public:
  /// The parameters of `graph`, with the values that its initializers draw for `seed`.
  explicit Parameters(const Graph& graph, std::uint64_t seed = 0);
  ~Parameters();
  Parameters(const Parameters&) = delete;
  Parameters& operator=(const Parameters&) = delete;

  /// In the order in which the graph declared them.
  const std::vector<std::string>& names() const { return names_; }
  bool contains(std::string_view name) const;

  /// The live values; another session's step may change them while they are read.
  /// Throws Error for an unknown name, listing the known ones.
  TensorView view(std::string_view name) const;

  /// Copies values in. Throws Error for an unknown name, a wrong dtype or a wrong count.
  template <Element T>
  void assign(std::string_view name, std::span<const T> values) {
    assign_bytes(name, dtype_of<T>(), std::as_bytes(values));
  }

  /// Updates done so far, over all sessions that share these parameters.
  std::uint64_t step() const;

  /// Writes all parameters as safetensors, atomically (beside, sync, rename). `metadata` goes into
  /// the file's `__metadata__`. Throws Failure when the file cannot be written; what was there
  /// before stays.
  void save(const std::string& path, const std::map<std::string, std::string>& metadata = {}) const;
  /// The same with the optimizer state, as tensors named "optimizer." and the state's name, and the
  /// number of steps as `step` of the metadata: training goes on from there after `load`.
  void save_training(const std::string& path,
                     std::map<std::string, std::string> metadata = {}) const;

  /// Replaces all values by those of a safetensors file, whose names and types must be exactly
  /// these parameters' (f32 and f64 convert to neither). Throws Error listing every name or type
  /// that does not fit, or what is wrong with the file; nothing is changed then.
  /// Optimizer state and number of steps are then those of a file that `save_training` wrote; else
  /// the state starts again from zero.
  void load(const std::string& path);

  /// What sessions work on; internal.
  ParameterStore& store() const { return *store_; }

 private:
  void assign_bytes(std::string_view name, DType dtype, std::span<const std::byte> bytes);

  std::vector<std::string> names_;
  std::unique_ptr<ParameterStore> store_;
};

}  // namespace gradmill
