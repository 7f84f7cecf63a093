// Products by bands against sums in double, and what they leave alone.

#include <gradmill/ops/matmul/bands.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <new>
#include <vector>

#include "support/array.h"

namespace gradmill {
namespace {

// Behind what may be written lies what must not change.
class Guarded {
 public:
  Guarded(std::size_t size, float value)
      : data_(new (std::align_val_t(64)) float[size + kGuards]), size_(size) {
    std::fill_n(data_, size, value);
    std::fill_n(data_ + size, kGuards, kGuard);
  }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;
  ~Guarded() { ::operator delete[](data_, std::align_val_t(64)); }

  float* data() { return data_; }
  bool whole() const {
    return std::all_of(data_ + size_, data_ + size_ + kGuards, [](float v) { return v == kGuard; });
  }

 private:
  static constexpr std::size_t kGuards = 64;
  static constexpr float kGuard = 12345;
  float* data_;
  std::size_t size_;
};

struct Case {
  std::int64_t m, n, k;
  GemmTile tile;
};

std::vector<float> drawn(Random& random, std::int64_t size) {
  std::vector<float> result;
  for (std::int64_t i = 0; i < size; ++i) {
    result.push_back(static_cast<float>(random.uniform(-1, 1)));
  }
  return result;
}

void expect_product(const Case& c, std::uint64_t seed) {
  SCOPED_TRACE(testing::Message() << c.m << "x" << c.n << "x" << c.k << ", tile of " << c.tile.rows
                                  << "x" << c.tile.columns << "x" << c.tile.depth << " at "
                                  << c.tile.row << ", " << c.tile.column << ", " << c.tile.k
                                  << ", seed " << seed);
  Random random(seed);
  const std::vector<float> a = drawn(random, c.k * c.m);
  const std::vector<float> b = drawn(random, c.k * c.n);
  const std::vector<float> parameter(static_cast<std::size_t>(c.m * c.n));
  const Gemm gemm{.m = c.m, .n = c.n, .k = c.k, .transpose_a = true};
  const GemmTile& t = c.tile;
  const std::int64_t stride = t.columns;
  Guarded result(static_cast<std::size_t>(stride * t.rows), NAN);
  Guarded scratch(static_cast<std::size_t>(band_scratch(t.columns, t.depth)), NAN);
  NextRows next{.count = 1, .stride = c.n};
  next.first[0] = parameter.data() + t.row * c.n + t.column;

  std::int64_t finished = 0;
  multiply_in_bands(
      gemm, t, a.data(), b.data(), scratch.data(), result.data(), stride, next,
      [&](std::int64_t row, std::int64_t rows) {
        EXPECT_EQ(row, finished);
        finished += rows;
        for (std::int64_t i = row; i < row + rows; ++i) {
          for (std::int64_t j = 0; j < t.columns; ++j) {
            double sum = 0;
            double magnitude = 0;
            for (std::int64_t k = t.k; k < t.k + t.depth; ++k) {
              const double term =
                  static_cast<double>(a[static_cast<std::size_t>(k * c.m + t.row + i)]) *
                  static_cast<double>(b[static_cast<std::size_t>(k * c.n + t.column + j)]);
              sum += term;
              magnitude += std::abs(term);
            }
            const double rounding = 0x1p-24 * (static_cast<double>(t.depth) + 1);
            ASSERT_LE(std::abs(static_cast<double>(result.data()[i * stride + j]) - sum),
                      rounding * magnitude)
                << "row " << i << ", column " << j;
          }
        }
      });
  EXPECT_EQ(finished, t.rows);
  EXPECT_TRUE(result.whole());
  EXPECT_TRUE(scratch.whole());
}

TEST(GemmBands, AreTheProductForEveryHeightAndWidth) {
  for (std::int64_t rows = 1; rows <= 2 * kBandRows + 1; ++rows) {
    expect_product({rows, 19, 7, {.rows = rows, .columns = 19, .depth = 7}}, 1);
  }
  for (std::int64_t columns = 1; columns <= 70; ++columns) {
    expect_product({9, columns, 6, {.rows = 9, .columns = columns, .depth = 6}}, 2);
  }
}

TEST(GemmBands, CutTheSumWhereItIsDeep) {
  for (const std::int64_t depth : {1, 2, 3, 4, 5, 63, 64, 159, 160, 161, 191, 256, 333, 500}) {
    EXPECT_LE(band_depth(depth), depth);
    expect_product({40, 50, depth, {.rows = 40, .columns = 50, .depth = depth}}, 3);
  }
}

TEST(GemmBands, DoATileOfALargerProduct) {
  for (const std::int64_t n : {96, 97, 512}) {
    expect_product({100, n, 90, {.row = 13, .column = 21, .rows = 35, .columns = 70, .depth = 90}},
                   4);
    expect_product({100, n, 300, {.row = 64, .rows = 36, .columns = 96, .k = 20, .depth = 201}}, 5);
  }
}

}  // namespace
}  // namespace gradmill
