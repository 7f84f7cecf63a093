#include <gradmill/ops/cross_entropy/short_row_loops.h>
#include <gradmill/ops/simd/targets.h>

// Highway needs this order.
// clang-format off
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gradmill/ops/cross_entropy/short_row_loops.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
#include <gradmill/ops/simd/transpose-inl.h>
#include <gradmill/ops/simd/vector_math-inl.h>
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace gradmill {
namespace HWY_NAMESPACE {
namespace {

// As many rows as a vector has lanes; each V has one number of each row.
template <bool spread, class T>
class Block {
  using D = hn::ScalableTag<T>;
  using V = hn::Vec<D>;
  using DI = hn::RebindToSigned<D>;
  using Label = hn::TFromD<DI>;

 public:
  // Uses half of the scratch: the first, 0, or the second, 1.
  Block(const ShortRows<T>& rows, std::int64_t half)
      : rows_(rows),
        n_(rows.classes),
        x_(rows.scratch + half * 3 * n_ * kLanes),
        q_(x_ + n_ * kLanes),
        partial_(q_ + n_ * kLanes) {}

  static constexpr std::int64_t kLanes = hn::MaxLanes(D());

  // For rows [first, first + count), called in this order.
  HWY_INLINE void read(std::int64_t first, std::int64_t count) {
    load(first, count);
    if constexpr (spread) add_spread(first, count);
  }
  HWY_INLINE void start_terms() {
    offset_ = hn::Set(d_, -std::numeric_limits<T>::infinity());
    other_terms_ = hn::Zero(d_);
  }
  // For each class in order. Leaves the exponentials in x.
  HWY_INLINE void add_term(std::int64_t j) {
    const V shifted = hn::Sub(hn::Load(d_, x_ + j * kLanes), max_);
    const V e = exp_of_nonpositive(d_, shifted);
    hn::Store(e, d_, x_ + j * kLanes);
    offset_ = hn::IfThenElse(own(j), shifted, offset_);
    other_terms_ = hn::Add(other_terms_, hn::IfThenZeroElse(own(j), e));
  }
  HWY_INLINE void finish_terms() {
    label_term_ = exp_of_nonpositive(d_, offset_);
    s_ = hn::Add(other_terms_, label_term_);
  }
  // 0 in lanes behind the last row.
  HWY_INLINE V losses() const { return rows_.with_loss ? loss() : hn::Zero(d_); }
  HWY_INLINE void write(std::int64_t first, std::int64_t count, V losses) {
    if (rows_.loss != nullptr) store(losses, rows_.loss + first, count);
    if (rows_.other_terms != nullptr) {
      store(hn::IfThenElseZero(live_, other_terms_), rows_.other_terms + first, count);
    }
    if (rows_.gradient != nullptr) gradient(first, count);
  }

 private:
  HWY_INLINE void store(V v, T* to, std::int64_t count) const {
    if (count == kLanes) return hn::StoreU(v, d_, to);
    store_partial(v, d_, to, count);
  }

  // The classes of the rows from `first` on if they fill the lanes; otherwise a copy that is filled
  // up with zeros.
  HWY_INLINE const T* padded(const T* all, std::int64_t first, std::int64_t count) const {
    const T* from = all + first * n_;
    if (count == kLanes) return from;
    std::fill(std::copy_n(from, count * n_, partial_), partial_ + kLanes * n_, T(0));
    return partial_;
  }

  HWY_INLINE void load(std::int64_t first, std::int64_t count) {
    max_ = hn::Set(d_, -std::numeric_limits<T>::infinity());
    for_columns(d_, padded(rows_.logits, first, count), n_, [&](std::int64_t j, V v) HWY_ATTR {
      hn::Store(v, d_, x_ + j * kLanes);
      max_ = hn::Max(max_, v);
    });
    scale_ = rows_.upstream == nullptr ? hn::Set(d_, rows_.scale)
             : count == kLanes         ? hn::LoadU(d_, rows_.upstream + first)
                                       : load_partial(d_, rows_.upstream + first, count, T(0));
    const LineTarget<T>& target = rows_.target;
    if (rows_.labels == nullptr) {
      label_ = hn::Set(di_, Label(-1));
      live_ = hn::FirstN(d_, static_cast<std::size_t>(count));
      label_weight_ = hn::Zero(d_);
      q_label_ = hn::Zero(d_);
      return;
    }
    HWY_ALIGN Label labels[kLanes];
    for (std::int64_t r = 0; r < count; ++r) {
      const std::int64_t label = rows_.labels[first + r];
      labels[r] = static_cast<Label>(label == rows_.ignored ? -1 : label);
    }
    for (std::int64_t r = count; r < kLanes; ++r) labels[r] = -1;
    label_ = hn::Load(di_, labels);
    live_ = hn::RebindMask(d_, hn::Gt(label_, hn::Set(di_, Label(-1))));
    V weight = hn::Set(d_, T(1));
    if (target.weight != nullptr) {
      HWY_ALIGN T weights[kLanes];
      for (std::int64_t r = 0; r < kLanes; ++r) {
        weights[r] = labels[r] < 0 ? T(0) : target.weight[labels[r]];
      }
      weight = hn::Load(d_, weights);
    }
    label_weight_ = hn::IfThenElseZero(live_, hn::Mul(hn::Set(d_, target.certain), weight));
    q_label_ = hn::Mul(weight, hn::Set(d_, target.uniform));
  }

  // w_j (certain t_j + uniform), after add_spread.
  HWY_INLINE V spread_target(std::int64_t j) const {
    if (rows_.target.probabilities != nullptr) return hn::Load(d_, q_ + j * kLanes);
    const T weight = rows_.target.weight != nullptr ? rows_.target.weight[j] : T(1);
    return hn::Set(d_, weight * rows_.target.uniform);
  }

  HWY_INLINE void add_spread(std::int64_t first, std::int64_t count) {
    const LineTarget<T>& target = rows_.target;
    if (target.probabilities != nullptr) {
      const T* from = padded(target.probabilities, first, count);
      for_columns(d_, from, n_, [&](std::int64_t j, V t) HWY_ATTR {
        const V weight = hn::Set(d_, target.weight != nullptr ? target.weight[j] : T(1));
        const V q = hn::MulAdd(hn::Set(d_, target.certain), t, hn::Set(d_, target.uniform));
        hn::Store(hn::Mul(weight, q), d_, q_ + j * kLanes);
      });
    }
    spread_ = hn::Zero(d_);
    spread_of_ = hn::Zero(d_);
    for (std::int64_t j = 0; j < n_; ++j) {
      const V q = spread_target(j);
      const V term = hn::Mul(q, hn::Sub(hn::Load(d_, x_ + j * kLanes), max_));
      spread_ = hn::Add(spread_, q);
      // A class that does not count adds nothing, whatever its logit.
      spread_of_ = hn::Add(spread_of_, hn::IfThenZeroElse(hn::Eq(q, hn::Zero(d_)), term));
    }
  }

  HWY_INLINE auto own(std::int64_t j) const {
    return hn::RebindMask(d_, hn::Eq(label_, hn::Set(di_, static_cast<Label>(j))));
  }

  // As LineLoss::value. Where the sum of other_terms and label_term loses digits, the logarithm has
  // them back: a label_term of 1 and a small other_terms give log1p.
  HWY_INLINE V loss() const {
    const V part = hn::Sub(s_, label_term_);
    const V lost = hn::Add(hn::Sub(label_term_, hn::Sub(s_, part)), hn::Sub(other_terms_, part));
    const V log_s = hn::Add(log_of(d_, s_), hn::Div(lost, s_));
    const V zero = hn::Zero(d_);
    const V own = hn::Mul(label_weight_, hn::Sub(log_s, offset_));
    V result = hn::IfThenZeroElse(hn::Eq(label_weight_, zero), own);
    if constexpr (spread) {
      const auto nothing = hn::And(hn::Eq(spread_, zero), hn::Eq(spread_of_, zero));
      const V others = hn::MulSub(spread_, log_s, spread_of_);
      result = hn::Add(result, hn::IfThenZeroElse(nothing, others));
    }
    return hn::IfThenElseZero(live_, result);
  }

  HWY_INLINE void gradient(std::int64_t first, std::int64_t count) {
    // See label_gradient.
    V factor = label_weight_;
    V at_label = hn::Mul(label_weight_, hn::Div(other_terms_, s_));
    if constexpr (spread) {
      factor = hn::Add(factor, spread_);
      at_label = hn::Sub(hn::Mul(hn::Div(label_term_, s_), spread_), hn::Add(q_label_, at_label));
      at_label = hn::Mul(at_label, scale_);
    } else {
      at_label = hn::Neg(hn::Mul(at_label, scale_));
    }
    factor = hn::Mul(hn::Div(factor, s_), scale_);
    const bool subtract = rows_.subtract;
    const auto column = [&](std::int64_t j) HWY_ATTR {
      V value = hn::Mul(hn::Load(d_, x_ + j * kLanes), factor);
      if (subtract) {
        if constexpr (spread) value = hn::NegMulAdd(spread_target(j), scale_, value);
        value = hn::IfThenElse(own(j), at_label, value);
      }
      return hn::IfThenElseZero(live_, value);
    };
    T* to = rows_.gradient + first * n_;
    if (count == kLanes) return store_columns(d_, n_, to, column);
    store_columns(d_, n_, partial_, column);
    std::copy_n(partial_, count * n_, to);
  }

  const D d_;
  const DI di_;
  const ShortRows<T>& rows_;
  const std::int64_t n_;
  T* x_;        // the logits less their largest, then the exponentials: class by class
  T* q_;        // the targets that are probabilities, likewise
  T* partial_;  // rows where they are fewer than the lanes

  hn::Vec<DI> label_;  // -1 for none
  hn::Mask<D> live_;   // neither ignored nor behind the last
  V scale_, label_weight_, q_label_;
  V max_, offset_, label_term_, other_terms_, s_, spread_, spread_of_;  // see LineLoss
};

// Two blocks at a time keep the processor busy: each waits for its own sums, logarithm and
// quotients.
template <bool spread, class T>
HWY_NOINLINE double sum_of(const ShortRows<T>& rows) {
  // How many numbers of type T are added up in each lane before they go to the sum in double.
  constexpr int kTerms = 16;
  constexpr std::int64_t kLanes = Block<spread, T>::kLanes;
  const hn::ScalableTag<T> d;
  Block<spread, T> one(rows, 0);
  Block<spread, T> other(rows, 1);
  double total = 0;
  for (std::int64_t next = 0; next < rows.count;) {
    auto sum = hn::Zero(d);
    for (int term = 0; term < kTerms && next < rows.count; term += 2, next += 2 * kLanes) {
      const std::int64_t left = rows.count - next;
      one.read(next, std::min(kLanes, left));
      one.start_terms();
      if (left <= kLanes) {
        for (std::int64_t j = 0; j < rows.classes; ++j) one.add_term(j);
        one.finish_terms();
        const auto losses = one.losses();
        sum = hn::Add(sum, losses);
        one.write(next, left, losses);
        continue;
      }
      const std::int64_t second = std::min(kLanes, left - kLanes);
      other.read(next + kLanes, second);
      other.start_terms();
      for (std::int64_t j = 0; j < rows.classes; ++j) {
        one.add_term(j);
        other.add_term(j);
      }
      one.finish_terms();
      other.finish_terms();
      const auto losses = one.losses();
      const auto more = other.losses();
      sum = hn::Add(hn::Add(sum, losses), more);
      one.write(next, kLanes, losses);
      other.write(next + kLanes, second, more);
    }
    HWY_ALIGN T lanes[kLanes];
    hn::Store(sum, d, lanes);
    for (const T lane : lanes) total += static_cast<double>(lane);
  }
  return total;
}

template <class T>
double sum_of(const ShortRows<T>& rows) {
  return rows.target.spread() ? sum_of<true>(rows) : sum_of<false>(rows);
}

double short_f32(const ShortRows<float>& rows) { return sum_of(rows); }
double short_f64(const ShortRows<double>& rows) { return sum_of(rows); }

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace gradmill
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradmill {

HWY_EXPORT(short_f32);
HWY_EXPORT(short_f64);

double short_rows(const ShortRows<float>& rows) { return HWY_DYNAMIC_DISPATCH(short_f32)(rows); }
double short_rows(const ShortRows<double>& rows) { return HWY_DYNAMIC_DISPATCH(short_f64)(rows); }

}  // namespace gradmill
#endif
