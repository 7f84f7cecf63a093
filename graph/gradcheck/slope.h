#pragma once

#include <span>
#include <vector>

#include <gradmill/graph/gradcheck_report.h>
#include <gradmill/graph/session.h>

namespace gradmill {

/// Elements of a tensor that move together, and what autodiff says of them.
struct Line {
  std::span<double> x;                ///< moved, and put back
  std::span<const double> direction;  ///< one per element
  std::span<const double> gradient;   ///< one per element
  double step;                        ///< multiple of the direction: the largest h
  double smallest;                    ///< no step is smaller, but for the second
};

struct Comparison {
  GradcheckSlope slope;
  bool sided = false;  ///< the slopes of the two sides tend to different limits
};

/// f(x) = sum_i weights_i y_i(x) along lines through the point that the session's feeds and
/// parameters hold.
class SlopeProbe {
 public:
  /// Runs the session twice. `feeds` must stay; `weights` has one number per element of `y`.
  SlopeProbe(Session& session, Value y, std::span<const Feed> feeds,
             std::span<const double> weights);

  /// The elements of y at the point.
  std::span<const double> center() const { return center_; }

  /// Whether both runs gave the same bits.
  bool repeats() const { return repeats_; }

  /// As `gradcheck` documents it.
  Comparison compare(const Line& line, double atol, double rtol);

 private:
  struct Quotients;
  static bool two_sided(const Quotients& before, const Quotients& now, double& slack);
  static bool settled(const Quotients& larger, const Quotients& now);
  Quotients quotients(const Line& line, double h, double atol, double rtol);
  void run_at(const Line& line, double h, std::vector<double>& y);

  Session& session_;
  Value y_;
  std::span<const Feed> feeds_;
  std::span<const double> weights_;
  std::vector<double> center_;
  double norm_ = 0;
  bool repeats_ = true;
  // Reused from one point to the next.
  std::vector<double> plus_;
  std::vector<double> minus_;
  std::vector<double> saved_;
};

}  // namespace gradmill
