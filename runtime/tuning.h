#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <gradmill/runtime/export.h>

namespace gradmill {

class Kernel;

/// What a kernel offers whose work can be done in several ways, which differ in speed and perhaps
/// in rounding: `Kernel::tunable()`.
class GRADMILL_API Tunable {
 public:
  /// By this a `Tuning` keeps the best choice.
  virtual std::string tuning_key() const = 0;
  /// The choices worth measuring, the kernel's own first.
  virtual std::vector<std::vector<std::int64_t>> choices() const = 0;
  /// The same work done another way. Throws Error for what is no choice.
  virtual std::unique_ptr<Kernel> with_choice(const std::vector<std::int64_t>& choice) const = 0;

 protected:
  ~Tunable() = default;
};

/// What was measured to be the fastest way for kernels to do their work on some machine: for a
/// kernel's key, numbers that mean something to the op that makes it. Results have the same bits
/// with the same tuning, whoever measured it; with another they may be rounded differently.
class GRADMILL_API Tuning {
 public:
  /// The numbers for `key`, or null.
  const std::vector<std::int64_t>* find(const std::string& key) const;
  void set(const std::string& key, std::vector<std::int64_t> choice);
  const std::map<std::string, std::vector<std::int64_t>>& entries() const { return entries_; }

  /// As JSON: {"gradmill_tuning": 1, "kernels": {key: [numbers]}}, atomically. Throws Failure when
  /// the file cannot be written.
  void save(const std::string& path) const;
  /// Throws Error when there is no such file, or it is not one that `save` wrote.
  static Tuning load(const std::string& path);

 private:
  std::map<std::string, std::vector<std::int64_t>> entries_;
};

}  // namespace gradmill
