#include <gradmill/ops/cross_entropy/row_loops.h>
#include <gradmill/ops/simd/targets.h>

// Highway needs this order.
// clang-format off
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gradmill/ops/cross_entropy/row_loops.cpp"
#include <hwy/foreach_target.h>
#include <hwy/cache_control.h>
#include <hwy/highway.h>
#include <gradmill/ops/simd/vector_math-inl.h>
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace gradmill {
namespace HWY_NAMESPACE {
namespace {

// Lanes behind a row's end, so that they add nothing to a sum of exponentials.
template <class T>
constexpr T kNothing = -std::numeric_limits<T>::infinity();

template <class T>
HWY_INLINE T exp_of_one(T x) {
  const hn::ScalableTag<T> d;
  return hn::GetLane(exp_of_nonpositive(d, hn::Set(d, x)));
}

// w_j (certain t_j + uniform); 0 behind the row's end.
template <class D, class Load, class T>
HWY_INLINE hn::Vec<D> spread_target(D d, const Load& load, const LineTarget<T>& target) {
  const auto weight = target.weight != nullptr ? load(target.weight, T(0)) : load.ones();
  const auto uniform = hn::Set(d, target.uniform);
  if (target.probabilities == nullptr) return hn::Mul(weight, uniform);
  const auto t = load(target.probabilities, T(0));
  return hn::Mul(weight, hn::MulAdd(hn::Set(d, target.certain), t, uniform));
}

// The sums over the targets that are not the label's alone. A class that does not count adds
// nothing, whatever its logit.
template <class T>
HWY_NOINLINE void add_spread(const T* z, std::int64_t n, const LineTarget<T>& target, T m,
                             LineLoss<T>& loss) {
  const hn::ScalableTag<T> d;
  const auto most = hn::Set(d, m);
  auto total = hn::Zero(d);
  auto weighted = total;
  for_blocks(d, 0, n, [&](std::int64_t begin, std::int64_t end) HWY_ATTR {
    auto qs = hn::Zero(d);
    auto terms = qs;
    for_vectors(d, begin, end, kNothing<T>, [&](auto load, auto) HWY_ATTR {
      const auto q = spread_target(d, load, target);
      const auto term = hn::Mul(q, hn::Sub(load(z), most));
      qs = hn::Add(qs, q);
      terms = hn::Add(terms, hn::IfThenZeroElse(hn::Eq(q, hn::Zero(d)), term));
    });
    total = hn::Add(total, qs);
    weighted = hn::Add(weighted, terms);
  });
  loss.spread = hn::GetLane(hn::SumOfLanes(d, total));
  loss.spread_of = hn::GetLane(hn::SumOfLanes(d, weighted));
}

// What is done with the exponentials of a row besides adding them up.
enum class Terms : std::uint8_t {
  added,
  kept,
  // And the row behind this one is fetched, since there are few memory accesses otherwise.
  kept_while_fetching,
};

// The sums, one a lane, of the exponentials of elements [from, to), as `others` lets them through.
template <Terms use, class T, class V, class D, class Others>
HWY_INLINE V terms(D d, const T* z, std::int64_t n, std::int64_t from, std::int64_t to, V most,
                   T* exps, Others others) {
  return lane_sums(d, from, to, kNothing<T>, [=](auto load, auto store) HWY_ATTR {
    if constexpr (use == Terms::kept_while_fetching) hwy::Prefetch(z + n + load.i);
    const auto e = exp_of_nonpositive(d, hn::Sub(load(z), most));
    if constexpr (use != Terms::added) store(e, exps);
    return others(e);
  });
}

// The vector with the label is apart from the others, so that leaving the label's term out costs
// the rest nothing.
template <Terms use, class T>
HWY_INLINE LineLoss<T> sums(const T* z, std::int64_t n, const LineTarget<T>& target, T m, T* exps) {
  const hn::ScalableTag<T> d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  LineLoss<T> loss{};
  loss.offset = target.label < 0 ? kNothing<T> : z[target.label] - m;
  if (target.spread()) add_spread(z, n, target, m, loss);

  const auto most = hn::Set(d, m);
  const auto all = [](auto e) HWY_ATTR { return e; };
  if (target.label < 0) {
    loss.rest = hn::GetLane(hn::SumOfLanes(d, terms<use>(d, z, n, 0, n, most, exps, all)));
    return loss;
  }
  const std::int64_t first = target.label / lanes * lanes;
  const std::int64_t after = std::min(n, first + lanes);
  const auto label = hn::Set(d, static_cast<T>(target.label - first));
  const auto all_but_one = [=](auto e) HWY_ATTR {
    return hn::IfThenZeroElse(hn::Eq(hn::Iota(d, 0), label), e);
  };
  const auto before = terms<use>(d, z, n, 0, first, most, exps, all);
  const auto beside = terms<use>(d, z, n, first, after, most, exps, all_but_one);
  const auto behind = terms<use>(d, z, n, after, n, most, exps, all);
  loss.peak = use != Terms::added ? exps[target.label] : exp_of_one(loss.offset);
  loss.rest = hn::GetLane(hn::SumOfLanes(d, hn::Add(hn::Add(before, beside), behind)));
  return loss;
}

// dz_j for all j but the label's, whose own formula follows: value(load) is a vector of them.
// `e` holds the exponentials, or, with `raw`, the logits.
template <bool raw, class T, class Use>
HWY_INLINE void with_gradient(const T* e, const LineTarget<T>& target, T m, const LineLoss<T>& loss,
                              T scale, bool subtract, Use use) {
  const hn::ScalableTag<T> d;
  const auto most = hn::Set(d, m);
  const T s = loss.rest + loss.peak;
  const auto factor = hn::Set(d, (target.spike + loss.spread) / s * scale);
  const auto p = [=](auto load) HWY_ATTR {
    const auto value = load(e);
    return hn::Mul(raw ? exp_of_nonpositive(d, hn::Sub(value, most)) : value, factor);
  };
  if (subtract && target.spread()) {
    const auto g = hn::Set(d, scale);
    use([=](auto load)
            HWY_ATTR { return hn::NegMulAdd(spread_target(d, load, target), g, p(load)); });
  } else {
    use(p);
  }
}

// In one place: inlined, the compiler fuses products and sums differently from caller to caller.
template <class T>
HWY_NOINLINE T gradient_of_label(const LineTarget<T>& target, const LineLoss<T>& loss, T scale) {
  const T weight = target.weight != nullptr ? target.weight[target.label] : T(1);
  return label_gradient(target, loss.rest, loss.peak, loss.spread, weight * target.uniform, scale);
}

template <bool raw, class T>
HWY_INLINE void scale_gradient(const T* e, std::int64_t n, const LineTarget<T>& target, T m,
                               const LineLoss<T>& loss, T scale, bool subtract, T* dz) {
  with_gradient<raw>(e, target, m, loss, scale, subtract, [=](auto value) HWY_ATTR {
    for_vectors(hn::ScalableTag<T>(), n, kNothing<T>,
                [=](auto load, auto store) HWY_ATTR { store(value(load), dz); });
  });
  if (subtract && target.label >= 0) dz[target.label] = gradient_of_label(target, loss, scale);
}

// The same past the caches. Vectors are written where the processor wants them: at multiples of
// their size.
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
LineLoss<T> loss_of(const T* z, std::int64_t n, const LineTarget<T>& target) {
  return sums<Terms::added>(z, n, target, row_max(hn::ScalableTag<T>(), z, n),
                            static_cast<T*>(nullptr));
}

// A row of one vector, with a label alone: everything stays in registers.
template <class T>
LineLoss<T> short_row(const T* z, std::int64_t n, const LineTarget<T>& target, T scale, T* dz) {
  const hn::ScalableTag<T> d;
  const auto row = load_partial(d, z, n, kNothing<T>);
  const auto most = hn::MaxOfLanes(d, row);
  const auto e = exp_of_nonpositive(d, hn::Sub(row, most));
  const auto own = hn::Eq(hn::Iota(d, 0), hn::Set(d, static_cast<T>(target.label)));
  HWY_ALIGN T terms[HWY_MAX_BYTES / sizeof(T)];
  hn::Store(e, d, terms);
  LineLoss<T> loss{};
  loss.rest = hn::GetLane(hn::SumOfLanes(d, hn::IfThenZeroElse(own, e)));
  loss.peak = terms[target.label];
  loss.offset = z[target.label] - hn::GetLane(most);
  const auto factor = hn::Set(d, target.spike / (loss.rest + loss.peak) * scale);
  const T label = label_gradient(target, loss.rest, loss.peak, T(0), T(0), scale);
  store_partial(hn::IfThenElse(own, hn::Set(d, label), hn::Mul(e, factor)), d, dz, n);
  return loss;
}

template <class T>
LineLoss<T> loss_and_gradient(const T* z, std::int64_t n, const LineTarget<T>& target, T scale,
                              T* dz) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(hn::ScalableTag<T>()));
  if (n < lanes && target.label >= 0 && !target.spread()) {
    return short_row(z, n, target, scale, dz);
  }
  const T m = row_max(hn::ScalableTag<T>(), z, n);
  const LineLoss<T> loss = sums<Terms::kept>(z, n, target, m, dz);
  scale_gradient<false>(dz, n, target, m, loss, scale, true, dz);
  return loss;
}

template <class T>
LineLoss<T> loss_and_streamed_gradient(const T* z, std::int64_t n, const LineTarget<T>& target,
                                       T scale, T* exps, T* dz) {
  const T m = row_max(hn::ScalableTag<T>(), z, n);
  const LineLoss<T> loss = sums<Terms::kept_while_fetching>(z, n, target, m, exps);
  stream_gradient(exps, n, target, loss, scale, dz);
  return loss;
}

template <class T>
void gradient(const T* z, std::int64_t n, const LineTarget<T>& target, T rest, T scale,
              bool subtract, T* dz) {
  const T m = row_max(hn::ScalableTag<T>(), z, n);
  LineLoss<T> loss{};
  loss.rest = rest;
  loss.peak = target.label < 0 ? T(0) : exp_of_one(z[target.label] - m);
  if (target.spread()) add_spread(z, n, target, m, loss);
  scale_gradient<true>(z, n, target, m, loss, scale, subtract, dz);
}

LineLoss<float> loss_f32(const float* z, std::int64_t n, const LineTarget<float>& target) {
  return loss_of(z, n, target);
}
LineLoss<double> loss_f64(const double* z, std::int64_t n, const LineTarget<double>& target) {
  return loss_of(z, n, target);
}
LineLoss<float> both_f32(const float* z, std::int64_t n, const LineTarget<float>& target,
                         float scale, float* dz) {
  return loss_and_gradient(z, n, target, scale, dz);
}
LineLoss<double> both_f64(const double* z, std::int64_t n, const LineTarget<double>& target,
                          double scale, double* dz) {
  return loss_and_gradient(z, n, target, scale, dz);
}
LineLoss<float> streamed_f32(const float* z, std::int64_t n, const LineTarget<float>& target,
                             float scale, float* exps, float* dz) {
  return loss_and_streamed_gradient(z, n, target, scale, exps, dz);
}
LineLoss<double> streamed_f64(const double* z, std::int64_t n, const LineTarget<double>& target,
                              double scale, double* exps, double* dz) {
  return loss_and_streamed_gradient(z, n, target, scale, exps, dz);
}
void gradient_f32(const float* z, std::int64_t n, const LineTarget<float>& target, float rest,
                  float scale, bool subtract, float* dz) {
  gradient(z, n, target, rest, scale, subtract, dz);
}
void gradient_f64(const double* z, std::int64_t n, const LineTarget<double>& target, double rest,
                  double scale, bool subtract, double* dz) {
  gradient(z, n, target, rest, scale, subtract, dz);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace gradmill
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradmill {

HWY_EXPORT(loss_f32);
HWY_EXPORT(loss_f64);
HWY_EXPORT(both_f32);
HWY_EXPORT(both_f64);
HWY_EXPORT(streamed_f32);
HWY_EXPORT(streamed_f64);
HWY_EXPORT(gradient_f32);
HWY_EXPORT(gradient_f64);

LineLoss<float> row_loss(const float* z, std::int64_t n, const LineTarget<float>& target) {
  return HWY_DYNAMIC_DISPATCH(loss_f32)(z, n, target);
}
LineLoss<double> row_loss(const double* z, std::int64_t n, const LineTarget<double>& target) {
  return HWY_DYNAMIC_DISPATCH(loss_f64)(z, n, target);
}
LineLoss<float> row_loss_and_gradient(const float* z, std::int64_t n,
                                      const LineTarget<float>& target, float scale, float* dz) {
  return HWY_DYNAMIC_DISPATCH(both_f32)(z, n, target, scale, dz);
}
LineLoss<double> row_loss_and_gradient(const double* z, std::int64_t n,
                                       const LineTarget<double>& target, double scale, double* dz) {
  return HWY_DYNAMIC_DISPATCH(both_f64)(z, n, target, scale, dz);
}
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
void row_gradient(const float* z, std::int64_t n, const LineTarget<float>& target, float rest,
                  float scale, bool subtract, float* dz) {
  HWY_DYNAMIC_DISPATCH(gradient_f32)(z, n, target, rest, scale, subtract, dz);
}
void row_gradient(const double* z, std::int64_t n, const LineTarget<double>& target, double rest,
                  double scale, bool subtract, double* dz) {
  HWY_DYNAMIC_DISPATCH(gradient_f64)(z, n, target, rest, scale, subtract, dz);
}

}  // namespace gradmill
#endif
