#pragma once

#include <gradmill/gradmill.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace gradmill {

/// y = forward(x) of x's shape, in f32 or f64, with any gradient, right or wrong: the tests' own.
class FunctionOp : public Op {
 public:
  using Forward = std::function<void(std::span<const double> x, std::span<double> y)>;
  using Gradient = std::function<Value(const GradientContext&)>;
  FunctionOp(Forward forward, Gradient gradient, bool flows = true)
      : forward_(std::move(forward)), gradient_(std::move(gradient)), flows_(flows) {}

  std::string_view name() const override { return "function"; }
  std::vector<Type> infer(std::span<const Type> inputs) const override { return {inputs[0]}; }
  std::vector<Value> gradient(const GradientContext& context) const override {
    return {gradient_(context)};
  }
  bool differentiable(int) const override { return flows_; }
  std::unique_ptr<Kernel> prepare(const PrepareContext& context) const override {
    return std::make_unique<FunctionKernel>(context.inputs[0], forward_);
  }

 private:
  class FunctionKernel : public Kernel {
   public:
    FunctionKernel(Type type, Forward forward)
        : type_(std::move(type)), forward_(std::move(forward)) {}
    std::int64_t tiles(int) const override { return 1; }
    void run(int, std::int64_t, const KernelRun& run) const override {
      if (type_.dtype == DType::f32) {
        compute(run.input<float>(0), run.output<float>(0));
      } else {
        compute(run.input<double>(0), run.output<double>(0));
      }
    }
    std::string description() const override { return "function"; }

   private:
    template <class T>
    void compute(const T* from, T* to) const {
      const auto count = static_cast<std::size_t>(type_.shape.elements());
      const std::vector<double> x(from, from + count);
      std::vector<double> y(count);
      forward_(x, y);
      for (std::size_t i = 0; i < count; ++i) to[i] = static_cast<T>(y[i]);
    }

    Type type_;
    Forward forward_;
  };

  Forward forward_;
  Gradient gradient_;
  bool flows_;
};

inline Value function(Value x, FunctionOp::Forward forward, FunctionOp::Gradient gradient,
                      std::string name = "f", bool flows = true) {
  return x.graph().add(std::make_shared<FunctionOp>(std::move(forward), std::move(gradient), flows),
                       {x}, std::move(name))[0];
}

/// f applied to each element.
inline FunctionOp::Forward each(const std::function<double(double)>& f) {
  return [f](std::span<const double> x, std::span<double> y) {
    for (std::size_t i = 0; i < x.size(); ++i) y[i] = f(x[i]);
  };
}

/// gradcheck of build(x), for an f64 input x with these elements.
inline GradcheckReport check_at(const std::vector<double>& x,
                                const std::function<Value(Value)>& build,
                                const GradcheckOptions& options = {}) {
  Graph graph;
  const Value input = graph.input("x", {static_cast<std::int64_t>(x.size())}, DType::f64);
  return gradcheck(graph, build(input), {{input, x}}, options);
}

}  // namespace gradmill
