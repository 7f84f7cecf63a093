// Every form of torch.matmul, each operand stored plain and transposed.

#include <gtest/gtest.h>

#include "support/reference.h"

namespace gradmill {
namespace {

using Json = nlohmann::json;

// Up to 17 products of up to 4, added with a relative error of 6e-8 each: where they cancel, that
// is more than 1e-5 of what is left.
constexpr Bound kSums{.absolute = 2e-6};

// The same matrices, stored with their last two axes exchanged.
Array stored(const Array& x, bool transposed) { return transposed ? transpose(x, -2, -1) : x; }

TEST(PyTorch, GivesTheSameProductsInEveryForm) {
  const Json& cases = pytorch_numbers("matmul").at("cases");
  ASSERT_FALSE(cases.empty());
  for (const Json& tested : cases) {
    const Array a = to_array(tested.at("inputs").at(0));
    const Array b = to_array(tested.at("inputs").at(1));
    const Array gradient_a = to_array(tested.at("gradients").at(0));
    const Array gradient_b = to_array(tested.at("gradients").at(1));
    for (const bool transpose_a : {false, true}) {
      if (transpose_a && a.shape.rank() == 1) continue;
      for (const bool transpose_b : {false, true}) {
        if (transpose_b && b.shape.rank() == 1) continue;
        SCOPED_TRACE(cat("matmul ", a.shape, transpose_a ? " (stored transposed)" : "", " @ ",
                         b.shape, transpose_b ? " (stored transposed)" : ""));
        const Builder build = [&](std::span<const Value> x) {
          return matmul(x[0], x[1], {.transpose_a = transpose_a, .transpose_b = transpose_b});
        };
        expect_outcome(build, {stored(a, transpose_a), stored(b, transpose_b)},
                       to_array(tested.at("upstream")),
                       {to_array(tested.at("result")),
                        {stored(gradient_a, transpose_a), stored(gradient_b, transpose_b)}},
                       {kSums, kSums});
      }
    }
  }
}

}  // namespace
}  // namespace gradmill
