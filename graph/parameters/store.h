#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include <gradmill/runtime/support/arena.h>
#include <gradmill/runtime/tensor.h>

namespace gradmill {

/// What is behind `Parameters`, and what the sessions that share it work on.
struct GRADMILL_API ParameterStore {
  struct Variable {
    Type type;
    Arena bytes;
  };
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view name) const {
      return std::hash<std::string_view>()(name);
    }
  };
  // A session asks for each name several times.
  using Variables = std::unordered_map<std::string, Variable, Hash, std::equal_to<>>;

  /// Where a variable lives; null when there is none of that name. Waits for a running step.
  void* address(std::string_view name) const;
  /// Adds a zeroed optimizer state unless it is there. Throws Error when it is there with another
  /// type. Waits for a running step.
  void ensure_state(const std::string& name, const Type& type);

  Variables parameters;
  Variables state;  ///< of optimizers; no name is in both
  std::atomic<std::uint64_t> step = 0;
  /// Held by a step: exclusively by one that updates.
  mutable std::shared_mutex mutex;
};

}  // namespace gradmill
