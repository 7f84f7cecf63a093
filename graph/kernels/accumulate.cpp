#include <gradmill/graph/kernels/accumulate.h>

#include <algorithm>

#include <gradmill/graph/graph.h>
#include <gradmill/runtime/error.h>

namespace gradmill {
namespace {

constexpr std::int64_t kTileElements = 32768;

template <class T>
class AccumulateKernel : public Kernel {
 public:
  AccumulateKernel(std::int64_t elements, int terms) : elements_(elements), terms_(terms) {}

  std::int64_t tiles(int) const override { return (elements_ + kTileElements - 1) / kTileElements; }

  void run(int, std::int64_t tile, const KernelRun& run) const override {
    const std::int64_t begin = tile * kTileElements;
    const std::int64_t end = std::min(elements_, begin + kTileElements);
    T* sum = run.output<T>(0);
    const T* first = run.input<T>(0);
    const T* second = run.input<T>(1);
    for (std::int64_t i = begin; i < end; ++i) sum[i] = first[i] + second[i];
    for (int term = 2; term < terms_; ++term) {
      const T* next = run.input<T>(term);
      for (std::int64_t i = begin; i < end; ++i) sum[i] += next[i];
    }
  }

  std::string description() const override { return cat("sum of ", terms_); }

 private:
  std::int64_t elements_;
  int terms_;
};

class Accumulate : public Op {
 public:
  std::string_view name() const override { return "accumulate"; }
  std::optional<std::string> attributes() const override { return ""; }

  std::vector<Type> infer(std::span<const Type> inputs) const override {
    check(inputs.size() >= 2, "at least 2 terms are needed, got ", inputs.size());
    check(is_floating(inputs[0].dtype), "terms must be f32 or f64, got ", inputs[0]);
    for (const Type& type : inputs) {
      check(type == inputs[0], "terms differ in type: ", inputs[0], " and ", type);
    }
    return {inputs[0]};
  }

  std::vector<Value> gradient(const GradientContext& context) const override {
    return std::vector<Value>(context.inputs.size(), context.upstream[0]);
  }

  std::unique_ptr<Kernel> prepare(const PrepareContext& context) const override {
    const Type& type = context.outputs[0];
    const int terms = static_cast<int>(context.inputs.size());
    return visit_floating(type.dtype, [&](auto element) -> std::unique_ptr<Kernel> {
      return std::make_unique<AccumulateKernel<decltype(element)>>(type.shape.elements(), terms);
    });
  }

  // Later terms are read after the first write, so only the first two may lie under the sum.
  bool in_place(int input, int, std::span<const Type>) const override { return input < 2; }
};

}  // namespace

Value accumulate(std::span<const Value> values) {
  check(!values.empty(), "accumulate: nothing to add");
  if (values.size() == 1) return values[0];
  return values[0].graph().add(std::make_shared<Accumulate>(), values)[0];
}

}  // namespace gradmill
