#include <gradmill/ops/linear.h>

#include <gradmill/graph/graph.h>
#include <gradmill/ops/arithmetic.h>
#include <gradmill/ops/matmul.h>
#include <gradmill/runtime/error.h>

namespace gradmill {
namespace {

void check_input(const Value& x, const std::string& name) {
  check(is_floating(x.dtype()), "linear '", name, "': the input must be f32 or f64, got ",
        x.type());
  check(x.shape().rank() >= 1, "linear '", name, "': the input needs at least one axis, got ",
        x.shape());
}

}  // namespace

Value linear(Value x, std::int64_t out_features, const std::string& name,
             const LinearOptions& options) {
  check(!name.empty(), "linear: a name is needed for its parameters");
  check_input(x, name);
  check(out_features >= 1, "linear '", name, "': out_features must be at least 1, got ",
        out_features);
  Graph& graph = x.graph();
  const std::string weight_name = name + ".weight";
  const std::string bias_name = name + ".bias";
  for (const std::string& taken : {weight_name, bias_name}) {
    if (taken == bias_name && !options.bias) continue;
    check(!graph.find(taken), "linear '", name, "': the name '", taken,
          "' is taken by another input or parameter");
  }
  Graph::Transaction transaction(graph);
  const std::int64_t in_features = x.shape()[x.shape().rank() - 1];
  const Initializer initializer = Initializer::linear(in_features);
  const Value weight =
      graph.parameter(weight_name, {out_features, in_features}, initializer, x.dtype());
  const Value bias =
      options.bias ? graph.parameter(bias_name, {out_features}, initializer, x.dtype()) : Value();
  const Value y = linear(x, weight, bias, name);
  transaction.keep();
  return y;
}

Value linear(Value x, Value weight, Value bias, const std::string& name) {
  check_input(x, name);
  const Shape& shape = x.shape();
  const Shape& weights = weight.shape();
  const int last = shape.rank() - 1;
  check(weights.rank() == 2 && weights[1] == shape[last], "linear '", name,
        "': a weight for input ", shape, " must be [out, ", shape[last], "], got ", weights);
  const std::int64_t out_features = weights[0];
  if (bias) {
    check(bias.shape() == Shape({out_features}), "linear '", name, "': a bias for weight ", weights,
          " must be [", out_features, "], got ", bias.shape());
  }
  for (const Value& own : {weight, bias}) {
    if (!own) continue;
    check(own.dtype() == x.dtype(), "linear '", name, "': weight and bias of input ", x.type(),
          " must have its dtype, got ", own.type());
  }
  Graph::Transaction transaction(x.graph());
  Value y = matmul(x, weight, {.transpose_b = true}, name);
  if (bias) y = add(y, bias, name);
  transaction.keep();
  return y;
}

}  // namespace gradmill
