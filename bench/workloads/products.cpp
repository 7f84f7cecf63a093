#include "workloads/products.h"

#include <cstdint>
#include <random>
#include <vector>

#include <dnnl.hpp>
#ifdef _OPENMP
#include <omp.h>
#endif

#include "workloads/clock.h"

namespace gradmill::bench {
namespace {

enum class Layout : std::uint8_t { rows, columns, any };

dnnl::memory::desc matrices(std::int64_t batch, std::int64_t rows, std::int64_t columns,
                            Layout layout) {
  using Tag = dnnl::memory::format_tag;
  constexpr Tag kOne[] = {Tag::ab, Tag::ba, Tag::any};
  constexpr Tag kBatch[] = {Tag::abc, Tag::acb, Tag::any};
  const auto tag = static_cast<std::size_t>(layout);
  if (batch == 1) return {{rows, columns}, dnnl::memory::data_type::f32, kOne[tag]};
  return {{batch, rows, columns}, dnnl::memory::data_type::f32, kBatch[tag]};
}

dnnl::matmul::primitive_desc describe(const dnnl::engine& engine, const dnnl::memory::desc& a,
                                      const dnnl::memory::desc& b, const dnnl::memory::desc& c) {
#if DNNL_VERSION_MAJOR >= 3
  return {engine, a, b, c};
#else
  return {dnnl::matmul::desc(a, b, c), engine};
#endif
}

std::vector<float> random_numbers(std::int64_t count) {
  std::mt19937 generator(static_cast<unsigned>(count));
  std::uniform_real_distribution<float> uniform(-1.0F, 1.0F);
  std::vector<float> numbers(static_cast<std::size_t>(count));
  for (float& number : numbers) number = uniform(generator);
  return numbers;
}

/// The operands of a product, and each way to compute it.
class Trial {
 public:
  explicit Trial(const Product& product)
      : p_(product),
        a_(random_numbers(p_.batch * p_.m * p_.k)),
        b_(random_numbers(p_.batch * p_.k * p_.n)),
        c_(static_cast<std::size_t>(p_.batch * p_.m * p_.n)) {}

  double sgemm_ms(double seconds) {
    const auto ta = p_.transpose_a ? 'T' : 'N';
    const auto tb = p_.transpose_b ? 'T' : 'N';
    const auto one = [&](std::int64_t i) {
      const dnnl_status_t status =
          dnnl_sgemm(ta, tb, p_.m, p_.n, p_.k, 1.0F, a_.data() + i * p_.m * p_.k,
                     p_.transpose_a ? p_.m : p_.k, b_.data() + i * p_.k * p_.n,
                     p_.transpose_b ? p_.k : p_.n, 0.0F, c_.data() + i * p_.m * p_.n, p_.n);
      if (status != dnnl_success) throw Failure("dnnl_sgemm failed");
    };
    const auto all = [&](int) {
      for (std::int64_t i = 0; i < p_.batch; ++i) one(i);
    };
    return measure_steps(seconds, all).median_ms;
  }

  double primitive_ms(bool packed, double seconds) {
    const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
    dnnl::stream stream(engine);
    const auto layout = [](bool transposed) { return transposed ? Layout::columns : Layout::rows; };
    const auto a = matrices(p_.batch, p_.m, p_.k, layout(p_.transpose_a));
    const auto b = matrices(p_.batch, p_.k, p_.n, layout(p_.transpose_b));
    const auto c = matrices(p_.batch, p_.m, p_.n, Layout::rows);
    const auto description =
        describe(engine, a, packed ? matrices(p_.batch, p_.k, p_.n, Layout::any) : b, c);
    dnnl::memory plain(b, engine, b_.data());
    dnnl::memory weights = plain;
    if (packed && description.weights_desc() != b) {
      weights = dnnl::memory(description.weights_desc(), engine);
      dnnl::reorder(plain, weights).execute(stream, plain, weights);
      stream.wait();
    }
    const dnnl::matmul primitive(description);
    const std::unordered_map<int, dnnl::memory> arguments = {
        {DNNL_ARG_SRC, dnnl::memory(a, engine, a_.data())},
        {DNNL_ARG_WEIGHTS, weights},
        {DNNL_ARG_DST, dnnl::memory(c, engine, c_.data())}};
    return measure_steps(seconds, [&](int) { primitive.execute(stream, arguments); }).median_ms;
  }

 private:
  const Product& p_;
  std::vector<float> a_;
  std::vector<float> b_;
  std::vector<float> c_;
};

}  // namespace

ProductTime measure_product(const Product& product, int threads, double seconds) {
#ifdef _OPENMP
  omp_set_num_threads(threads);
#endif
  try {
    Trial trial(product);
    ProductTime best{trial.sgemm_ms(seconds / 3), "sgemm"};
    for (const bool packed : {false, true}) {
      const double ms = trial.primitive_ms(packed, seconds / 3);
      if (ms < best.ms) best = {ms, packed ? "matmul, packed" : "matmul"};
    }
    return best;
  } catch (const dnnl::error& error) {
    throw Failure(cat("oneDNN: ", error.what()));
  }
}

}  // namespace gradmill::bench
