#include <gradmill/ops/cross_entropy/streamed_row_loops.h>
#include <gradmill/ops/simd/targets.h>

// Highway needs this order.
// clang-format off
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gradmill/ops/cross_entropy/streamed_row_loops.cpp"
#include <hwy/foreach_target.h>
#include <hwy/cache_control.h>
#include <hwy/highway.h>
#include <gradmill/ops/cross_entropy/row_terms-inl.h>
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace gradmill {
namespace HWY_NAMESPACE {
namespace {

// The gradient, past the caches. Vectors are written where the processor wants them: at multiples
// of their size.
template <class T>
HWY_INLINE void stream_gradient(const T* e, std::int64_t n, const LineTarget<T>& target,
                                const LineLoss<T>& loss, T scale, T* dz) {
  const hn::ScalableTag<T> d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const auto address = reinterpret_cast<std::uintptr_t>(dz) / sizeof(T);
  const std::int64_t head =
      std::min(n, (lanes - static_cast<std::int64_t>(address) % lanes) % lanes);
  const std::int64_t tail = n - (n - head) % lanes;
  with_gradient<false>(e, target, T(0), loss, scale, true, [=](auto value) HWY_ATTR {
    const auto partial = [=](std::int64_t from, std::int64_t count) HWY_ATTR {
      if (count == 0) return;
      store_partial(value(PartialLoad<decltype(d)>{from, count, kNothing<T>}), d, dz + from, count);
    };
    const auto whole = [=](std::int64_t from, std::int64_t to) HWY_ATTR {
      for (std::int64_t i = from; i < to; i += lanes) {
        hn::Stream(value(FullLoad<decltype(d)>{i}), d, dz + i);
      }
    };
    partial(0, head);
    if (target.label < head || target.label >= tail) {
      whole(head, tail);
    } else {
      // Its vector goes through memory once: a line that was streamed is far away.
      const std::int64_t at = target.label - (target.label - head) % lanes;
      whole(head, at);
      HWY_ALIGN T row[HWY_MAX_BYTES / sizeof(T)];
      hn::Store(value(FullLoad<decltype(d)>{at}), d, row);
      row[target.label - at] = gradient_of_label(target, loss, scale);
      hn::Stream(hn::Load(d, row), d, dz + at);
      whole(at + lanes, tail);
    }
    partial(tail, n - tail);
  });
  if (target.label >= 0 && (target.label < head || target.label >= tail)) {
    dz[target.label] = gradient_of_label(target, loss, scale);
  }
}

template <class T>
LineLoss<T> loss_and_streamed_gradient(const T* z, std::int64_t n, const LineTarget<T>& target,
                                       T scale, T* exps, T* dz) {
  const T m = row_max(hn::ScalableTag<T>(), z, n);
  const LineLoss<T> loss = sums<Terms::kept_while_fetching>(z, n, target, m, exps);
  stream_gradient(exps, n, target, loss, scale, dz);
  return loss;
}

LineLoss<float> streamed_f32(const float* z, std::int64_t n, const LineTarget<float>& target,
                             float scale, float* exps, float* dz) {
  return loss_and_streamed_gradient(z, n, target, scale, exps, dz);
}
LineLoss<double> streamed_f64(const double* z, std::int64_t n, const LineTarget<double>& target,
                              double scale, double* exps, double* dz) {
  return loss_and_streamed_gradient(z, n, target, scale, exps, dz);
}
}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace gradmill
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradmill {

HWY_EXPORT(streamed_f32);
HWY_EXPORT(streamed_f64);

LineLoss<float> row_loss_and_streamed_gradient(const float* z, std::int64_t n,
                                               const LineTarget<float>& target, float scale,
                                               float* exps, float* dz) {
  return HWY_DYNAMIC_DISPATCH(streamed_f32)(z, n, target, scale, exps, dz);
}
LineLoss<double> row_loss_and_streamed_gradient(const double* z, std::int64_t n,
                                                const LineTarget<double>& target, double scale,
                                                double* exps, double* dz) {
  return HWY_DYNAMIC_DISPATCH(streamed_f64)(z, n, target, scale, exps, dz);
}
void finish_streaming() { hwy::FlushStream(); }

}  // namespace gradmill
#endif
