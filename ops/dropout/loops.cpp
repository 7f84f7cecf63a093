#include <gradmill/ops/dropout/loops.h>
#include <gradmill/ops/simd/targets.h>

// Highway needs this order.
// clang-format off
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gradmill/ops/dropout/loops.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
#include <gradmill/ops/simd/vector_math-inl.h>
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace gradmill::HWY_NAMESPACE {
namespace {

constexpr std::int64_t kBlocks = kDropoutGroup / 4;

// Words are kept one per lane of 64 bits, in its lower half; what lies in the upper one is not
// read.

template <class D, class V>
HWY_INLINE V multiply(D d, V words, std::uint32_t factor) {
#if HWY_TARGET == HWY_SCALAR
  return hn::Mul(hn::And(words, hn::Set(d, 0xFFFFFFFF)), hn::Set(d, factor));
#else
  const hn::RepartitionToNarrow<D> d32;
  return hn::MulEven(hn::BitCast(d32, words), hn::Set(d32, factor));
#endif
}

template <class D, class V>
HWY_INLINE void store_pairs([[maybe_unused]] D d, V even, V odd, std::uint32_t* to) {
#if HWY_TARGET == HWY_SCALAR
  to[0] = static_cast<std::uint32_t>(hn::GetLane(even));
  to[1] = static_cast<std::uint32_t>(hn::GetLane(odd));
#else
  const hn::RepartitionToNarrow<D> d32;
  const auto upper = hn::BitCast(d32, hn::ShiftLeft<32>(odd));
  hn::StoreU(hn::OddEven(upper, hn::BitCast(d32, even)), d32, to);
#endif
}

// The words of kBlocks counters from `block` on: the first two of each, then the last two.
// Philox4x32-10 as in runtime/random.cpp.
HWY_INLINE void draw(const DropoutMask& mask, std::uint64_t block, std::uint32_t* words) {
  const hn::CappedTag<std::uint64_t, kBlocks> d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  for (std::int64_t b = 0; b < kBlocks; b += lanes) {
    auto word0 = hn::Add(hn::Set(d, block + static_cast<std::uint64_t>(b)), hn::Iota(d, 0));
    auto word1 = hn::ShiftRight<32>(word0);
    auto word2 = hn::Set(d, mask.stream);
    auto word3 = hn::Set(d, mask.stream >> 32);
    auto key0 = static_cast<std::uint32_t>(mask.key);
    auto key1 = static_cast<std::uint32_t>(mask.key >> 32);
    for (int round = 0; round < 10; ++round) {
      const auto product0 = multiply(d, word0, 0xD2511F53);
      const auto product1 = multiply(d, word2, 0xCD9E8D57);
      word0 = hn::Xor(hn::Xor(hn::ShiftRight<32>(product1), word1), hn::Set(d, key0));
      word1 = product1;
      word2 = hn::Xor(hn::Xor(hn::ShiftRight<32>(product0), word3), hn::Set(d, key1));
      word3 = product0;
      key0 += 0x9E3779B9;
      key1 += 0xBB67AE85;
    }
    store_pairs(d, word0, word1, words + 2 * b);
    store_pairs(d, word2, word3, words + 2 * (kBlocks + b));
  }
}

template <class T>
HWY_NOINLINE void row(const DropoutMask& mask, T scale, std::int64_t begin, const T* x, T* y,
                      std::int64_t n) {
  const hn::CappedTag<T, kDropoutGroup / 2> d;
  const hn::Rebind<std::uint32_t, decltype(d)> d32;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const auto factor = hn::Set(d, scale);
  HWY_ALIGN std::uint32_t words[kDropoutGroup];
  const auto keep = [&](auto v, const std::uint32_t* from) HWY_ATTR {
    const auto word = hn::LoadU(d32, from);
    if constexpr (sizeof(T) == sizeof(std::uint32_t)) {
      const auto kept = hn::Gt(word, hn::Set(d32, mask.last_dropped));
      return hn::IfThenElseZero(hn::RebindMask(d, kept), hn::Mul(v, factor));
    } else {
      // 32 bits are never negative in 64.
      const hn::RebindToSigned<decltype(d)> d64;
      const auto wide = hn::BitCast(d64, hn::PromoteTo(hn::RebindToUnsigned<decltype(d)>(), word));
      const auto kept = hn::Gt(wide, hn::Set(d64, std::int64_t{mask.last_dropped}));
      return hn::IfThenElseZero(hn::RebindMask(d, kept), hn::Mul(v, factor));
    }
  };
  for (std::int64_t group = 0; group < n; group += kDropoutGroup) {
    draw(mask, static_cast<std::uint64_t>((begin + group) / 4), words);
    const std::int64_t end = std::min(n, group + kDropoutGroup);
    std::int64_t i = group;
    for (; i + lanes <= end; i += lanes) {
      hn::StoreU(keep(hn::LoadU(d, x + i), words + (i - group)), d, y + i);
    }
    if (i < end) {
      const auto v = load_partial(d, x + i, end - i, T(0));
      store_partial(keep(v, words + (i - group)), d, y + i, end - i);
    }
  }
}

void dropout_f32(const DropoutMask& mask, float scale, std::int64_t begin, const float* x, float* y,
                 std::int64_t n) {
  row(mask, scale, begin, x, y, n);
}
void dropout_f64(const DropoutMask& mask, double scale, std::int64_t begin, const double* x,
                 double* y, std::int64_t n) {
  row(mask, scale, begin, x, y, n);
}

}  // namespace
}  // namespace gradmill::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradmill {
namespace {

HWY_EXPORT(dropout_f32);
HWY_EXPORT(dropout_f64);

}  // namespace

void apply_dropout(const DropoutMask& mask, double scale, std::int64_t begin, const float* x,
                   float* y, std::int64_t n) {
  HWY_DYNAMIC_DISPATCH(dropout_f32)(mask, static_cast<float>(scale), begin, x, y, n);
}

void apply_dropout(const DropoutMask& mask, double scale, std::int64_t begin, const double* x,
                   double* y, std::int64_t n) {
  HWY_DYNAMIC_DISPATCH(dropout_f64)(mask, scale, begin, x, y, n);
}

}  // namespace gradmill
#endif
