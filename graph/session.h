#pragma once

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <ranges>
#include <span>
#include <string>

#include <gradmill/graph/graph.h>
#include <gradmill/graph/parameters.h>
#include <gradmill/graph/session_options.h>
#include <gradmill/runtime/plan.h>
#include <gradmill/runtime/trace.h>

namespace gradmill {

/// Memory for one input of the graph, read in place while `Session::run` runs.
class Feed {
 public:
  /// A span, vector or array of float, double or std::int64_t; its count is checked against the
  /// shape.
  template <std::ranges::contiguous_range R>
  requires Element<std::ranges::range_value_t<R>> Feed(Value input, const R& values)
      : input_(input),
        dtype_(dtype_of<std::ranges::range_value_t<R>>()),
        data_(std::ranges::data(values)),
        count_(static_cast<std::int64_t>(std::ranges::size(values))) {}

  /// As many elements as the input's shape says; the count cannot be checked.
  template <Element T>
  Feed(Value input, const T* values) : input_(input), dtype_(dtype_of<T>()), data_(values) {}

  Value input() const { return input_; }
  DType dtype() const { return dtype_; }
  const void* data() const { return data_; }
  std::int64_t count() const { return count_; }  ///< -1 when unknown

 private:
  Value input_;
  DType dtype_;
  const void* data_;
  std::int64_t count_ = -1;
};

/// A graph made ready to run: compiled once by the constructor, run many times.
///
/// Not for use by two threads at once (a second `run` is refused); any number of sessions may run
/// at the same time. Values passed in belong to the graph that was given, which may be extended or
/// destroyed afterwards, except that its Values must not outlive it.
class GRADMILL_API Session {
 public:
  /// Throws Error when the loss is not a floating scalar, a value is of another graph, the options
  /// contradict each other, or shared parameters do not fit.
  explicit Session(const Graph& graph, SessionOptions options = {});
  ~Session();
  /// One that was moved from may only be assigned to or destroyed.
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;

  /// One step, or one of its `micro_batches`. Every input that the plan reads must be fed exactly
  /// once; the memory must stay as it is until `run` returns. Throws Error when a feed is missing,
  /// doubled, of the wrong dtype or size, or when a fallible node refuses its data; Failure when
  /// `check_finite` finds something. Parameters and optimizer state are then as they were, and the
  /// next run works.
  void run(std::span<const Feed> feeds);
  void run(std::initializer_list<Feed> feeds = {}) {
    run(std::span<const Feed>(feeds.begin(), feeds.size()));
  }

  /// The result of the last run, valid until the next: the loss, a fetch, or a parameter. Throws
  /// Error for anything else, and before the first successful run (parameters excepted).
  TensorView view(Value value) const;
  /// The gradient of the loss for a parameter listed in `SessionOptions::gradients`: of the last
  /// run alone, before any scaling.
  TensorView view_gradient(Value parameter) const;

  /// A scalar or one-element result. Throws Error when it has more, or another dtype.
  template <Element T>
  T fetch(Value value) const {
    return scalar<T>(view(value));
  }
  /// Copies a result out. Throws Error when the count or dtype differs.
  template <Element T>
  void fetch(Value value, std::span<T> out) const {
    copy(view(value), out);
  }
  template <Element T>
  void fetch_gradient(Value parameter, std::span<T> out) const {
    copy(view_gradient(parameter), out);
  }

  /// Takes effect at the next step; compiles nothing. Throws Error when not finite or negative, or
  /// when the session has no optimizer.
  void set_learning_rate(double learning_rate);
  double learning_rate() const;
  /// The norm of the last step's gradient, before it was clipped. Throws Error without
  /// `gradient_scaling`, and before the first step.
  double gradient_norm() const;
  /// The micro-batch that the next run is, from 0.
  int micro_batch() const;

  /// Records every tile of the runs that follow, in memory. Throws Error when a trace was started
  /// already, or during a run.
  void start_trace(const TraceOptions& options = {});
  /// Ends the trace that was started. Throws Error when none was, or during a run.
  Trace stop_trace();
  /// The same, and writes it as `write_trace` does: after an Error or Failure the trace goes on, so
  /// that it can be written elsewhere.
  void stop_trace(const std::string& path);

  const std::shared_ptr<Parameters>& parameters() const;
  const Plan& plan() const;
  int threads() const;
  /// Whether steps run on the calling thread alone.
  bool serial() const;

 private:
  template <Element T>
  static T scalar(const TensorView& view) {
    check(view.type.shape.elements() == 1, "fetch of ", view.type, " as one number");
    return view.as<T>()[0];
  }
  template <Element T>
  static void copy(const TensorView& view, std::span<T> out) {
    const auto values = view.as<T>();
    check(values.size() == out.size(), "fetch of ", view.type, " into ", out.size(), " elements");
    std::ranges::copy(values, out.begin());
  }

  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gradmill
