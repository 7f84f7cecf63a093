#pragma once

// The training steps that are measured, as plain data: the one place that names them and their
// sizes. Needs no library, so that a peer's program can read it as well.

#include <cstdint>
#include <string>
#include <vector>

namespace gradmill::bench {

enum class Family : std::uint8_t {
  mlp,            ///< linear layers with relu between them, mean cross-entropy, an update
  branches,       ///< such layers, kTowers times on one input; the sum of the logits as above
  matmul,         ///< c = a b, and da and db for a dc that is fed
  cross_entropy,  ///< the mean loss of labels, and the gradient of the logits
};

enum class Update : std::uint8_t { none, sgd, momentum, adamw };

/// f32 throughout; labels are i64.
struct Spec {
  std::string name;
  Family family;
  std::int64_t rows;  ///< the batch; of a product the rows of a
  /// mlp, branches: of the input, the hidden layers and the output. matmul: of a [rows, sizes[0]]
  /// and b [sizes[0], sizes[1]]. cross_entropy: the classes.
  std::vector<std::int64_t> sizes;
  Update update = Update::none;
};

inline constexpr int kTowers = 16;

/// What the updates use.
inline constexpr double kSgdRate = 0.01;
inline constexpr double kMomentum = 0.9;
inline constexpr double kAdamWRate = 1e-3;
inline constexpr double kAdamWDecay = 0.01;

inline std::vector<Spec> specs() {
  return {
      {"mlp-small", Family::mlp, 64, {784, 128, 10}, Update::momentum},
      {"mlp", Family::mlp, 128, {784, 512, 512, 10}, Update::adamw},
      {"mlp-wide", Family::mlp, 512, {784, 2048, 2048, 10}, Update::adamw},
      {"branches", Family::branches, 32, {128, 128, 128, 10}, Update::sgd},
      {"matmul-64", Family::matmul, 64, {64, 64}},
      {"matmul-1024", Family::matmul, 1024, {1024, 1024}},
      {"matmul-512x768x3072", Family::matmul, 512, {768, 3072}},
      {"cross-entropy-65536x10", Family::cross_entropy, 65536, {10}},
      {"cross-entropy-8192x1000", Family::cross_entropy, 8192, {1000}},
      {"cross-entropy-1024x50257", Family::cross_entropy, 1024, {50257}},
  };
}

/// How many batches of data the steps take in turns, so that none finds its input in the cache
/// where the data is small, and none needs gigabytes where it is large.
inline int batches_of(const Spec& spec) { return spec.family == Family::cross_entropy ? 2 : 8; }

}  // namespace gradmill::bench
