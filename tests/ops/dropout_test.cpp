#include <gradmill/ops/dropout.h>
#include <gradmill/runtime/support/random.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>
#include <set>

#include "support/op_check.h"

namespace gradmill {
namespace {

// The four words of Philox4x32-10, as its paper has it.
std::array<std::uint32_t, 4> philox(std::uint64_t key, std::uint64_t index, std::uint64_t stream) {
  const auto half = [](std::uint64_t x, int k) {
    return static_cast<std::uint32_t>(x >> (32 * k));
  };
  std::array<std::uint32_t, 4> words = {half(index, 0), half(index, 1), half(stream, 0),
                                        half(stream, 1)};
  std::array<std::uint32_t, 2> keys = {half(key, 0), half(key, 1)};
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = std::uint64_t{0xD2511F53} * words[0];
    const std::uint64_t b = std::uint64_t{0xCD9E8D57} * words[2];
    words = {half(b, 1) ^ words[1] ^ keys[0], half(b, 0), half(a, 1) ^ words[3] ^ keys[1],
             half(a, 0)};
    keys[0] += 0x9E3779B9;
    keys[1] += 0xBB67AE85;
  }
  return words;
}

// As the header documents it.
bool kept(std::int64_t i, double p, std::uint32_t id, const StepInfo& step) {
  const std::uint64_t key = Philox(step.seed, step.step).bits(~std::uint64_t{0});
  const std::uint64_t stream = (std::uint64_t{step.micro_batch} << 32) | id;
  const auto block = static_cast<std::uint64_t>(i / 32 * 8 + i % 16 / 2);
  const auto word = static_cast<std::size_t>(i % 32 / 16 * 2 + i % 2);
  return philox(key, block, stream)[word] >= p * 0x1p32;
}

Array reference(const Array& x, double p, std::uint32_t id, const StepInfo& step = {}) {
  Array y(x.shape);
  for (std::int64_t i = 0; i < x.size(); ++i) y[i] = kept(i, p, id, step) ? x[i] / (1 - p) : 0;
  return y;
}

Builder dropping(double p) {
  return [=](std::span<const Value> x) { return dropout(x[0], p, "y"); };
}

// What the op's kernel writes for `x`, tile by tile; over `x` itself where `in_place` is set.
template <class T>
std::vector<T> run(Value result, std::vector<T> x, const StepInfo& step, bool in_place = false) {
  const Node& node = result.graph().nodes()[static_cast<std::size_t>(result.node())];
  const Type& type = node.outputs[0];
  const auto kernel = node.op->prepare({.inputs = {&type, 1}, .outputs = {&type, 1}});
  std::vector<T> y(x.size(), T(7));
  void* input = x.data();
  void* output = in_place ? x.data() : y.data();
  const KernelRun buffers(&input, &output, nullptr, nullptr, &step);
  for (std::int64_t tile = kernel->tiles(0); tile-- > 0;) kernel->run(0, tile, buffers);
  return in_place ? x : y;
}

template <class T>
std::vector<T> run(double p, std::vector<T> x, const StepInfo& step, bool in_place = false) {
  Graph graph;
  const Value input = graph.input("x", {static_cast<std::int64_t>(x.size())}, dtype_of<T>());
  return run(dropout(input, p), std::move(x), step, in_place);
}

std::vector<float> mask(Value result, const StepInfo& step) {
  return run(result, std::vector<float>(static_cast<std::size_t>(result.shape().elements()), 1),
             step);
}

TEST(Dropout, DrawsFromTheSameGeneratorAsPhilox) {
  const auto words = philox(12345678901234567U, 98765432109876543U, 77);
  EXPECT_EQ(Philox(12345678901234567U, 77).bits(98765432109876543U),
            (std::uint64_t{words[1]} << 32) | words[0]);
}

TEST(Dropout, MatchesTheReferenceOverRandomShapes) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    Random random(seed);
    const Shape shape = random.shape(static_cast<int>(seed % 5), 11);
    const double p = std::array{0.5, 0.1, 0.9, 0.001}[seed % 4];
    SCOPED_TRACE(cat("seed ", seed, ": ", shape, " with ", p));
    expect_values(dropping(p), [&](const std::vector<Array>& x) { return reference(x[0], p, 1); },
                  {random.array(shape)});
  }
}

TEST(Dropout, ManyTilesMatchTheReference) {
  Random random(50);
  const std::vector<Array> inputs = {random.array({70003})};
  EXPECT_GT(most_tiles(dropping(0.3), inputs), 2);
  expect_values(
      dropping(0.3), [](const std::vector<Array>& x) { return reference(x[0], 0.3, 1); }, inputs);
}

TEST(Dropout, TheKernelKeepsWhatIsDocumentedForAnyStep) {
  for (const std::int64_t n : {1, 15, 16, 17, 31, 32, 33, 47, 100, 33001}) {
    for (const StepInfo& step :
         {StepInfo{}, StepInfo{.step = 5}, StepInfo{.seed = 5}, StepInfo{.micro_batch = 5},
          StepInfo{.step = ~0ULL, .seed = ~0ULL, .micro_batch = ~0U}}) {
      std::vector<float> f32(static_cast<std::size_t>(n));
      for (std::size_t i = 0; i < f32.size(); ++i) f32[i] = static_cast<float>(i + 1);
      const std::vector<double> f64(f32.begin(), f32.end());
      const std::vector<float> y32 = run(0.25, f32, step);
      const std::vector<double> y64 = run(0.25, f64, step);
      for (std::size_t i = 0; i < f32.size(); ++i) {
        const double expected = kept(static_cast<std::int64_t>(i), 0.25, 1, step) ? 1 / 0.75 : 0;
        ASSERT_FLOAT_EQ(y32[i], static_cast<float>(expected) * f32[i]) << i << " of " << n;
        ASSERT_DOUBLE_EQ(y64[i], expected * f64[i]) << i << " of " << n;
      }
      EXPECT_EQ(run(0.25, f32, step, true), y32);
      EXPECT_EQ(run(0.25, f64, step, true), y64);
    }
  }
}

TEST(Dropout, KeepsTheExpectedFraction) {
  constexpr std::int64_t kCount = 1 << 20;
  for (const double p : {0.01, 0.1, 0.5, 0.9}) {
    double count = 0;
    for (const float y : run(p, std::vector<float>(kCount, 1), {.seed = 3}))
      count += y != 0 ? 1 : 0;
    const double deviation = std::sqrt(kCount * p * (1 - p));
    EXPECT_NEAR(count, kCount * (1 - p), 5 * deviation) << p;
  }
}

TEST(Dropout, EveryStepSeedMicroBatchAndCallHasItsOwnMask) {
  Graph graph;
  const Value x = graph.input("x", {10000});
  const Value first = dropout(x);
  const Value second = dropout(x);
  std::set<std::vector<float>> masks;
  for (const StepInfo& step : {StepInfo{}, StepInfo{.step = 1}, StepInfo{.seed = 1},
                               StepInfo{.micro_batch = 1}, StepInfo{.step = 1, .seed = 1}}) {
    for (const Value& result : {first, second}) {
      masks.insert(mask(result, step));
      EXPECT_EQ(mask(result, step), mask(result, step));
      StepInfo same = step;  // what has no part in it
      same.learning_rate = 1;
      same.micro_batches = 8;
      EXPECT_EQ(mask(result, step), mask(result, same));
    }
  }
  ASSERT_EQ(masks.size(), 10u);
  // Any two agree on about half of the elements.
  for (const std::vector<float>& a : masks) {
    for (const std::vector<float>& b : masks) {
      if (a == b) continue;
      double equal = 0;
      for (std::size_t i = 0; i < a.size(); ++i) equal += a[i] == b[i] ? 1 : 0;
      EXPECT_NEAR(equal, 5000, 5 * 50);
    }
  }
}

TEST(Dropout, EvaluationKeepsEverything) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const StepInfo step{.training = false};
  for (const bool in_place : {false, true}) {
    EXPECT_EQ(run(0.5, std::vector<float>{1, -2, 3}, step, in_place),
              (std::vector<float>{1, -2, 3}));
    EXPECT_EQ(run(1.0, std::vector<double>{1, -2, 3}, step, in_place),
              (std::vector<double>{1, -2, 3}));
    EXPECT_TRUE(std::isnan(run(0.5, std::vector<double>{nan}, step, in_place)[0]));
  }
}

TEST(Dropout, TheEdgesOfPKeepEverythingOrNothing) {
  Graph graph;
  const Value x = graph.input("x", {3});
  EXPECT_EQ(dropout(x, 0), x);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double largest_below_1 = std::nextafter(1.0, 0.0);
  for (const double p : {1.0, largest_below_1}) {
    for (const bool in_place : {false, true}) {
      const std::vector<double> dropped = run(p, std::vector<double>(100, nan), {}, in_place);
      EXPECT_EQ(dropped, std::vector<double>(100, 0));
    }
  }
  const std::vector<double> all = run(1e-300, std::vector<double>(1000, 3), {});
  EXPECT_EQ(all, std::vector<double>(1000, 3));
}

TEST(Dropout, GradientsMatchCentralDifferences) {
  Random random(60);
  const Builder build = [](std::span<const Value> x) {
    const Value y = dropout(x[0], 0.4, "y");
    return y * y;
  };
  expect_gradients(build, {random.array({3, 17})});
  expect_second_gradients(build, {random.array({3, 17})});
}

TEST(Dropout, GradientsDropWhatTheResultDropped) {
  Graph graph;
  const Value x = graph.parameter("x", {1000}, Initializer::constant(3));
  const Value y = dropout(x * 1.0, 0.2);
  const Value dx = gradients(y, {x})[0];
  const Value dx_again = gradients(y, {x})[0];
  Session session(graph, {.training = true, .fetches = {y, dx, dx_again}});
  session.run();
  double zeros = 0;
  for (std::size_t i = 0; i < 1000; ++i) {
    const float dropped = session.view(y).as<float>()[i];
    EXPECT_EQ(session.view(dx).as<float>()[i], dropped == 0 ? 0 : 1.25F);
    zeros += dropped == 0 ? 1 : 0;
  }
  EXPECT_NEAR(zeros, 200, 65);
}

TEST(Dropout, TwoOfTheSameValueAreNotMerged) {
  Graph graph;
  const Value x = graph.parameter("x", {1000}, Initializer::constant(1));
  const Value a = dropout(x);
  const Value b = dropout(x);
  Session session(graph, {.training = true, .fetches = {a, b}});
  session.run();
  EXPECT_FALSE(std::ranges::equal(session.view(a).as<float>(), session.view(b).as<float>()));
}

TEST(Dropout, ManyTilesGiveTheSameBitsOnAnyNumberOfThreads) {
  Random random(61);
  expect_same_bits(dropping(0.5), {random.array({29, 31, 97})});
}

// A session that neither trains nor differentiates evaluates.
TEST(Dropout, KeepsEverythingInEvaluation) {
  Graph graph;
  const Value x = graph.constant(3.0, {100}, DType::f32);
  const Value y = dropout(x, 0.9);
  Session session(graph, {.fetches = {y}});
  session.run();
  for (const float value : session.view(y).as<float>()) EXPECT_EQ(value, 3);
}

TEST(Dropout, RefusesWhatDoesNotFit) {
  for (const double p : {-0.5, 1.5, std::numeric_limits<double>::quiet_NaN()}) {
    EXPECT_EQ(refusal(dropping(p), {{DType::f32, {2}}}),
              cat("dropout 'y': p must be in [0, 1], got ", p));
  }
  for (const double p : {0.0, 0.5}) {
    EXPECT_EQ(refusal(dropping(p), {{DType::i64, {2}}}),
              "dropout 'y': needs f32 or f64, got i64 [2]");
  }
}

}  // namespace
}  // namespace gradmill
