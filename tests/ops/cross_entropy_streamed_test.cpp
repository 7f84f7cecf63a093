// A gradient written past the caches: the same bits as one written into them.

#include <gradmill/gradmill.h>
#include <gradmill/ops/cross_entropy/row_loops.h>
#include <gradmill/ops/cross_entropy/streamed_row_loops.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <span>
#include <vector>

#include "support/array.h"

namespace gradmill {
namespace {

template <class T>
std::vector<T> numbers(Random& random, std::int64_t count, double low, double high) {
  std::vector<T> result(static_cast<std::size_t>(count));
  for (T& value : result) value = static_cast<T>(random.uniform(low, high));
  return result;
}

template <class T>
bool same_bits(const T* a, const T* b, std::int64_t count) {
  return std::memcmp(a, b, static_cast<std::size_t>(count) * sizeof(T)) == 0;
}

template <class T>
struct Row {
  Row(Random& random, std::int64_t n)
      : z(numbers<T>(random, n, -9, 9)),
        weight(numbers<T>(random, n, 0.1, 3)),
        probabilities(numbers<T>(random, n, 0, 1)) {}

  // Between numbers that must stay, at each place that a row may have within a cache line.
  void expect_the_same(const LineTarget<T>& target) const {
    constexpr std::int64_t kGuard = 32;
    constexpr T kKept = 77;
    const auto n = static_cast<std::int64_t>(z.size());
    const T scale = T(0.37);
    std::vector<T> expected(z.size());
    const LineLoss<T> loss = row_loss_and_gradient(z.data(), n, target, scale, expected.data());
    std::vector<T> exps(z.size());
    for (std::int64_t offset = 0; offset < 16; ++offset) {
      std::vector<T> memory(z.size() + 2 * kGuard, kKept);
      T* dz = memory.data() + kGuard - offset;
      const LineLoss<T> streamed =
          row_loss_and_streamed_gradient(z.data(), n, target, scale, exps.data(), dz);
      finish_streaming();
      EXPECT_TRUE(same_bits(dz, expected.data(), n));
      EXPECT_EQ(std::count(memory.begin(), memory.end(), kKept), 2 * kGuard);
      EXPECT_EQ(streamed.value(target.label_weight), loss.value(target.label_weight));
    }
  }

  std::vector<T> z, weight, probabilities;
};

template <class T>
class StreamedRow : public testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(StreamedRow, Types);

TYPED_TEST(StreamedRow, HasTheBitsOfOneInTheCaches) {
  for (const std::int64_t n : {16, 17, 31, 32, 63, 70, 1003}) {
    Random random(static_cast<std::uint64_t>(n));
    const Row<TypeParam> row(random, n);
    const std::int64_t step = n > 100 ? 59 : 1;
    for (std::int64_t label = -1; label < n; label += step) {
      SCOPED_TRACE(cat("seed ", n, ": ", n, " classes, label ", label));
      const TypeParam label_weight = label < 0 ? 0 : 1;
      row.expect_the_same({.label = label, .label_weight = label_weight});
      row.expect_the_same({.weight = row.weight.data(),
                           .certain = TypeParam(0.9),
                           .uniform = TypeParam(0.1) / static_cast<TypeParam>(n),
                           .label = label,
                           .label_weight = label_weight});
    }
    row.expect_the_same({.probabilities = row.probabilities.data()});
  }
}

template <class T>
class Streamed : public testing::Test {
 protected:
  static constexpr std::int64_t kClasses = 1003;

  struct Result {
    bool streamed;
    std::vector<T> losses;
    std::vector<T> gradient;
  };

  // Of the rows [first, first + count).
  Result run(std::int64_t first, std::int64_t count, int threads) const {
    const DType dtype = sizeof(T) == sizeof(float) ? DType::f32 : DType::f64;
    Graph graph;
    const Value z = graph.input("z", {count, kClasses}, dtype);
    const Value y = graph.input("y", {count}, DType::i64);
    const Value upstream = graph.input("upstream", {count}, dtype);
    const Value losses = cross_entropy(z, y, {.reduction = Reduction::none});
    const Value gradient = gradients({losses}, {z}, {upstream})[0];
    Session session(
        graph,
        {.fetches = {losses, gradient}, .threads = threads, .execution = Execution::flow_graph});
    session.run({{z, logits.data() + first * kClasses},
                 {y, labels.data() + first},
                 {upstream, upstreams.data() + first}});
    Result result{
        .streamed = std::ranges::any_of(session.plan().steps,
                                        [](const PlanStep& step) {
                                          return step.kernel->description().ends_with(", streamed");
                                        }),
        .losses = std::vector<T>(static_cast<std::size_t>(count)),
        .gradient = std::vector<T>(static_cast<std::size_t>(count * kClasses))};
    session.fetch(losses, std::span(result.losses));
    session.fetch(gradient, std::span(result.gradient));
    return result;
  }

  // 16 MiB of logits and as much of their gradient.
  static constexpr std::int64_t kRows = (std::int64_t{16} << 20) / sizeof(T) / kClasses + 1;
  std::vector<T> logits;
  std::vector<T> upstreams;
  std::vector<std::int64_t> labels;

  Streamed() {
    Random random(12);
    logits = numbers<T>(random, kRows * kClasses, -9, 9);
    upstreams = numbers<T>(random, kRows, -1, 1);
    for (std::int64_t row = 0; row < kRows; ++row)
      labels.push_back(random.integer(0, kClasses - 1));
    labels[1] = CrossEntropyOptions().ignore_index;
  }
};
TYPED_TEST_SUITE(Streamed, Types);

TYPED_TEST(Streamed, LargeGradientsHaveTheBitsOfSmallOnes) {
  const std::int64_t rows = TestFixture::kRows;
  for (const int threads : {1, 2, 4}) {
    SCOPED_TRACE(cat("seed 12, ", threads, " threads"));
    const auto whole = this->run(0, rows, threads);
    EXPECT_TRUE(whole.streamed);
    constexpr std::int64_t kCount = 200;
    for (const std::int64_t first : {std::int64_t{0}, rows / 2, rows - kCount}) {
      const auto part = this->run(first, kCount, 1);
      EXPECT_FALSE(part.streamed);
      EXPECT_TRUE(same_bits(whole.losses.data() + first, part.losses.data(), kCount));
      EXPECT_TRUE(same_bits(whole.gradient.data() + first * TestFixture::kClasses,
                            part.gradient.data(), kCount * TestFixture::kClasses));
    }
  }
}

}  // namespace
}  // namespace gradmill
