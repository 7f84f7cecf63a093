#include <gradmill/graph/kernels/finite_check.h>

#include <algorithm>
#include <cmath>

#include <gradmill/runtime/error.h>

namespace gradmill {
namespace {

constexpr std::int64_t kTileElements = 65536;
constexpr std::int64_t kBlock = 256;

template <class T>
class FiniteCheck : public Kernel {
 public:
  FiniteCheck(std::int64_t elements, std::string what)
      : elements_(elements), what_(std::move(what)) {}

  std::int64_t tiles(int) const override { return (elements_ + kTileElements - 1) / kTileElements; }

  void run(int, std::int64_t tile, const KernelRun& run) const override {
    const T* x = run.input<T>(0);
    const std::int64_t end = std::min(elements_, (tile + 1) * kTileElements);
    for (std::int64_t begin = tile * kTileElements; begin < end; begin += kBlock) {
      const std::int64_t stop = std::min(end, begin + kBlock);
      T sum = 0;  // x * 0 is 0 for a finite x and NaN for the rest
      for (std::int64_t i = begin; i < stop; ++i) sum += x[i] * T{0};
      if (sum == 0) continue;
      for (std::int64_t i = begin; i < stop; ++i) {
        if (std::isfinite(x[i])) continue;
        throw Failure(cat(what_, " has ",
                          std::isnan(x[i]) ? "NaN"
                          : x[i] > 0       ? "inf"
                                           : "-inf",
                          " at element ", i, "; nothing was updated"));
      }
    }
  }

  std::string description() const override { return "finite check"; }

 private:
  std::int64_t elements_;
  std::string what_;
};

}  // namespace

std::unique_ptr<Kernel> make_finite_check(const Type& type, std::string what) {
  return visit_floating(type.dtype, [&](auto element) -> std::unique_ptr<Kernel> {
    return std::make_unique<FiniteCheck<decltype(element)>>(type.shape.elements(), std::move(what));
  });
}

}  // namespace gradmill
