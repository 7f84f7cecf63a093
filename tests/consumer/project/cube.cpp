#include "cube.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <gradmill/gradmill.h>

namespace {

using gradmill::GradientContext;
using gradmill::KernelRun;
using gradmill::PrepareContext;
using gradmill::Type;
using gradmill::Value;

template <class T>
class CubeKernel final : public gradmill::Kernel {
 public:
  explicit CubeKernel(std::int64_t elements) : elements_(elements) {}

  std::int64_t tiles(int) const override { return (elements_ + kTile - 1) / kTile; }

  void run(int, std::int64_t tile, const KernelRun& run) const override {
    const T* x = run.input<T>(0);
    T* y = run.output<T>(0);
    const std::int64_t end = std::min(elements_, (tile + 1) * kTile);
    for (std::int64_t i = tile * kTile; i < end; ++i) y[i] = x[i] * x[i] * x[i];
  }

  std::string description() const override { return "cube"; }

 private:
  static constexpr std::int64_t kTile = 4096;
  std::int64_t elements_;
};

// f64 as well, in which gradcheck checks the gradient.
class Cube : public gradmill::Op {
 public:
  std::string_view name() const override { return "cube"; }
  std::optional<std::string> attributes() const override { return ""; }  // it has no options

  std::vector<Type> infer(std::span<const Type> inputs) const override {
    gradmill::check(inputs.size() == 1 && gradmill::is_floating(inputs[0].dtype),
                    "takes one tensor, f32 or f64");
    return {inputs[0]};
  }

  std::vector<Value> gradient(const GradientContext& context) const override {
    const Value x = context.inputs[0];
    return {context.upstream[0] * (3.0 * (x * x))};
  }

  std::unique_ptr<gradmill::Kernel> prepare(const PrepareContext& context) const override {
    const Type& type = context.inputs[0];
    if (type.dtype == gradmill::DType::f32) {
      return std::make_unique<CubeKernel<float>>(type.shape.elements());
    }
    return std::make_unique<CubeKernel<double>>(type.shape.elements());
  }

  bool in_place(int, int, std::span<const Type>) const override { return true; }
};

class ForgetfulCube final : public Cube {
 public:
  std::string_view name() const override { return "forgetful_cube"; }

  std::vector<Value> gradient(const GradientContext& context) const override {
    const Value x = context.inputs[0];
    return {3.0 * (x * x)};
  }
};

}  // namespace

Value cube(Value x) { return x.graph().add(std::make_shared<Cube>(), {x})[0]; }

Value forgetful_cube(Value x) { return x.graph().add(std::make_shared<ForgetfulCube>(), {x})[0]; }
