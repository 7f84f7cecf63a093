// What a plan does for products: what is one product, what is never in memory, what is fused.

#include <gmock/gmock.h>
#include <gradmill/gradmill.h>
#include <gradmill/ops/matmul/batch.h>
#include <gtest/gtest.h>

#include <numeric>

#include "support/op_check.h"

namespace gradmill {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

// The kernel of each step of a plan that computes `fetches`.
std::vector<std::string> kernels(const Graph& graph, std::vector<Value> fetches) {
  std::vector<std::string> result;
  const Session session(graph, {.fetches = std::move(fetches)});
  for (const PlanStep& step : session.plan().steps) result.push_back(step.kernel->description());
  return result;
}

// Both gradients of a product, of an upstream that is fed.
struct Product {
  Product(const Shape& shape_a, const Shape& shape_b, const MatmulOptions& options = {})
      : a(graph.input("a", shape_a)), b(graph.input("b", shape_b)), c(matmul(a, b, options)) {
    const Value upstream = graph.input("upstream", c.shape());
    const std::vector<Value> d = gradients({c}, {a, b}, {upstream});
    da = d[0];
    db = d[1];
  }
  Graph graph;
  Value a, b, c, da, db;
};

TEST(MatmulPlan, ABatchTimesOneMatrixIsOneProduct) {
  for (const bool transposed : {false, true}) {
    Product p({8, 16, 32}, transposed ? Shape{24, 32} : Shape{32, 24}, {.transpose_b = transposed});
    EXPECT_THAT(kernels(p.graph, {p.c}),
                ElementsAre(StartsWith("dnnl_sgemm, 1x1 tiles of 128x24")));
    EXPECT_THAT(kernels(p.graph, {p.da}),
                ElementsAre(StartsWith("dnnl_sgemm, 1x1 tiles of 128x32")));
    EXPECT_THAT(
        kernels(p.graph, {p.db}),
        ElementsAre(EndsWith(transposed ? ", 1x1 tiles of 24x32" : ", 1x1 tiles of 32x24")));
  }
  Product vector({8, 16, 32}, {32});
  EXPECT_THAT(kernels(vector.graph, {vector.c}), ElementsAre("dnnl_sgemm, 1x1 tiles of 128x1"));
  EXPECT_THAT(kernels(vector.graph, {vector.da}),
              ElementsAre(StartsWith("dnnl_sgemm, 1x1 tiles of 128x32")));
  EXPECT_THAT(kernels(vector.graph, {vector.db}), ElementsAre("dnnl_sgemm, 1x1 tiles of 32x1"));
}

TEST(MatmulPlan, ABatchTimesOneMatrixHasTheBitsOfTheFlatProduct) {
  Random random(1);
  const std::vector<Array> x = {random.array({3, 50, 70}), random.array({70, 150})};
  const auto direct = [](std::span<const Value> v) { return matmul(v[0], v[1]); };
  const auto flat = [](std::span<const Value> v) {
    return reshape(matmul(reshape(v[0], {150, 70}), v[1]), {3, 50, 150});
  };
  for (const DType dtype : {DType::f32, DType::f64}) {
    EXPECT_EQ(evaluate(direct, x, dtype).data, evaluate(flat, x, dtype).data);
  }
}

TEST(MatmulPlan, WhatBroadcastsIsNeverRepeatedInMemory) {
  for (const bool left : {true, false}) {
    SCOPED_TRACE(left ? "lhs broadcasts" : "rhs broadcasts");
    const Shape one{1, 32, 32};
    const Shape many{100, 32, 32};
    Product p(left ? one : many, left ? many : one);
    for (const Value value : {p.c, p.da, p.db}) {
      const Session session(p.graph, {.fetches = {value}});
      EXPECT_EQ(session.plan().steps.size(), 1U) << value.name();
      EXPECT_EQ(session.plan().arena_bytes, value.type().bytes()) << value.name();
    }
  }
  // Both broadcast: neither the two operands nor the unsummed gradients are ever whole.
  Product p({10, 1, 64, 64}, {10, 64, 64});
  EXPECT_THAT(kernels(p.graph, {p.da}),
              ElementsAre(AllOf(HasSubstr("10 batches"), HasSubstr("the sum of 10 products"))));
  EXPECT_THAT(kernels(p.graph, {p.db}),
              ElementsAre(AllOf(HasSubstr("10 batches"), HasSubstr("the sum of 10 products"))));
}

TEST(MatmulPlan, OnlyTheGradientsThatAreWantedAreBuilt) {
  const auto products = [](const Graph& graph) {
    return std::ranges::count_if(
        graph.nodes(), [](const Node& node) { return node.op && node.op->name() == "matmul"; });
  };
  for (const bool left : {true, false}) {
    Graph graph;
    const Value a = graph.input("a", {2, 3, 4});
    const Value b = graph.input("b", {4, 5});
    const Value loss = sum(matmul(a, b));
    gradients(loss, {left ? a : b});
    EXPECT_EQ(products(graph), 2);
  }
}

TEST(MatmulPlan, AGradientAndAProductThatAreTheSameAreComputedOnce) {
  for (const bool batched : {false, true}) {
    Graph graph;
    const Value x = graph.input("x", batched ? Shape{2, 3, 4} : Shape{3, 4});
    const Value w = graph.input("w", batched ? Shape{2, 4, 5} : Shape{4, 5});
    const Value dy = graph.input("dy", batched ? Shape{2, 3, 5} : Shape{3, 5});
    const Value dw = gradients({matmul(x, w)}, {w}, {dy})[0];
    const Value same = matmul(x, dy, {.transpose_a = true});
    EXPECT_EQ(kernels(graph, {dw, same}).size(), 1U);
  }
}

TEST(MatmulPlan, ProductsOfTheSameValuesThatDifferInFormAreNotTakenForEachOther) {
  Random random(5);
  const auto plus = std::plus<>();
  // Of x and dy: summed over the batch, and for each place of it.
  expect_values(
      [](std::span<const Value> v) {
        const Value dw = gradients({matmul(v[0], v[1])}, {v[1]}, {v[2]})[0];
        return dw + matmul(v[0], v[2], {.transpose_a = true});
      },
      [&](const std::vector<Array>& v) {
        const Array each = matmul(transpose(v[0], 1, 2), v[2]);
        const auto total = [](const std::vector<double>& x) {
          return std::accumulate(x.begin(), x.end(), 0.0);
        };
        return zip(reduce(each, {0}, false, total), each, plus);
      },
      {random.array({2, 3, 4}), random.array({4, 5}), random.array({2, 3, 5})},
      {.f32 = 1e-5, .f64 = 1e-13});
  // Of two vectors: the inner and the outer product.
  expect_values(
      [](std::span<const Value> v) {
        const Value outer = gradients({matmul(v[0], v[1])}, {v[1]}, {v[2]})[0];
        return outer + matmul(v[0], v[2]);
      },
      [&](const std::vector<Array>& v) {
        const Array outer = zip(Array({3, 1}, v[0].data), v[2], std::multiplies<>());
        return zip(outer, matmul(v[0], v[2]), plus);
      },
      {random.array({3}), random.array({3, 3}), random.array({3})}, {.f32 = 1e-5, .f64 = 1e-13});
}

TEST(MatmulPlan, LargeMatricesHaveTilesOfTheirOwnAndSmallOnesShareThem) {
  Product large({6, 256, 512}, {6, 512, 256});
  EXPECT_THAT(
      kernels(large.graph, {large.c}),
      ElementsAre(ContainsRegex("^dnnl_sgemm, 6 batches of 2x[0-9]+ tiles of 128x[0-9]+$")));
  Product small({640, 16, 16}, {640, 16, 16});
  const Session session(small.graph, {.fetches = {small.c}});
  ASSERT_EQ(session.plan().steps.size(), 1U);
  EXPECT_LE(session.plan().steps[0].tiles, 10);
  EXPECT_GE(session.plan().steps[0].tiles, 2);
  EXPECT_THAT(session.plan().steps[0].kernel->description(),
              AllOf(HasSubstr("640 batches of 1x1 tiles of 16x16"), HasSubstr("batches a tile")));
}

TEST(MatmulPlan, ASumOverManyProductsHasTilesForAllOfThem) {
  Product p({256, 256}, {32, 256, 16});
  EXPECT_THAT(kernels(p.graph, {p.da}),
              ElementsAre(ContainsRegex("^dnnl_sgemm, 2x[0-9]+ tiles of 128x[0-9]+(, rhs packed)?, "
                                        "each the sum of 32 products$")));
}

TEST(MatmulPlan, CountsTheOperationsOfEveryForm) {
  const auto flops = [](const Product& p, Value value) {
    const Session session(p.graph, {.fetches = {value}});
    EXPECT_EQ(session.plan().steps.size(), 1U);
    return session.plan().steps[0].flops;
  };
  for (const auto& [a, b, expected] :
       {std::tuple{Shape{3, 4}, Shape{4, 5}, 2.0 * 3 * 4 * 5},
        std::tuple{Shape{7, 3, 4}, Shape{4, 5}, 2.0 * 7 * 3 * 4 * 5},
        std::tuple{Shape{6, 1, 3, 4}, Shape{7, 4, 5}, 2.0 * 6 * 7 * 3 * 4 * 5},
        std::tuple{Shape{4}, Shape{7, 4, 5}, 2.0 * 7 * 4 * 5},
        std::tuple{Shape{7, 3, 4}, Shape{4}, 2.0 * 7 * 3 * 4},
        std::tuple{Shape{4}, Shape{4}, 2.0 * 4}}) {
    SCOPED_TRACE(cat(a, " times ", b));
    Product p(a, b);
    EXPECT_EQ(flops(p, p.c), expected);
    EXPECT_EQ(flops(p, p.da), expected);
    EXPECT_EQ(flops(p, p.db), expected);
  }
}

// The result with fusion, which must have the kernel that `step` matches, has the bits without.
void expect_fused(const Builder& build, const std::vector<Array>& inputs,
                  const testing::Matcher<std::string>& step) {
  Graph graph;
  std::vector<Value> values;
  for (const Array& x : inputs) values.push_back(graph.input(cat("x", values.size()), x.shape));
  EXPECT_THAT(kernels(graph, {build(values)}), testing::Contains(step));
  for (const DType dtype : {DType::f32, DType::f64}) {
    const Array fused = evaluate(build, inputs, dtype);
    const Array plain = evaluate(build, inputs, dtype, {.rewrites = {.fuse = false}});
    EXPECT_EQ(fused.data, plain.data) << to_string(dtype);
  }
}

TEST(MatmulPlan, BiasAndActivationAreAppliedToEveryMatrix) {
  Random random(2);
  const Array bias = random.array({150});
  const Builder layer = [](std::span<const Value> x) { return tanh(matmul(x[0], x[1]) + x[2]); };
  const auto then = HasSubstr(", then bias+tanh");
  expect_fused(layer, {random.array({3, 140, 300}), random.array({3, 300, 150}), bias},
               AllOf(HasSubstr("3 batches"), then));
  expect_fused(layer, {random.array({30, 4, 5}), random.array({2, 1, 5, 150}), bias}, then);
  expect_fused(layer, {random.array({3, 4, 5}), random.array({5, 150}), bias}, then);
  expect_fused(layer, {random.array({5}), random.array({5, 150}), bias}, then);
  expect_fused(layer, {random.array({5}), random.array({2, 5, 150}), bias}, then);
}

TEST(MatmulPlan, ABiasOverTheRowsIsNoneOverTheColumns) {
  // [4, 3, 5] [5] -> [4, 3], whose last axis is M.
  Random random(3);
  expect_values([](std::span<const Value> x) { return relu(matmul(x[0], x[1]) + x[2]); },
                [](const std::vector<Array>& x) {
                  return map(zip(matmul(x[0], x[1]), x[2], std::plus<>()),
                             [](double y) { return std::max(y, 0.0); });
                },
                {random.array({4, 3, 5}), random.array({5}), random.array({3})},
                {.f32 = 1e-5, .f64 = 1e-13});
}

TEST(MatmulPlan, AnEpilogueWaitsForTheSumOverTheBatch) {
  // dh = sum_t dC_t B_t^T, and then what tanh does to it.
  Random random(4);
  const Builder gradient = [](std::span<const Value> x) {
    const Value c = matmul(tanh(x[0]), x[1]);
    return gradients({c}, {x[0]}, {x[2]})[0];
  };
  expect_fused(gradient, {random.array({6, 5}), random.array({4, 5, 3}), random.array({4, 6, 3})},
               AllOf(HasSubstr("the sum of 4 products"), HasSubstr(", then tanh_backward")));
  expect_fused(gradient,
               {random.array({3, 1, 6, 5}), random.array({4, 5, 3}), random.array({3, 4, 6, 3})},
               AllOf(HasSubstr("3 batches"), HasSubstr("the sum of 4 products"),
                     HasSubstr(", then tanh_backward")));
}

TEST(GemmBatch, MergesAxesThatAllLayOutAlike) {
  const auto axes = [](const Shape& a, const Shape& b, const Shape& c) {
    return batch_axes(a, b, c);
  };
  EXPECT_THAT(axes({}, {}, {}), ElementsAre());
  EXPECT_THAT(axes({1, 1}, {1}, {}), ElementsAre());
  EXPECT_THAT(axes({2, 3}, {2, 3}, {2, 3}), ElementsAre(BatchAxis{6, 1, 1, 1}));
  EXPECT_THAT(axes({2, 1, 3}, {}, {2, 1, 3}), ElementsAre(BatchAxis{6, 1, 0, 1}));
  EXPECT_THAT(axes({2, 3}, {2, 3}, {}), ElementsAre(BatchAxis{6, 1, 1, 0}));
  EXPECT_THAT(axes({4, 1}, {5}, {4, 5}), ElementsAre(BatchAxis{4, 1, 0, 5}, BatchAxis{5, 0, 1, 1}));
  EXPECT_THAT(axes({4, 5}, {5}, {4, 1}), ElementsAre(BatchAxis{4, 5, 0, 1}, BatchAxis{5, 1, 1, 0}));
  EXPECT_THAT(axes({2, 3, 4}, {2, 1, 4}, {2, 3, 4}),
              ElementsAre(BatchAxis{2, 12, 4, 12}, BatchAxis{3, 4, 0, 4}, BatchAxis{4, 1, 1, 1}));
}

TEST(GemmBatch, FoldsOnlyWhatIsDense) {
  const Gemm rows = folded({.m = 3, .n = 4, .k = 5, .batch = {{6, 1, 0, 1}}});
  EXPECT_EQ(rows.m, 18);
  EXPECT_THAT(rows.batch, ElementsAre());
  const Gemm depth = folded({.m = 3, .n = 4, .k = 5, .transpose_a = true, .batch = {{6, 1, 1, 0}}});
  EXPECT_EQ(depth.k, 30);
  EXPECT_THAT(depth.batch, ElementsAre());
  // A folded axis leaves the strides of the rest in larger matrices.
  const Gemm outer = folded({.m = 3, .n = 4, .k = 5, .batch = {{2, 6, 1, 6}, {6, 1, 0, 1}}});
  EXPECT_EQ(outer.m, 18);
  EXPECT_THAT(outer.batch, ElementsAre(BatchAxis{2, 1, 1, 1}));

  const auto stays = [](Gemm gemm) {
    const Gemm after = folded(gemm);
    EXPECT_EQ(after.m, gemm.m);
    EXPECT_EQ(after.k, gemm.k);
    EXPECT_EQ(after.batch, gemm.batch);
  };
  stays({.m = 3, .n = 4, .k = 5, .transpose_a = true, .batch = {{6, 1, 0, 1}}});
  stays({.m = 3, .n = 4, .k = 5, .batch = {{6, 1, 1, 0}}});
  stays(
      {.m = 3, .n = 4, .k = 5, .transpose_a = true, .transpose_b = true, .batch = {{6, 1, 1, 0}}});
  stays({.m = 3, .n = 4, .k = 5, .batch = {{6, 1, 1, 1}}});
  stays({.m = 3, .n = 4, .k = 5, .batch = {{6, 0, 1, 1}}});
  stays({.m = 3, .n = 4, .k = 5, .batch = {{2, 1, 0, 5}, {5, 0, 1, 1}}});
  // A matrix of one row or column is stored alike either way.
  EXPECT_EQ(folded({.m = 1, .n = 4, .k = 5, .transpose_a = true, .batch = {{6, 1, 0, 1}}}).m, 6);
  EXPECT_EQ(folded({.m = 1, .n = 4, .k = 5, .batch = {{6, 1, 1, 0}}}).k, 30);
}

}  // namespace
}  // namespace gradmill
