#include <gradmill/ops/matmul.h>

#include <algorithm>
#include <array>
#include <optional>

#include <gradmill/graph/graph.h>
#include <gradmill/ops/elementwise/arithmetic.h>
#include <gradmill/ops/elementwise/broadcast.h>
#include <gradmill/ops/elementwise/elementwise.h>
#include <gradmill/ops/matmul/batch.h>
#include <gradmill/ops/matmul/kernel.h>
#include <gradmill/ops/optimizer/element_update.h>
#include <gradmill/runtime/error.h>
#include <gradmill/runtime/short_list.h>
#include <gradmill/runtime/support/index.h>

namespace gradmill {
namespace {

// C [.., m, n] = sum of op(A) [.., m, k] op(B) [.., k, n] over the batch axes that C lacks.
//
// One form serves the product and both of its gradients, of any order: each of M, N and K is an
// axis of two of the three tensors, each batch axis of two or all three, and a gradient only
// exchanges the tensors' parts.
struct Form {
  bool transpose_a = false;
  bool transpose_b = false;
  // Whether that dimension, of size 1, is no axis of the two tensors that would have it.
  bool lacks_m = false;
  bool lacks_n = false;
  bool lacks_k = false;
  std::optional<Shape> batch = {};  // of C; by default that of A and B, broadcast
};

// A tensor as a batch of matrices, the way they are stored.
struct Matrices {
  Shape batch;
  std::int64_t rows = 1;
  std::int64_t columns = 1;
};

Matrices matrices(const Shape& shape, bool lacks_rows, bool lacks_columns) {
  Matrices result;
  int axes = shape.rank();
  const auto take = [&](bool lacking) { return lacking ? std::int64_t{1} : shape[--axes]; };
  result.columns = take(lacks_columns);
  result.rows = take(lacks_rows);
  result.batch = Shape(std::span(shape.begin(), static_cast<std::size_t>(axes)));
  return result;
}

class Matmul final : public Op {
 public:
  explicit Matmul(Form form, Epilogue epilogue = {})
      : form_(std::move(form)), epilogue_(std::move(epilogue)) {
    if (epilogue_.update != nullptr) mutates_ = updated_inputs(epilogue_).written();
  }

  std::string_view name() const override { return "matmul"; }

  std::optional<std::string> attributes() const override {
    std::string text = cat("transpose_a=", form_.transpose_a, " transpose_b=", form_.transpose_b);
    if (form_.lacks_m || form_.lacks_n || form_.lacks_k) {
      text += cat(" without=", form_.lacks_m ? "m" : "", form_.lacks_n ? "n" : "",
                  form_.lacks_k ? "k" : "");
    }
    if (form_.batch) text += cat(" batch=", *form_.batch);
    if (!epilogue_.empty()) text += cat(" epilogue=", to_string(epilogue_));
    return text;
  }

  std::vector<Type> infer(std::span<const Type> inputs) const override {
    const Type result = product(inputs);
    if (epilogue_.update == nullptr) return {result};
    for (const int i : mutates_) {
      const Type& type = inputs[static_cast<std::size_t>(i)];
      check(type == result, "parameter and state must be as the gradient ", result, ", and one is ",
            type);
    }
    return {};
  }

  std::span<const int> mutates() const override { return mutates_; }

  std::vector<Value> gradient(const GradientContext& context) const override {
    const Value a = context.inputs[0];
    const Value b = context.inputs[1];
    const Value dc = context.upstream[0];
    const auto [ta, tb, m, n, k, batch] = form_;
    std::vector<Value> gradients(2);
    if (context.needed[0]) {
      const Shape own = lhs(a.shape()).batch;
      gradients[0] =
          ta ? add(b, dc, {tb, true, k, m, n, own}) : add(dc, b, {false, !tb, m, k, n, own});
    }
    if (context.needed[1]) {
      const Shape own = rhs(b.shape()).batch;
      gradients[1] =
          tb ? add(dc, a, {true, ta, n, k, m, own}) : add(a, dc, {!ta, false, k, n, m, own});
    }
    return gradients;
  }

  std::unique_ptr<Kernel> prepare(const PrepareContext& context) const override {
    return make_gemm(problem(context), epilogue_, context.tuning);
  }

  Cost cost(std::span<const Type> inputs, std::span<const Type> outputs) const override {
    const Matrices left = lhs(inputs[0].shape);
    const Matrices right = rhs(inputs[1].shape);
    const Shape shape = product(inputs).shape;
    const Matrices result = matrices(shape, form_.lacks_m, form_.lacks_n);
    Cost cost = Op::cost(inputs, outputs);
    cost.flops = 2.0 * static_cast<double>(shape.elements()) * static_cast<double>(k_of(left));
    for (const BatchAxis& axis : batch_axes(left.batch, right.batch, result.batch)) {
      if (axis.c == 0) cost.flops *= static_cast<double>(axis.size);
    }
    if (epilogue_.update != nullptr) {
      cost.flops += epilogue_.update->flops_per_element() * static_cast<double>(shape.elements());
      for (const int i : mutates()) {
        cost.bytes += static_cast<double>(inputs[static_cast<std::size_t>(i)].bytes());
      }
    }
    return cost;
  }

  // Bias, then activation, then one more operand: what comes after a product in and behind a layer.
  // Or the update of the parameter that the product is the gradient of.
  std::optional<Absorbed> absorb(const Absorption& offer) const override {
    Epilogue epilogue = epilogue_;
    if (epilogue.combine || epilogue.update != nullptr) return std::nullopt;
    if (const auto* update = dynamic_cast<const UpdateOp*>(&offer.consumer)) {
      if (!epilogue.empty()) return std::nullopt;
      epilogue.update = update->element_update();
      return Absorbed{std::make_shared<Matmul>(form_, epilogue),
                      all_but(epilogue.update->inputs().gradient, offer.from_producer),
                      {}};
    }
    if (const auto* unary = dynamic_cast<const UnaryOp*>(&offer.consumer)) {
      if (epilogue.activation || !unary->function().follows_product) return std::nullopt;
      epilogue.activation = unary->function();
      return Absorbed{std::make_shared<Matmul>(form_, epilogue), {}, {-1}};
    }
    const auto* binary = dynamic_cast<const BinaryOp*>(&offer.consumer);
    if (binary == nullptr || offer.from_producer[1] == 0) return std::nullopt;
    const Shape& result = offer.producer_outputs[0].shape;
    const Shape& other = offer.consumer_inputs[1].shape;
    if (binary->function() == kAdd && epilogue.empty() && !form_.lacks_n &&
        other == Shape({result[result.rank() - 1]})) {
      epilogue.bias = true;
    } else if (other == result && binary->function().follows_product) {
      epilogue.combine = binary->function();
    } else {
      return std::nullopt;
    }
    return Absorbed{std::make_shared<Matmul>(form_, epilogue), {1}, {-1}};
  }

 private:
  // The type of A B; throws Error where they do not fit.
  Type product(std::span<const Type> inputs) const {
    const Type& a = inputs[0];
    const Type& b = inputs[1];
    check(is_floating(a.dtype), "operands must be f32 or f64, got lhs ", a, ", rhs ", b);
    check(a.dtype == b.dtype, "operands differ in dtype: lhs ", a, ", rhs ", b);
    check(a.shape.rank() >= !form_.lacks_m + !form_.lacks_k &&
              b.shape.rank() >= !form_.lacks_k + !form_.lacks_n,
          "operands need at least one axis, got lhs ", a.shape, ", rhs ", b.shape);
    check(!form_.transpose_a || a.shape.rank() >= 2,
          "transpose_a exchanges the last two axes, and lhs ", a.shape, " has one");
    check(!form_.transpose_b || b.shape.rank() >= 2,
          "transpose_b exchanges the last two axes, and rhs ", b.shape, " has one");
    const Matrices left = lhs(a.shape);
    const Matrices right = rhs(b.shape);
    check(k_of(left) == (form_.transpose_b ? right.columns : right.rows),
          "inner dimensions differ: lhs ", a.shape, form_.transpose_a ? " transposed" : "",
          ", rhs ", b.shape, form_.transpose_b ? " transposed" : "");
    for (int k = 1; k <= std::max(left.batch.rank(), right.batch.rank()); ++k) {
      const std::int64_t size_a = size_from_end(left.batch, k);
      const std::int64_t size_b = size_from_end(right.batch, k);
      check(size_a == size_b || size_a == 1 || size_b == 1, "batch axes do not broadcast: lhs ",
            a.shape, ", rhs ", b.shape, ": on axis ", -k - 2, ", ", size_a, " and ", size_b,
            " differ and neither is 1");
    }
    const Shape batch = form_.batch.value_or(broadcast_shapes(left.batch, right.batch));
    check(fits(left.batch, right.batch, batch), "a batch of ", batch, " does not follow from lhs ",
          a.shape, ", rhs ", b.shape);
    ShortList<std::int64_t, 6> sizes(batch.begin(), batch.end());
    if (!form_.lacks_m) sizes.push_back(form_.transpose_a ? left.columns : left.rows);
    if (!form_.lacks_n) sizes.push_back(form_.transpose_b ? right.rows : right.columns);
    return {a.dtype, Shape(sizes)};
  }

  Gemm problem(const PrepareContext& context) const {
    const Type c = product(context.inputs);
    const Matrices left = lhs(context.inputs[0].shape);
    const Matrices right = rhs(context.inputs[1].shape);
    const Matrices result = matrices(c.shape, form_.lacks_m, form_.lacks_n);
    return {.dtype = c.dtype,
            .m = result.rows,
            .n = result.columns,
            .k = k_of(left),
            .transpose_a = form_.transpose_a,
            .transpose_b = form_.transpose_b,
            .batch = batch_axes(left.batch, right.batch, result.batch)};
  }

  static ShortList<int, 4> all_but(int input, std::span<const int> inputs) {
    ShortList<int, 4> rest;
    for (int i = 0; i < static_cast<int>(inputs.size()); ++i) {
      if (i != input) rest.push_back(i);
    }
    return rest;
  }

  Matrices lhs(const Shape& shape) const {
    return form_.transpose_a ? matrices(shape, form_.lacks_k, form_.lacks_m)
                             : matrices(shape, form_.lacks_m, form_.lacks_k);
  }
  Matrices rhs(const Shape& shape) const {
    return form_.transpose_b ? matrices(shape, form_.lacks_n, form_.lacks_k)
                             : matrices(shape, form_.lacks_k, form_.lacks_n);
  }
  std::int64_t k_of(const Matrices& left) const {
    return form_.transpose_a ? left.rows : left.columns;
  }

  // Each batch axis belongs to two of the tensors at least, with one size.
  static bool fits(const Shape& a, const Shape& b, const Shape& c) {
    for (int k = 1; k <= std::max({a.rank(), b.rank(), c.rank()}); ++k) {
      const std::array sizes = {size_from_end(a, k), size_from_end(b, k), size_from_end(c, k)};
      const std::int64_t size = *std::max_element(sizes.begin(), sizes.end());
      const auto have = std::count(sizes.begin(), sizes.end(), size);
      const auto lack = std::count(sizes.begin(), sizes.end(), 1);
      if (size > 1 && (have < 2 || have + lack != 3)) return false;
    }
    return true;
  }

  static Value add(Value a, Value b, Form form) {
    // A vector is stored alike either way.
    if (form.lacks_m || form.lacks_k) form.transpose_a = false;
    if (form.lacks_n || form.lacks_k) form.transpose_b = false;
    // Equal products have equal attributes, whether a user or a gradient made them.
    const Matmul op(form);
    if (form.batch == broadcast_shapes(op.lhs(a.shape()).batch, op.rhs(b.shape()).batch)) {
      form.batch.reset();
    }
    return add_op(std::make_shared<Matmul>(std::move(form)), {a, b}, {});
  }

  Form form_;
  Epilogue epilogue_;
  ShortList<int, 4> mutates_;
};

}  // namespace

Value matmul(Value a, Value b, const MatmulOptions& options, std::string name) {
  const auto is_vector = [](const Value& x) { return x && x.shape().rank() < 2; };
  const Form form{.transpose_a = options.transpose_a,
                  .transpose_b = options.transpose_b,
                  .lacks_m = is_vector(a),
                  .lacks_n = is_vector(b)};
  return add_op(std::make_shared<Matmul>(form), {a, b}, std::move(name));
}

}  // namespace gradmill
