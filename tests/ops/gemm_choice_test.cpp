// Every way to do a product gives the product: sums that are cut, right-hand sides that are laid
// out, tiles of any shape.

#include <gradmill/ops/matmul/grid.h>
#include <gradmill/ops/matmul/multiply.h>
#include <gradmill/ops/matmul/pack.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "support/op_check.h"
#include "support/reference.h"

namespace gradmill {
namespace {

struct Problem {
  std::int64_t m, n, k;
  bool transpose_a = false;
  bool transpose_b = false;
};

using Choice = std::vector<std::int64_t>;  // rows and columns of a tile, parts of the sum, packed

std::string text(const Problem& p, const Choice& choice) {
  return cat(p.m, "x", p.n, "x", p.k, p.transpose_a ? " ta" : "", p.transpose_b ? " tb" : "", ", [",
             choice[0], ", ", choice[1], ", ", choice[2], ", ", choice[3], "]");
}

Builder product(const Problem& p) {
  return [p](std::span<const Value> x) {
    return matmul(x[0], x[1], {.transpose_a = p.transpose_a, .transpose_b = p.transpose_b});
  };
}

// The operands as f32 holds them, which f64 does as well.
std::vector<Array> operands(const Problem& p, std::uint64_t seed) {
  Random random(seed);
  return rounded_to_f32({random.array(p.transpose_a ? Shape{p.k, p.m} : Shape{p.m, p.k}, -1, 1),
                         random.array(p.transpose_b ? Shape{p.n, p.k} : Shape{p.k, p.n}, -1, 1)});
}

Array reference(const Problem& p, const std::vector<Array>& x) {
  return matmul(p.transpose_a ? transpose(x[0], 0, 1) : x[0],
                p.transpose_b ? transpose(x[1], 0, 1) : x[1]);
}

std::shared_ptr<const Tuning> tuned(const Problem& p, DType dtype, const Choice& choice) {
  const auto tuning = std::make_shared<Tuning>();
  tuning->set(tuning_key(Gemm{.dtype = dtype,
                              .m = p.m,
                              .n = p.n,
                              .k = p.k,
                              .transpose_a = p.transpose_a,
                              .transpose_b = p.transpose_b}),
              choice);
  return tuning;
}

const std::vector<int> kAnyThreads = {1, 2, 3, 8};

// The product by `choice` with these numbers of threads, which must agree to the bit.
Array result(const Problem& p, const std::vector<Array>& x, DType dtype, const Choice& choice,
             const std::vector<int>& all_threads = kAnyThreads) {
  Graph graph;
  const std::vector<Value> inputs = {graph.input("a", x[0].shape, dtype),
                                     graph.input("b", x[1].shape, dtype)};
  const Value c = product(p)(inputs);
  const Fed a(inputs[0], x[0]);
  const Fed b(inputs[1], x[1]);
  Array first;
  for (const int threads : all_threads) {
    Session session(graph, {.fetches = {c},
                            .threads = threads,
                            .execution = Execution::flow_graph,
                            .tuning = tuned(p, dtype, choice)});
    const PlanStep& step = session.plan().steps.front();
    const bool once = (choice[3] & 4) != 0;
    EXPECT_EQ(session.plan().steps.size(), 1U + (choice[2] > 1 ? 1 : 0) + (once ? 1 : 0));
    const std::string text = step.kernel->description();
    EXPECT_EQ(text.find("sum in ") != std::string::npos, choice[2] > 1) << text;
    EXPECT_EQ(text.find("rhs packed") != std::string::npos, (choice[3] & 1) != 0) << text;
    EXPECT_EQ(text.find("lhs packed") != std::string::npos, (choice[3] & 2) != 0) << text;
    EXPECT_EQ(text.find("packed once") != std::string::npos, once) << text;
    EXPECT_EQ(text.starts_with("bands of 32 rows, "), (choice[3] & 8) != 0) << text;
    session.run({a.feed(), b.feed()});
    const Array values = to_array(session.view(c));
    if (threads == all_threads.front()) first = values;
    EXPECT_EQ(values.data, first.data) << threads << " threads";
  }
  return first;
}

// Whatever the order of the sum, it is off by at most k + 1 roundings of the sum of magnitudes.
void expect_product(const Problem& p, DType dtype, const Choice& choice,
                    const std::vector<int>& all_threads = kAnyThreads) {
  SCOPED_TRACE(cat(to_string(dtype), ' ', text(p, choice)));
  const std::vector<Array> x = operands(p, static_cast<std::uint64_t>(p.m + 7 * p.n + 31 * p.k));
  const auto size = [](double v) { return std::abs(v); };
  const Array exact = reference(p, x);
  const Array magnitude = reference(p, {map(x[0], size), map(x[1], size)});
  const Array actual = result(p, x, dtype, choice, all_threads);
  const double rounding =
      (dtype == DType::f32 ? 0x1p-24 : 0x1p-52) * (static_cast<double>(p.k) + 1);
  for (std::int64_t i = 0; i < exact.size(); ++i) {
    ASSERT_LE(std::abs(actual[i] - exact[i]), rounding * magnitude[i]) << "element " << i;
  }
}

std::vector<Problem> all_transposes(std::int64_t m, std::int64_t n, std::int64_t k) {
  std::vector<Problem> result;
  for (int bits = 0; bits < 4; ++bits) {
    result.push_back({m, n, k, (bits & 1) != 0, (bits & 2) != 0});
  }
  return result;
}

TEST(SplitSums, AreTheProductWithAnyNumberOfThreads) {
  for (const DType dtype : {DType::f32, DType::f64}) {
    for (const Problem& p : all_transposes(21, 35, 1030)) {
      for (const std::int64_t parts : {2, 3, 7, 64, 1030}) {
        expect_product(p, dtype, {8, 16, parts, 0});
      }
      expect_product(p, dtype, {21, 35, 5, 0});
    }
  }
}

TEST(SplitSums, MayBeLaidOutAsWell) {
  for (const Problem& p : all_transposes(21, 35, 2500)) {
    for (const std::int64_t parts : {2, 3, 9}) expect_product(p, DType::f32, {8, 16, parts, 1});
  }
}

TEST(SplitSums, AreAddedUpInTheOrderOfTheParts) {
  // 2^24 + 1 + 1 + ... in f32: each part of 4 ones counts, while a single one would be lost.
  Problem p{1, 1, 20};
  std::vector<Array> x = {Array({1, 20}, 1), Array({20, 1}, 1)};
  x[0][0] = 0x1p24;
  for (std::int64_t i = 1; i < 4; ++i) x[0][i] = 0;
  EXPECT_EQ(result(p, x, DType::f32, {1, 1, 5, 0})[0], 0x1p24 + 16);
}

// dB of a batch that shares B but not A's layout: a sum of products, which is cut between them and
// within them.
TEST(SplitSums, OfSeveralProductsAreTheGradient) {
  constexpr std::int64_t kBatch = 5;
  constexpr std::int64_t kM = 11;
  constexpr std::int64_t kN = 13;
  constexpr std::int64_t kK = 600;
  Random random(8);
  // da_mk = sum_t sum_n d_tmn b_tkn
  const std::vector<Array> x = rounded_to_f32(
      {random.array({kBatch, kM, kK}, -1, 1), random.array({kBatch, kN, kK}, -1, 1)});
  Array exact({kM, kN});
  for (std::int64_t t = 0; t < kBatch; ++t) {
    for (std::int64_t i = 0; i < kM; ++i) {
      for (std::int64_t j = 0; j < kN; ++j) {
        for (std::int64_t k = 0; k < kK; ++k) {
          exact(i, j) += x[0][(t * kM + i) * kK + k] * x[1][(t * kN + j) * kK + k];
        }
      }
    }
  }
  for (const DType dtype : {DType::f32, DType::f64}) {
    Graph graph;
    const Value a = graph.input("a", {kM, kN}, dtype);
    const Value b = graph.input("b", {kBatch, kN, kK}, dtype);
    const Value d = graph.input("d", {kBatch, kM, kK}, dtype);
    const Value da = gradients({matmul(a, b)}, {a}, {d})[0];
    const Fed fed_b(b, x[1]);
    const Fed fed_d(d, x[0]);
    const auto key = [&] {
      const Session session(graph, {.fetches = {da}, .threads = 1});
      EXPECT_EQ(session.plan().steps.size(), 1U);
      return session.plan().steps.at(0).kernel->tunable()->tuning_key();
    }();
    for (const auto& [asked, parts] : std::initializer_list<std::pair<int, int>>{
             {2, 2}, {3, 3}, {5, 5}, {6, 10}, {10, 10}, {11, 15}, {100, 100}}) {
      SCOPED_TRACE(cat(to_string(dtype), ", ", asked, " parts"));
      const auto tuning = std::make_shared<Tuning>();
      tuning->set(key, {8, 8, asked, 0});
      Array first;
      for (const int threads : kAnyThreads) {
        Session session(graph, {.fetches = {da},
                                .threads = threads,
                                .execution = Execution::flow_graph,
                                .tuning = tuning});
        EXPECT_NE(session.plan().steps[0].kernel->description().find(
                      cat("sum in ", parts, " parts, each the sum of 5 products")),
                  std::string::npos)
            << session.plan().steps[0].kernel->description();
        session.run({fed_b.feed(), fed_d.feed()});
        const Array values = to_array(session.view(da));
        if (threads == 1) first = values;
        EXPECT_EQ(values.data, first.data) << threads << " threads";
      }
      expect_near(first, exact, dtype == DType::f32 ? 1e-4 : 1e-12);
    }
  }
}

TEST(SplitSums, AreChosenWhereTheResultIsSmall) {
  const auto parts = [](const Problem& p) {
    return choose_grid(Gemm{.m = p.m, .n = p.n, .k = p.k, .transpose_a = p.transpose_a}).k_parts;
  };
  EXPECT_GT(parts({16, 16, 100'000}), 1);
  EXPECT_GT(parts({10, 128, 65'536, true}), 1);
  EXPECT_EQ(parts({512, 512, 128}), 1);
  EXPECT_EQ(parts({16, 16, 512}), 1);
}

TEST(SplitSums, ComeBeforeBiasAndActivation) {
  const Problem p{21, 35, 1030};
  Random random(3);
  std::vector<Array> x = operands(p, 3);
  x.push_back(random.array({35}));
  const Builder layer = [&](std::span<const Value> v) {
    return relu(product(p)(v.first(2)) + v[2]);
  };
  const Array expected =
      map(zip(reference(p, x), x[2], std::plus<>()), [](double y) { return std::max(y, 0.0); });
  for (const DType dtype : {DType::f32, DType::f64}) {
    const SessionOptions options = {.tuning = tuned(p, dtype, {8, 16, 3, 0})};
    const Array actual = evaluate(layer, x, dtype, options);
    expect_near(actual, expected, dtype == DType::f32 ? 1e-4 : 1e-12);
    SessionOptions plain = options;
    plain.rewrites.fuse = false;
    EXPECT_EQ(actual.data, evaluate(layer, x, dtype, plain).data);
  }
}

TEST(PackedProducts, AreTheProductAtEveryEdge) {
  // Around vectors, cache lines, strips and the depth that is packed at a time.
  for (const std::int64_t n : {1, 3, 4, 15, 16, 17, 47, 49, 100}) {
    for (const std::int64_t k : {1, 2, 3, 5, 16, 19, 64}) {
      for (const Problem& p : all_transposes(9, n, k)) {
        expect_product(p, DType::f32, {4, std::min<std::int64_t>(n, 48), 1, 1}, {1});
      }
    }
  }
  for (const std::int64_t k : {1023, 1024, 1025, 2050}) {
    for (const Problem& p : all_transposes(5, 33, k)) expect_product(p, DType::f32, {5, 17, 1, 1});
  }
}

TEST(PackedProducts, MayLayOutATransposedLhsAsWell) {
  for (const std::int64_t m : {1, 3, 16, 17, 33}) {
    for (const std::int64_t k : {1, 5, 19, 1025}) {
      for (const bool transpose_b : {false, true}) {
        const Problem p{m, 21, k, true, transpose_b};
        for (const std::int64_t packed : {2, 3}) {
          expect_product(p, DType::f32, {std::min<std::int64_t>(m, 16), 16, 1, packed}, {1, 3});
          if (k > 16) expect_product(p, DType::f32, {m, 21, 3, packed}, {1, 3});
        }
      }
    }
  }
  const Gemm plain{.m = 8, .n = 8, .k = 8};
  EXPECT_THROW(grid_of(plain, {8, 8, 1, 2}), Error) << "a lhs that is not transposed";
}

TEST(PackedProducts, MayBeLaidOutOnceForAllTiles) {
  for (const std::int64_t k : {1, 5, 19, 1025}) {
    for (const Problem& p : all_transposes(33, 21, k)) {
      for (const std::int64_t packed : {5, 6, 7}) {
        if (packed != 5 && !p.transpose_a) continue;
        expect_product(p, DType::f32, {16, 16, 1, packed}, {1, 3});
        expect_product(p, DType::f32, {33, 21, 1, packed}, {1, 3});
        if (k > 16) expect_product(p, DType::f32, {8, 21, 3, packed}, {1, 3});
      }
    }
  }
  const Gemm plain{.m = 8, .n = 8, .k = 8, .transpose_a = true};
  EXPECT_THROW(grid_of(plain, {8, 8, 1, 4}), Error) << "once, but nothing";
  EXPECT_THROW(grid_of(plain, {8, 8, 1, 9}), Error) << "bands pack by themselves";
  EXPECT_THROW(grid_of(plain, {8, 8, 1, 16}), Error);
  Gemm batch = plain;
  batch.batch = {{.size = 3, .a = 1, .b = 1, .c = 1}};
  EXPECT_THROW(grid_of(batch, {8, 8, 1, 7}), Error) << "a batch has many operands";
}

TEST(ProductsByBands, AreTheProductWithAnyNumberOfThreads) {
  for (const std::int64_t k : {1, 5, 19, 160, 1025}) {
    const Problem p{.m = 71, .n = 53, .k = k, .transpose_a = true};
    for (const auto& [rows, columns] : {std::pair{16, 16}, {40, 17}, {71, 53}, {1, 53}}) {
      expect_product(p, DType::f32, {rows, columns, 1, 8}, {1, 3});
      if (k > 16) expect_product(p, DType::f32, {rows, columns, 3, 8}, {1, 3});
    }
  }
}

TEST(ProductsByBands, AreForATransposedLhsOfF32Alone) {
  const Gemm gradient{.m = 8, .n = 8, .k = 8, .transpose_a = true};
  EXPECT_TRUE(grid_of(gradient, {8, 8, 1, 8}).bands);
  const auto refused = [&](auto change) {
    Gemm other = gradient;
    change(other);
    EXPECT_FALSE(choose_grid(other).bands);
    EXPECT_THROW(grid_of(other, {8, 8, 1, 8}), Error);
  };
  refused([](Gemm& g) { g.transpose_a = false; });
  refused([](Gemm& g) { g.transpose_b = true; });
  refused([](Gemm& g) { g.dtype = DType::f64; });
  refused([](Gemm& g) { g.batch = {{.size = 2}}; });
}

TEST(ProductsByBands, AreChosenForSumsAsLongAsAnUpdateWithoutAvx512) {
  Gemm g{.m = 512, .n = 784, .transpose_a = true};
  for (const auto& [depth, worth] :
       {std::pair{32, false}, {128, true}, {256, true}, {1024, false}}) {
    g.k = depth;
    EXPECT_EQ(choose_grid(g).bands, worth && !multiply_copies()) << depth;
  }
}

TEST(PackedProducts, AreChosenForTransposedWeightsWhereTheyAreCopiedAnyway) {
  Gemm g{.m = 512, .n = 2048, .k = 784, .transpose_b = true};
  EXPECT_EQ(choose_grid(g).pack_b, multiply_copies());
  g.dtype = DType::f64;
  EXPECT_FALSE(choose_grid(g).pack_b);
}

TEST(PackedProducts, AreChosenByDType) {
  // 2048 elements from row to row fall into the same few lines of any cache.
  Gemm g{.m = 512, .n = 2048, .k = 768};
  EXPECT_TRUE(choose_grid(g).pack_b);
  g.dtype = DType::f64;
  EXPECT_FALSE(choose_grid(g).pack_b);
}

// pack_rows writes what it says, and nothing beside it.
TEST(PackedProducts, AreLaidOutRowByRow) {
  constexpr float kUntouched = -1;
  for (const bool transposed : {false, true}) {
    for (std::int64_t columns = 1; columns < 40; ++columns) {
      for (const std::int64_t depth : {1, 2, 3, 4, 5, 7, 15, 16, 17, 31, 33, 50}) {
        const std::int64_t gap = 3;  // the matrix is part of a wider one
        const std::int64_t stride = (transposed ? depth : columns) + gap;
        const std::int64_t width = columns + 5;
        std::vector<float> from(static_cast<std::size_t>(stride * (transposed ? columns : depth)));
        std::iota(from.begin(), from.end(), 1.0F);
        std::vector<float> to(static_cast<std::size_t>(width * depth + 8), kUntouched);
        pack_rows(from.data(), transposed ? stride : 1, transposed ? 1 : stride, columns, depth,
                  to.data(), width);
        for (std::int64_t i = 0; i < static_cast<std::int64_t>(to.size()); ++i) {
          const std::int64_t row = i / width;
          const std::int64_t column = i % width;
          const bool inside = row < depth && column < columns;
          const std::int64_t at = transposed ? column * stride + row : row * stride + column;
          ASSERT_EQ(to[static_cast<std::size_t>(i)],
                    inside ? from[static_cast<std::size_t>(at)] : kUntouched)
              << (transposed ? "transposed, " : "") << columns << " columns, " << depth
              << " rows: row " << row << ", column " << column;
        }
      }
    }
  }
}

TEST(Tiles, OfAnyShapeGiveTheProduct) {
  for (const DType dtype : {DType::f32, DType::f64}) {
    for (const Problem& p : all_transposes(37, 53, 29)) {
      for (const Choice& choice : std::initializer_list<Choice>{
               {1, 53, 1, 0}, {37, 1, 1, 0}, {7, 11, 1, 0}, {36, 52, 1, 0}, {37, 53, 1, 0}}) {
        expect_product(p, dtype, choice, {1, 3});
      }
    }
  }
}

}  // namespace
}  // namespace gradmill
