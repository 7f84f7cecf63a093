// What `gradmill gradcheck` does, for a model with an op whose gradient is wrong in one element.
//
//   broken_gradient [SIZE ROW COLUMN]   weights of SIZE x SIZE, wrong at [ROW, COLUMN]

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <gradmill/gradmill.h>

#include "commands/check_gradients.h"
#include "guarded.h"

namespace gradmill {
namespace {

template <class T>
class CopyKernel : public Kernel {
 public:
  explicit CopyKernel(std::int64_t elements) : elements_(elements) {}
  std::int64_t tiles(int) const override { return 1; }
  void run(int, std::int64_t, const KernelRun& run) const override {
    for (std::int64_t i = 0; i < elements_; ++i) run.output<T>(0)[i] = run.input<T>(0)[i];
  }
  std::string description() const override { return "copy"; }

 private:
  std::int64_t elements_;
};

/// y = x, and dx = dy but for one element, where it is 1.01 dy.
class Broken : public Op {
 public:
  explicit Broken(std::int64_t element) : element_(element) {}
  std::string_view name() const override { return "broken"; }
  std::vector<Type> infer(std::span<const Type> inputs) const override { return {inputs[0]}; }
  std::vector<Value> gradient(const GradientContext& context) const override {
    const Value dy = context.upstream[0];
    std::vector<double> mask(static_cast<std::size_t>(dy.shape().elements()), 1.0);
    mask[static_cast<std::size_t>(element_)] = 1.01;
    return {dy * dy.graph().constant(std::span<const double>(mask), dy.shape())};
  }
  std::unique_ptr<Kernel> prepare(const PrepareContext& context) const override {
    const Type& type = context.inputs[0];
    if (type.dtype == DType::f32) return std::make_unique<CopyKernel<float>>(type.shape.elements());
    return std::make_unique<CopyKernel<double>>(type.shape.elements());
  }

 private:
  std::int64_t element_;
};

int run(int argc, char** argv) {
  check(argc == 1 || argc == 4, "broken_gradient takes no arguments or three");
  const std::int64_t size = argc == 1 ? 6 : std::stoll(argv[1]);
  const std::int64_t element =
      argc == 1 ? 2 * size + 3 : std::stoll(argv[2]) * size + std::stoll(argv[3]);
  Graph graph;
  const Value x = graph.input("x", {8, size});
  const Value labels = graph.input("labels", {8}, DType::i64);
  const Value weight = graph.parameter("fc1.weight", {size, size}, Initializer::linear(size));
  const Value broken = graph.add(std::make_shared<Broken>(element), {weight})[0];
  const Value hidden = tanh(matmul(x, broken, {.transpose_b = true}));
  const Value loss = cross_entropy(linear(hidden, 4, "fc2"), labels);
  const std::vector<std::int64_t> ids = {0, 1, 2, 3, 0, 1, 2, 3};
  const std::vector<Feed> feeds = {{labels, ids}};
  return check_gradients(graph, loss, feeds, {.seed = 5});
}

}  // namespace
}  // namespace gradmill

int main(int argc, char** argv) {
  return gradmill::guarded([&] { return gradmill::run(argc, argv); });
}
