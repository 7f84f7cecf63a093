// How products are cut, over problems far too large to compute.

#include <gradmill/ops/matmul/batch.h>
#include <gradmill/ops/matmul/grid.h>
#include <gradmill/ops/matmul/kernel.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <cmath>

#include "support/generators.h"

namespace gradmill {
namespace {

constexpr double kLarge = 1e9;  // FLOPs above which a product must have tiles for many cores
constexpr std::int64_t kTilesOfLarge = 32;

double flops(const Gemm& g) {
  double result =
      2.0 * static_cast<double>(g.m) * static_cast<double>(g.n) * static_cast<double>(g.k);
  for (const BatchAxis& axis : g.batch) result *= static_cast<double>(axis.size);
  return result;
}

// In [1, 2^most], small ones as likely as large ones.
std::int64_t drawn_size(const std::string& what, std::int64_t most) {
  const std::int64_t power = std::int64_t{1} << drawn(cat("binary digits of ", what), 0, most);
  return drawn(what, power, 2 * power - 1);
}

// The axes of a batch as shapes would give them: each in two of A, B and C, or in all three.
std::vector<BatchAxis> drawn_batch() {
  std::vector<std::int64_t> a, b, c;
  for (std::int64_t left = drawn("batch axes", 0, 2); left > 0; --left) {
    const std::int64_t size = drawn_size("batch axis", 9);
    const std::int64_t lacking = drawn("who lacks the axis", 0, 3);
    a.push_back(lacking == 1 ? 1 : size);
    b.push_back(lacking == 2 ? 1 : size);
    c.push_back(lacking == 3 ? 1 : size);
  }
  return batch_axes(Shape(a), Shape(b), Shape(c));
}

Gemm drawn_gemm() {
  Gemm gemm{.dtype = drawn_dtype(),
            .m = drawn_size("m", 13),
            .n = drawn_size("n", 13),
            .k = drawn_size("k", 13),
            .transpose_a = drawn_bool("A transposed"),
            .transpose_b = drawn_bool("B transposed"),
            .batch = drawn_batch()};
  // What is too small gets a longer sum: small outputs with a huge K are the hard ones.
  if (flops(gemm) <= kLarge) {
    gemm.k = static_cast<std::int64_t>(static_cast<double>(gemm.k) * kLarge / flops(gemm)) + 1;
  }
  return gemm;
}

std::int64_t main_tiles(const Kernel& kernel) {
  std::int64_t most = 0;
  for (int phase = 0; phase < kernel.phases(); ++phase) {
    most = std::max(most, kernel.tiles(phase));
  }
  return most;
}

void require_many_tiles(const Gemm& gemm, const Kernel& kernel) {
  if (main_tiles(kernel) >= kTilesOfLarge) return;
  RC_FAIL(cat(tuning_key(gemm), ", ", flops(gemm) / 1e9, " GFLOP: ", main_tiles(kernel), " tiles; ",
              kernel.description()));
}

TEST(GemmGridProperty, EveryProductAboveOneGflopHasThirtyTwoTiles) {
  holds([] {
    const Gemm gemm = drawn_gemm();
    require_many_tiles(gemm, *make_gemm(gemm, {}));
  });
}

TEST(GemmGridProperty, SoHasEveryChoiceThatTuningTries) {
  holds([] {
    const Gemm gemm = drawn_gemm();
    const auto kernel = make_gemm(gemm, {});
    for (const auto& choice : kernel->tunable()->choices()) {
      require_many_tiles(gemm, *kernel->tunable()->with_choice(choice));
    }
  });
}

TEST(GemmGridProperty, AProductIsOneOfItsOwnChoices) {
  holds([] {
    const Gemm gemm = drawn_gemm();
    const auto kernel = make_gemm(gemm, {});
    const auto choices = kernel->tunable()->choices();
    const auto again = kernel->tunable()->with_choice(choices.at(0));
    if (again->description() != kernel->description()) {
      RC_FAIL(cat(kernel->description(), " became ", again->description()));
    }
    for (auto one = choices.begin(); one != choices.end(); ++one) {
      if (std::find(choices.begin(), one, *one) != one) RC_FAIL("a choice is there twice");
    }
  });
}

TEST(GemmGrid, TheSmallestOutputsHaveManyTilesToo) {
  for (const DType dtype : {DType::f32, DType::f64}) {
    for (const auto& [m, n] : {std::pair(1, 1), std::pair(1, 10), std::pair(10, 1),
                               std::pair(10, 10), std::pair(48, 48), std::pair(31, 200)}) {
      for (int transposed = 0; transposed < 4; ++transposed) {
        const Gemm gemm{.dtype = dtype,
                        .m = m,
                        .n = n,
                        .k = 600'000'000 / (m * n),
                        .transpose_a = (transposed & 1) != 0,
                        .transpose_b = (transposed & 2) != 0};
        EXPECT_GE(main_tiles(*make_gemm(gemm, {})), kTilesOfLarge) << tuning_key(gemm);
      }
    }
  }
}

}  // namespace
}  // namespace gradmill
