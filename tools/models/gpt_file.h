#pragma once

#include <cstdint>
#include <map>
#include <string>

#include <gradmill/graph/parameters.h>
#include <gradmill/runtime/safetensors.h>

#include "models/gpt.h"

namespace gradmill {

/// A GPT-2 in a safetensors file: one that `Parameters::save` wrote with `gpt_metadata`, or one
/// with GPT-2's names as others publish it, whose linear weights are [in, out]. Shapes say which.
///
/// Names may start with `transformer.`; the masks `h.N.attn.bias` and `h.N.attn.masked_bias` are
/// ignored. Without lm_head.weight, or with one equal to wte.weight, the two are tied.
class GptFile {
 public:
  /// `heads` does not follow from the shapes: 0 takes the number in the file's metadata, or else
  /// the width divided by 64, which is the head width of all of GPT-2's sizes. Throws Error naming
  /// the file when it is not a safetensors file (see SafetensorsFile), when tensors are missing,
  /// unknown or of a type that does not fit the others (all are listed), and when the number of
  /// heads is not known or does not divide the width.
  explicit GptFile(const std::string& path, std::int64_t heads = 0);

  /// The sizes that were read; dropout is 0.
  const GptConfig& config() const { return config_; }

  /// Copies all values to the parameters of a Gpt of this config.
  void copy_to(Parameters& parameters) const;

 private:
  void read_sizes();
  std::int64_t count_layers() const;
  std::int64_t read_heads() const;
  void check_tensors() const;

  std::string path_;
  SafetensorsFile file_;
  std::map<std::string, const TensorView*> tensors_;  ///< by GPT-2's names, without the prefix
  GptConfig config_;
  bool published_ = false;  ///< linear weights are [in, out]
};

/// Metadata for `Parameters::save`, with which GptFile can read the file.
std::map<std::string, std::string> gpt_metadata(const GptConfig& config);

}  // namespace gradmill
