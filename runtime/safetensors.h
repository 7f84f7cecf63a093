#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <gradmill/runtime/tensor.h>

namespace gradmill {

/// A tensor to be written, or one that was read.
struct NamedTensor {
  std::string name;
  TensorView tensor;
};

/// Writes tensors (F32, F64, I64) as a safetensors file, sorted by dtype (the widest first, so that
/// all are aligned) and name, so that equal contents give equal bytes. Atomic: written beside
/// `path`, synced, renamed; on failure the temporary file is removed and what was at `path` stays.
/// Throws Error for a name used twice or not UTF-8, Failure when the system refuses (naming path
/// and reason).
GRADMILL_API void write_safetensors(const std::string& path, std::span<const NamedTensor> tensors,
                                    const std::map<std::string, std::string>& metadata = {});

/// Throws Error when `path` could not be written by write_safetensors: its folder is missing or
/// not writable, or it names a folder. Leaves nothing behind.
GRADMILL_API void check_writable(const std::string& path);

/// A safetensors file in memory.
class GRADMILL_API SafetensorsFile {
 public:
  /// Reads and checks the whole file. Throws Error naming the file and the rule it breaks: shorter
  /// than its header says, a header over 100 MB or not a JSON object of the format, an unknown
  /// dtype, sizes that do not match the offsets, tensors that overlap or leave gaps, bytes after
  /// the last.
  explicit SafetensorsFile(const std::string& path);
  SafetensorsFile(SafetensorsFile&&) noexcept = default;
  SafetensorsFile& operator=(SafetensorsFile&&) noexcept = default;

  /// In the order of the names. Views live as long as this object.
  const std::vector<NamedTensor>& tensors() const { return tensors_; }
  /// Null when there is none.
  const TensorView* find(std::string_view name) const;
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

 private:
  std::vector<std::byte> bytes_;
  std::vector<NamedTensor> tensors_;
  std::map<std::string, std::string> metadata_;
};

}  // namespace gradmill
