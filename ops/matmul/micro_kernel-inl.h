// The micro-kernel of our own products: a few rows of sums by one panel, in registers. Included
// once per target, like Highway's own -inl headers.

// clang-format off
#if defined(GRADMILL_OPS_MATMUL_MICRO_KERNEL_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADMILL_OPS_MATMUL_MICRO_KERNEL_INL_H_
#undef GRADMILL_OPS_MATMUL_MICRO_KERNEL_INL_H_
#else
#define GRADMILL_OPS_MATMUL_MICRO_KERNEL_INL_H_
#endif
// clang-format on

#include <hwy/highway.h>

#include <cstdint>

#include <gradmill/ops/matmul/pack-inl.h>
#include <gradmill/ops/tiles/divide_up.h>

HWY_BEFORE_NAMESPACE();
namespace gradmill::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

// So many rows of sums by a panel, two vectors of the right operand and an element of the left fill
// the registers.
constexpr int kMaxSumRows = HWY_TARGET <= HWY_AVX3 ? 12 : 6;

/// The left operand of a product: element (i, k) of part s is at data[s * part + i * step + k]
/// where it lies by rows, at data[s * part + i + k * step] where it lies by columns. The sum goes
/// over parts * depth elements.
template <class T>
struct Left {
  const T* data;
  std::int64_t step;
  std::int64_t depth;
  std::int64_t parts = 1;
  std::int64_t part = 0;
};

/// Where C's old value comes in the sum that becomes its new one: nowhere, before the first term,
/// or after the last. All terms are fused multiply-adds in ascending order of k.
enum class OldSum : std::uint8_t { unused, first, last };
constexpr OldSum last_if(bool add) { return add ? OldSum::last : OldSum::unused; }

/// What a product prefetches meanwhile: `rows` gives the micro-kernel an object for its rows, the
/// `group`-th ones of a panel, whose next() it calls every kTerms terms.
struct NoPrefetch {
  static constexpr std::int64_t kTerms = 1;
  struct Rows {
    void next() {}
  };
  Rows rows(std::int64_t /*group*/, std::int64_t /*row*/, int /*count*/) const { return {}; }
};

// Not inlined, so that the sums have the registers for themselves.
template <bool kByRows, int kRows, class T, class Prefetch>
HWY_NOINLINE void multiply_rows(std::int64_t group, std::int64_t first_row, const Left<T>& a,
                                const T* HWY_RESTRICT b, OldSum old, T* HWY_RESTRICT c,
                                std::int64_t c_row, const Prefetch& prefetch) {
  const hn::ScalableTag<T> d;
  constexpr std::int64_t kHalf = kPanelColumns<T> / 2;
  constexpr std::int64_t kTerms = Prefetch::kTerms;
  const T* data = a.data + (kByRows ? first_row * a.step : first_row);
  const std::int64_t a_step = a.step;
  c += first_row * c_row;
  hn::Vec<decltype(d)> low[kRows];
  hn::Vec<decltype(d)> high[kRows];
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) {
    low[i] = old == OldSum::first ? hn::LoadU(d, c + i * c_row) : hn::Zero(d);
    high[i] = old == OldSum::first ? hn::LoadU(d, c + i * c_row + kHalf) : hn::Zero(d);
  }
  auto rows = prefetch.rows(group, first_row, kRows);
  for (std::int64_t s = 0; s < a.parts; ++s) {
    const T* HWY_RESTRICT p = data + s * a.part;
    const auto add_term = [&]() HWY_ATTR {
      const auto b_low = hn::Load(d, b);
      const auto b_high = hn::Load(d, b + kHalf);
      b += 2 * kHalf;
#pragma GCC unroll 16
      for (int i = 0; i < kRows; ++i) {
        const auto x = hn::Set(d, kByRows ? p[i * a_step] : p[i]);
        low[i] = hn::MulAdd(x, b_low, low[i]);
        high[i] = hn::MulAdd(x, b_high, high[i]);
      }
      p += kByRows ? 1 : a_step;
    };
    std::int64_t k = 0;
    for (; k + kTerms <= a.depth; k += kTerms) {
      rows.next();
#pragma GCC unroll 16
      for (std::int64_t i = 0; i < kTerms; ++i) add_term();
    }
    for (; k < a.depth; ++k) add_term();
  }
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) {
    T* row = c + i * c_row;
    if (old == OldSum::last) {
      low[i] = hn::Add(low[i], hn::LoadU(d, row));
      high[i] = hn::Add(high[i], hn::LoadU(d, row + kHalf));
    }
    hn::StoreU(low[i], d, row);
    hn::StoreU(high[i], d, row + kHalf);
  }
}

template <bool kByRows, int kRows = kMaxSumRows, class T, class Prefetch>
HWY_INLINE void multiply_up_to(int rows, std::int64_t group, std::int64_t first_row,
                               const Left<T>& a, const T* b, OldSum old, T* c, std::int64_t c_row,
                               const Prefetch& prefetch) {
  if constexpr (kRows > 1) {
    if (rows < kRows) {
      return multiply_up_to<kByRows, kRows - 1>(rows, group, first_row, a, b, old, c, c_row,
                                                prefetch);
    }
  }
  multiply_rows<kByRows, kRows>(group, first_row, a, b, old, c, c_row, prefetch);
}

/// `rows` rows of C, at least one, by one panel.
template <bool kByRows, class T, class Prefetch>
void multiply_panel(const Left<T>& a, std::int64_t rows, const T* b, OldSum old, T* c,
                    std::int64_t c_row, const Prefetch& prefetch) {
  // Of about equal height: few rows do not hide the latency of a sum.
  const std::int64_t groups = divide_up(rows, kMaxSumRows);
  const int height = static_cast<int>(rows / groups);
  const std::int64_t higher = rows % groups;
  std::int64_t row = 0;
  for (std::int64_t group = 0; group < groups; ++group) {
    const int here = group < higher ? height + 1 : height;
    multiply_up_to<kByRows>(here, group, row, a, b, old, c, c_row, prefetch);
    row += here;
  }
}

/// The same by several panels, `panel` elements apart.
template <bool kByRows, class T>
void multiply_panels(const Left<T>& a, std::int64_t rows, const T* b, std::int64_t panel,
                     std::int64_t panels, OldSum old, T* c, std::int64_t c_row) {
  for (std::int64_t j = 0; j < panels; ++j) {
    multiply_panel<kByRows>(a, rows, b + j * panel, old, c + j * kPanelColumns<T>, c_row,
                            NoPrefetch());
  }
}

}  // namespace
}  // namespace gradmill::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
