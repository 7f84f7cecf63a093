#include <gmock/gmock.h>
#include <gradmill/ops/attention.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "support/error_of.h"
#include "support/op_check.h"

namespace gradmill {
namespace {

using testing::HasSubstr;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
// Sums of up to some hundred terms.
constexpr Tolerance kSums{.f32 = 3e-5, .f64 = 1e-13};

struct Setting {
  bool causal = false;
  std::optional<double> scale = {};
};

Builder separate(Setting setting = {}) {
  return [=](std::span<const Value> x) {
    return scaled_dot_product_attention(x[0], x[1], x[2],
                                        {.attn_mask = x.size() > 3 ? x[3] : Value(),
                                         .is_causal = setting.causal,
                                         .scale = setting.scale},
                                        "attn");
  };
}

Builder packed(std::int64_t heads, Setting setting = {}) {
  return [=](std::span<const Value> x) {
    return self_attention(x[0], heads, {.is_causal = setting.causal, .scale = setting.scale},
                          "attn");
  };
}

// One query at a time, as the formula says; the mask has the shape of the scores.
Array attend(const Array& q, const Array& k, const Array& v, const Array* mask, Setting setting) {
  const int rank = q.shape.rank();
  const std::int64_t queries = q.shape[rank - 2];
  const std::int64_t keys = k.shape[rank - 2];
  const std::int64_t width = q.shape[rank - 1];
  const std::int64_t value_width = v.shape[rank - 1];
  const double scale = setting.scale.value_or(1 / std::sqrt(static_cast<double>(width)));
  std::vector<std::int64_t> sizes = q.shape.sizes();
  sizes.back() = value_width;
  Array result{Shape(sizes)};
  for (std::int64_t row = 0; row < q.size() / width; ++row) {
    const std::int64_t head = row / queries;
    const std::int64_t seen = setting.causal ? std::min(keys, row % queries + 1) : keys;
    std::vector<double> scores(static_cast<std::size_t>(seen));
    double most = -kInfinity;
    for (std::int64_t j = 0; j < seen; ++j) {
      double& score = scores[static_cast<std::size_t>(j)];
      for (std::int64_t e = 0; e < width; ++e) {
        score += q[row * width + e] * k[(head * keys + j) * width + e];
      }
      score = score * scale + (mask != nullptr ? (*mask)[row * keys + j] : 0);
      most = std::max(most, score);
    }
    if (most == -kInfinity) continue;
    double sum = 0;
    for (double& score : scores) sum += score = std::exp(score - most);
    for (std::int64_t j = 0; j < seen; ++j) {
      for (std::int64_t e = 0; e < value_width; ++e) {
        result[row * value_width + e] +=
            scores[static_cast<std::size_t>(j)] / sum * v[(head * keys + j) * value_width + e];
      }
    }
  }
  return result;
}

auto reference(Setting setting = {}) {
  return [=](const std::vector<Array>& x) {
    if (x.size() == 3) return attend(x[0], x[1], x[2], nullptr, setting);
    std::vector<std::int64_t> scores = x[0].shape.sizes();
    scores.back() = x[1].shape[x[1].shape.rank() - 2];
    const Array mask = broadcast(x[3], Shape(scores));
    return attend(x[0], x[1], x[2], &mask, setting);
  };
}

// [B, T, 3 W] split into heads, and back.
auto packed_reference(std::int64_t heads, Setting setting = {}) {
  return [=](const std::vector<Array>& x) {
    const Shape& shape = x[0].shape;
    const std::int64_t batch = shape[0];
    const std::int64_t length = shape[1];
    const std::int64_t all = shape[2] / 3;
    const std::int64_t width = all / heads;
    std::vector<Array> parts;
    for (std::int64_t part = 0; part < 3; ++part) {
      Array& to = parts.emplace_back(Shape{batch, heads, length, width});
      for (std::int64_t i = 0; i < to.size(); ++i) {
        const Index at = index_of(i, to.shape);
        to[i] = x[0][(at[0] * length + at[2]) * 3 * all + part * all + at[1] * width + at[3]];
      }
    }
    const Array merged = transpose(attend(parts[0], parts[1], parts[2], nullptr, setting), 1, 2);
    return Array(Shape{batch, length, all}, merged.data);
  };
}

std::vector<Array> draw(Random& random, const Shape& leading, std::int64_t queries,
                        std::int64_t keys, std::int64_t width, std::int64_t value_width) {
  std::vector<Array> inputs;
  for (const auto& [rows, columns] :
       {std::pair{queries, width}, std::pair{keys, width}, std::pair{keys, value_width}}) {
    std::vector<std::int64_t> sizes = leading.sizes();
    sizes.insert(sizes.end(), {rows, columns});
    inputs.push_back(random.array(Shape(sizes), -1, 1));
  }
  return inputs;
}

TEST(Attention, MatchesTheReferenceOverRandomShapes) {
  for (std::uint64_t seed = 0; seed < 48; ++seed) {
    Random random(seed);
    const Shape leading = random.shape(static_cast<int>(seed % 3), 3);
    const std::int64_t most = seed % 6 == 5 ? 300 : 40;
    const std::int64_t queries = random.integer(1, most);
    const std::int64_t keys = random.integer(1, most);
    const std::int64_t width = random.integer(1, 37);
    const std::int64_t value_width = random.integer(1, 70);
    Setting setting{.causal = seed % 2 == 1};
    if (seed % 5 == 0) setting.scale = random.uniform(-1, 1);
    SCOPED_TRACE(cat("seed ", seed, ": ", leading, ' ', queries, " by ", keys, ", ", width, " and ",
                     value_width));
    expect_values(separate(setting), reference(setting),
                  draw(random, leading, queries, keys, width, value_width), kSums);
  }
}

TEST(Attention, MatchesTheReferenceWithSeveralBlocks) {
  Random random(7);
  for (const bool causal : {false, true}) {
    for (const auto& [queries, keys] :
         {std::pair{257, 513}, std::pair{600, 300}, std::pair{129, 256}}) {
      SCOPED_TRACE(cat(queries, " by ", keys, causal ? ", causal" : ""));
      expect_values(separate({causal}), reference({causal}),
                    draw(random, {2}, queries, keys, 16, 8), kSums);
    }
  }
}

TEST(Attention, AddsMasksThatBroadcast) {
  Random random(8);
  for (const Shape& shape : {Shape{2, 3, 21, 35}, Shape{21, 35}, Shape{3, 1, 35},
                             Shape{2, 1, 21, 1}, Shape{35}, Shape{1}, Shape{}}) {
    SCOPED_TRACE(to_string(shape));
    std::vector<Array> inputs = draw(random, {2, 3}, 21, 35, 5, 9);
    inputs.push_back(random.array(shape));
    expect_values(separate(), reference(), inputs, kSums);
  }
}

TEST(Attention, HiddenKeysCountForNothing) {
  Random random(9);
  std::vector<Array> inputs = draw(random, {}, 19, 300, 4, 4);
  inputs.push_back(Array(Shape{19, 300}));
  for (std::int64_t i = 0; i < inputs[3].size(); ++i) {
    // Query 3 sees nothing, query 4 nothing of the first block.
    const std::int64_t row = i / 300;
    const bool hidden = row == 3 || (row == 4 && i % 300 < 260) || random.integer(0, 2) == 0;
    if (hidden) inputs[3][i] = -kInfinity;
  }
  expect_values(separate(), reference(), inputs, kSums);
  const Array mask = inputs[3];
  inputs.pop_back();
  const Builder masked = [&](std::span<const Value> x) {
    return scaled_dot_product_attention(x[0], x[1], x[2],
                                        {.attn_mask = constant(x[0].graph(), mask, x[0].dtype())});
  };
  expect_gradients(masked, inputs);
  EXPECT_EQ(evaluate(masked, inputs, DType::f32)[3 * 4], 0);
}

TEST(Attention, LargeScoresNeitherOverflowNorLoseDigits) {
  Random random(10);
  std::vector<Array> inputs = draw(random, {}, 40, 50, 4, 3);
  for (double& x : inputs[0].data) x = 64 * std::round(100 * x);
  for (double& x : inputs[1].data) x = 64 * std::round(10 * x);
  expect_values(separate({.scale = 1}), reference({.scale = 1}), inputs, {.f32 = 1e-6});
  expect_gradients(separate({.scale = 1.0 / 65536}), inputs, 1e-6);
}

TEST(Attention, NotANumberStaysInItsRow) {
  Random random(11);
  std::vector<Array> inputs = draw(random, {}, 40, 20, 4, 4);
  inputs[0](7, 1) = std::numeric_limits<double>::quiet_NaN();
  const Array result = evaluate(separate(), inputs, DType::f32);
  for (std::int64_t i = 0; i < 40; ++i) EXPECT_EQ(std::isnan(result(i, 0)), i == 7) << i;
}

TEST(Attention, GradientsMatchCentralDifferences) {
  Random random(1);
  for (const bool causal : {false, true}) {
    for (const auto& [queries, keys, width, value_width] :
         {std::array{1, 1, 1, 1}, std::array{5, 9, 3, 7}, std::array{9, 5, 17, 2},
          std::array{70, 35, 4, 4}, std::array{3, 300, 2, 3}}) {
      SCOPED_TRACE(cat(queries, " by ", keys, causal ? ", causal" : ""));
      expect_gradients(separate({causal}), draw(random, {2}, queries, keys, width, value_width));
    }
  }
  expect_gradients(separate({.scale = -0.3}), draw(random, {}, 4, 6, 3, 2));
}

TEST(SelfAttention, MatchesTheReferenceOverRandomShapes) {
  for (std::uint64_t seed = 0; seed < 24; ++seed) {
    Random random(seed);
    const std::int64_t heads = random.integer(1, 4);
    const std::int64_t width = random.integer(1, 33);
    const Shape shape{random.integer(1, 3), random.integer(1, seed % 4 == 3 ? 300 : 50),
                      3 * heads * width};
    const Setting setting{.causal = seed % 2 == 1};
    SCOPED_TRACE(cat("seed ", seed, ": ", shape, ", ", heads, " heads"));
    expect_values(packed(heads, setting), packed_reference(heads, setting),
                  {random.array(shape, -1, 1)}, kSums);
  }
}

TEST(SelfAttention, GradientsMatchCentralDifferences) {
  Random random(2);
  for (const bool causal : {false, true}) {
    expect_gradients(packed(2, {causal}), {random.array({2, 7, 18}, -1, 1)});
    expect_gradients(packed(1, {causal}), {random.array({1, 9, 3})});
    expect_gradients(packed(3, {causal}), {random.array({40, 9}, -1, 1)});
  }
}

// Central differences over long sequences take long: these are compared with short blocks instead.
TEST(SelfAttention, LongSequencesHaveTheGradientsOfTheSeparateTensors) {
  Random random(3);
  const Array qkv = random.array({1, 600, 24}, -1, 1);
  const Array upstream = random.array({1, 600, 8}, -1, 1);
  for (const bool causal : {false, true}) {
    const auto gradient = [&](bool fused) {
      return [&, fused](std::span<const Value> x) {
        Graph& graph = x[0].graph();
        Value y;
        if (fused) {
          y = self_attention(x[0], 2, {.is_causal = causal});
        } else {
          const Value heads = transpose(reshape(x[0], {1, 600, 6, 4}), 1, 2);
          std::vector<Value> parts;
          for (int part = 0; part < 3; ++part) {
            Array take(Shape{2, 6});
            for (int head = 0; head < 2; ++head) take(head, 2 * part + head) = 1;
            const Value rows =
                matmul(constant(graph, take, x[0].dtype()), reshape(heads, {6, 2400}));
            parts.push_back(reshape(rows, {1, 2, 600, 4}));
          }
          Value scores = matmul(parts[0], parts[1], {.transpose_b = true}) * 0.5;
          if (causal) {
            Array mask(Shape{600, 600});
            for (int i = 0; i < 600; ++i) {
              for (int j = i + 1; j < 600; ++j) mask(i, j) = -1e30;
            }
            scores = scores + constant(graph, mask, x[0].dtype());
          }
          y = reshape(transpose(matmul(softmax(scores), parts[2]), 1, 2), {1, 600, 8});
        }
        const Value u = constant(graph, upstream, x[0].dtype());
        return gradients(std::span(&y, 1), x, std::span(&u, 1))[0];
      };
    };
    for (const DType dtype : {DType::f64, DType::f32}) {
      expect_near(evaluate(gradient(true), {qkv}, dtype), evaluate(gradient(false), {qkv}, dtype),
                  dtype == DType::f64 ? 1e-12 : 2e-5);
    }
  }
}

TEST(Attention, ManyTilesGiveTheSameBitsOnAnyNumberOfThreads) {
  Random random(4);
  for (const bool causal : {false, true}) {
    expect_same_bits(separate({causal}), draw(random, {3}, 300, 530, 17, 9));
    const std::vector<Array> qkv = {random.array({2, 515, 3 * 2 * 16}, -1, 1)};
    expect_same_bits(packed(2, {causal}), qkv);
    EXPECT_GT(most_tiles(packed(2, {causal}), qkv), 8);
  }
}

TEST(Attention, RefusesWhatDoesNotFit) {
  const DType f = DType::f32;
  const auto refused = [&](const Shape& q, const Shape& k, const Shape& v) {
    return refusal(separate(), {{f, q}, {f, k}, {f, v}});
  };
  EXPECT_THAT(refused({2, 3, 4}, {2, 5, 6}, {2, 5, 4}),
              HasSubstr("scaled_dot_product_attention 'attn': the last axes of query [2, 3, 4] and "
                        "key [2, 5, 6] differ"));
  EXPECT_THAT(refused({2, 3, 4}, {2, 5, 4}, {2, 6, 4}),
              HasSubstr("key [2, 5, 4] and value [2, 6, 4] differ in how many there are"));
  EXPECT_THAT(refused({2, 3, 4}, {1, 5, 4}, {2, 5, 4}),
              HasSubstr("leading axes differ: query [2, 3, 4], key [1, 5, 4], value [2, 5, 4]"));
  EXPECT_THAT(refused({4}, {4}, {4}), HasSubstr("of one rank of at least 2"));
  EXPECT_THAT(refused({2, 3, 4}, {5, 4}, {5, 4}), HasSubstr("of one rank of at least 2"));
  const Type q{f, {3, 4}};
  EXPECT_THAT(refusal(separate(), {q, {DType::f64, {3, 4}}, q}), HasSubstr("all f32 or all f64"));
  EXPECT_THAT(refusal(separate(), {q, q, q, {f, {2, 3}}}),
              HasSubstr("attn_mask must broadcast to f32 [3, 3], got f32 [2, 3]"));
  EXPECT_THAT(refusal(separate(), {q, q, q, {DType::f64, {3, 3}}}),
              HasSubstr("attn_mask must broadcast to f32 [3, 3], got f64 [3, 3]"));
  EXPECT_THAT(refusal(separate({.causal = true}), {q, q, q, {f, {3, 3}}}),
              HasSubstr("attn_mask and is_causal exclude each other"));
  EXPECT_THAT(refusal(separate({.scale = kInfinity}), {q, q, q}),
              HasSubstr("the scale must be finite, got inf"));
}

TEST(Attention, RefusesGradientsThatItLacks) {
  Graph graph;
  const Value x = graph.input("x", {3, 4});
  const Value mask = graph.input("mask", {3, 3});
  const Value y = sum(scaled_dot_product_attention(x, x, x, {.attn_mask = mask}));
  EXPECT_THAT(error_of([&] { gradients(y, std::span(&mask, 1)); }),
              HasSubstr("attn_mask has no gradient"));
  const Value dx = sum(gradients(y, std::span(&x, 1))[0]);
  EXPECT_THAT(error_of([&] { gradients(dx, std::span(&x, 1)); }),
              HasSubstr("attention has no second derivatives"));
}

TEST(SelfAttention, RefusesWhatDoesNotFit) {
  EXPECT_THAT(
      refusal(packed(2), {{DType::f32, {5, 9}}}),
      HasSubstr("self_attention 'attn': the last axis of qkv [5, 9] must be a multiple of 3 "
                "times 2 heads"));
  EXPECT_THAT(refusal(packed(0), {{DType::f32, {5, 9}}}),
              HasSubstr("num_heads must be at least 1, got 0"));
  EXPECT_THAT(refusal(packed(1), {{DType::i64, {5, 9}}}),
              HasSubstr("qkv must be f32 or f64 [..., T, 3 W], got i64 [5, 9]"));
  EXPECT_THAT(refusal(packed(1), {{DType::f32, {9}}}),
              HasSubstr("qkv must be f32 or f64 [..., T, 3 W], got f32 [9]"));
  EXPECT_THAT(refusal(packed(1, {.scale = kInfinity}), {{DType::f32, {5, 9}}}),
              HasSubstr("the scale must be finite"));
}

}  // namespace
}  // namespace gradmill
