// What the loops over rows have in common: the sums of a row's terms, and its gradient from them.
// Included once per target, like Highway's own -inl headers.

// clang-format off
#if defined(GRADMILL_OPS_CROSS_ENTROPY_ROW_TERMS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADMILL_OPS_CROSS_ENTROPY_ROW_TERMS_INL_H_
#undef GRADMILL_OPS_CROSS_ENTROPY_ROW_TERMS_INL_H_
#else
#define GRADMILL_OPS_CROSS_ENTROPY_ROW_TERMS_INL_H_
#endif
// clang-format on

#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cstdint>
#include <limits>

#include <gradmill/ops/cross_entropy/target.h>
#include <gradmill/ops/simd/vector_math-inl.h>

HWY_BEFORE_NAMESPACE();
namespace gradmill::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
namespace {

// What fills lanes behind a row's end, so that they add nothing to a sum of exponentials.
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
  const auto max = hn::Set(d, m);
  auto total = hn::Zero(d);
  auto weighted = total;
  for_blocks(d, 0, n, [&](std::int64_t begin, std::int64_t end) HWY_ATTR {
    auto qs = hn::Zero(d);
    auto terms = qs;
    for_vectors(d, begin, end, kNothing<T>, [&](auto load, auto) HWY_ATTR {
      const auto q = spread_target(d, load, target);
      const auto term = hn::Mul(q, hn::Sub(load(z), max));
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

// The sums, one per lane, of the exponentials of elements [from, to), as `others` lets them
// through.
template <Terms use, class T, class V, class D, class Others>
HWY_INLINE V terms(D d, const T* z, std::int64_t n, std::int64_t from, std::int64_t to, V max,
                   T* exps, Others others) {
  return lane_sums(d, from, to, kNothing<T>, [=](auto load, auto store) HWY_ATTR {
    if constexpr (use == Terms::kept_while_fetching) hwy::Prefetch(z + n + load.i);
    const auto e = exp_of_nonpositive(d, hn::Sub(load(z), max));
    if constexpr (use != Terms::added) store(e, exps);
    return others(e);
  });
}

// The vector with the label is apart from the others, for which leaving out the label's term costs
// nothing.
template <Terms use, class T>
HWY_INLINE LineLoss<T> sums(const T* z, std::int64_t n, const LineTarget<T>& target, T m, T* exps) {
  const hn::ScalableTag<T> d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  LineLoss<T> loss{};
  loss.offset = target.label < 0 ? kNothing<T> : z[target.label] - m;
  if (target.spread()) add_spread(z, n, target, m, loss);

  const auto max = hn::Set(d, m);
  const auto all = [](auto e) HWY_ATTR { return e; };
  if (target.label < 0) {
    loss.other_terms = hn::GetLane(hn::SumOfLanes(d, terms<use>(d, z, n, 0, n, max, exps, all)));
    return loss;
  }
  const std::int64_t first = target.label / lanes * lanes;
  const std::int64_t after = std::min(n, first + lanes);
  const auto label = hn::Set(d, static_cast<T>(target.label - first));
  const auto all_but_one = [=](auto e) HWY_ATTR {
    return hn::IfThenZeroElse(hn::Eq(hn::Iota(d, 0), label), e);
  };
  const auto before = terms<use>(d, z, n, 0, first, max, exps, all);
  const auto beside = terms<use>(d, z, n, first, after, max, exps, all_but_one);
  const auto behind = terms<use>(d, z, n, after, n, max, exps, all);
  loss.label_term = use != Terms::added ? exps[target.label] : exp_of_one(loss.offset);
  loss.other_terms = hn::GetLane(hn::SumOfLanes(d, hn::Add(hn::Add(before, beside), behind)));
  return loss;
}

// Calls use(value), where value(load) is a vector of dz_j for all j but the label's, whose own
// formula is below.
// `e` holds the exponentials, or, with `raw`, the logits.
template <bool raw, class T, class Use>
HWY_INLINE void with_gradient(const T* e, const LineTarget<T>& target, T m, const LineLoss<T>& loss,
                              T scale, bool subtract, Use use) {
  const hn::ScalableTag<T> d;
  const auto max = hn::Set(d, m);
  const T s = loss.other_terms + loss.label_term;
  const auto factor = hn::Set(d, (target.label_weight + loss.spread) / s * scale);
  const auto p = [=](auto load) HWY_ATTR {
    const auto value = load(e);
    return hn::Mul(raw ? exp_of_nonpositive(d, hn::Sub(value, max)) : value, factor);
  };
  if (subtract && target.spread()) {
    const auto g = hn::Set(d, scale);
    use([=](auto load)
            HWY_ATTR { return hn::NegMulAdd(spread_target(d, load, target), g, p(load)); });
  } else {
    use(p);
  }
}

// Not inlined: the compiler would fuse products and sums differently from caller to caller.
template <class T>
HWY_NOINLINE T gradient_of_label(const LineTarget<T>& target, const LineLoss<T>& loss, T scale) {
  const T weight = target.weight != nullptr ? target.weight[target.label] : T(1);
  return label_gradient(target, loss.other_terms, loss.label_term, loss.spread,
                        weight * target.uniform, scale);
}

}  // namespace
}  // namespace gradmill::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
