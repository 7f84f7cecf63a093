#include <gradmill/ops/attention.h>

#include <cmath>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include <gradmill/graph/graph.h>
#include <gradmill/ops/attention/kernel.h>
#include <gradmill/runtime/error.h>

namespace gradmill {
namespace {

struct Settings {
  bool packed = false;     ///< query, key and value are one tensor
  std::int64_t heads = 1;  ///< in it
  bool masked = false;
  bool causal = false;
  std::optional<double> scale = {};
};

// The mask's stride along each axis of `scores`, 0 where it is broadcast.
std::vector<std::int64_t> mask_strides(const Type& mask, const Type& query, const Shape& scores) {
  const int missing = scores.rank() - mask.shape.rank();
  bool fits = mask.dtype == query.dtype && missing >= 0;
  std::vector<std::int64_t> strides(static_cast<std::size_t>(scores.rank()));
  std::int64_t stride = 1;
  for (int axis = scores.rank() - 1; fits && axis >= missing; --axis) {
    const std::int64_t size = mask.shape[axis - missing];
    fits = size == 1 || size == scores[axis];
    strides[static_cast<std::size_t>(axis)] = size == 1 ? 0 : stride;
    stride *= size;
  }
  check(fits, "attn_mask must broadcast to ", Type{query.dtype, scores}, ", got ", mask);
  return strides;
}

void place_mask(const Type& mask, const Type& query, const Shape& scores, AttentionProblem& p) {
  std::vector<std::int64_t> strides = mask_strides(mask, query, scores);
  p.mask_column = strides.back();
  strides.pop_back();
  p.mask_row = strides.back();
  strides.pop_back();
  p.mask.assign(static_cast<std::size_t>(p.all_heads()), 0);
  for (std::int64_t head = 0; head < p.all_heads(); ++head) {
    std::int64_t rest = head;
    for (int axis = static_cast<int>(strides.size()) - 1; axis >= 0; --axis) {
      p.mask[static_cast<std::size_t>(head)] +=
          rest % scores[axis] * strides[static_cast<std::size_t>(axis)];
      rest /= scores[axis];
    }
  }
}

AttentionProblem packed_problem(const Settings& settings, const Type& qkv) {
  const std::int64_t heads = settings.heads;
  check(heads >= 1, "num_heads must be at least 1, got ", heads);
  check(is_floating(qkv.dtype) && qkv.shape.rank() >= 2,
        "qkv must be f32 or f64 [..., T, 3 W], got ", qkv);
  const std::int64_t row = qkv.shape[qkv.shape.rank() - 1];
  check(row % (3 * heads) == 0, "the last axis of qkv ", qkv.shape,
        " must be a multiple of 3 times ", heads, " heads");
  AttentionProblem p;
  p.dtype = qkv.dtype;
  p.packed = true;
  p.heads = heads;
  p.queries = p.keys = qkv.shape[qkv.shape.rank() - 2];
  p.groups = qkv.shape.elements() / row / p.queries;
  p.width = p.value_width = row / 3 / heads;
  p.query = {.first = 0, .outer = p.queries * row, .head = p.width, .row = row};
  p.key = p.value = p.query;
  p.key.first = row / 3;
  p.value.first = row / 3 * 2;
  p.result = {.first = 0, .outer = p.queries * row / 3, .head = p.width, .row = row / 3};
  return p;
}

AttentionProblem separate_problem(const Settings& settings, std::span<const Type> inputs) {
  const Type& query = inputs[0];
  const Type& key = inputs[1];
  const Type& value = inputs[2];
  const int rank = query.shape.rank();
  check(is_floating(query.dtype) && query.dtype == key.dtype && query.dtype == value.dtype &&
            rank >= 2 && key.shape.rank() == rank && value.shape.rank() == rank,
        "query, key and value must be all f32 or all f64, and of one rank of at least 2, got ",
        query, ", ", key, " and ", value);
  AttentionProblem p;
  p.dtype = query.dtype;
  for (int axis = 0; axis + 2 < rank; ++axis) {
    check(query.shape[axis] == key.shape[axis] && query.shape[axis] == value.shape[axis],
          "leading axes differ: query ", query.shape, ", key ", key.shape, ", value ", value.shape);
    p.groups *= query.shape[axis];
  }
  p.queries = query.shape[rank - 2];
  p.keys = key.shape[rank - 2];
  p.width = query.shape[rank - 1];
  p.value_width = value.shape[rank - 1];
  check(key.shape[rank - 1] == p.width, "the last axes of query ", query.shape, " and key ",
        key.shape, " differ");
  check(value.shape[rank - 2] == p.keys, "key ", key.shape, " and value ", value.shape,
        " differ in how many there are");
  p.query = {.outer = p.queries * p.width, .row = p.width};
  p.key = {.outer = p.keys * p.width, .row = p.width};
  p.value = {.outer = p.keys * p.value_width, .row = p.value_width};
  p.result = {.outer = p.queries * p.value_width, .row = p.value_width};
  if (settings.masked) {
    check(!settings.causal, "attn_mask and is_causal exclude each other");
    std::vector<std::int64_t> scores = query.shape.sizes();
    scores.back() = p.keys;
    place_mask(inputs[3], query, Shape(scores), p);
  }
  return p;
}

// What forward and backward have in common. The first inputs are query, key and value, or all in
// one, and the mask.
class AttentionOp : public Op {
 public:
  explicit AttentionOp(const Settings& settings) : settings_(settings) {}

  std::optional<std::string> attributes() const override {
    return cat(settings_.packed ? cat("num_heads=", settings_.heads, " ") : "",
               "is_causal=", settings_.causal,
               settings_.scale ? cat(" scale=", *settings_.scale) : "");
  }

 protected:
  const Settings& settings() const { return settings_; }

  AttentionProblem problem(std::span<const Type> inputs) const {
    AttentionProblem p = settings_.packed ? packed_problem(settings_, inputs[0])
                                          : separate_problem(settings_, inputs);
    p.causal = settings_.causal;
    p.scale = settings_.scale.value_or(1 / std::sqrt(static_cast<double>(p.width)));
    check(std::isfinite(p.scale), "the scale must be finite, got ", p.scale);
    return p;
  }

  std::vector<Type> results(std::span<const Type> inputs) const {
    const AttentionProblem p = problem(inputs);
    std::vector<std::int64_t> result = inputs[0].shape.sizes();
    result.back() = p.packed ? result.back() / 3 : p.value_width;
    return {{p.dtype, Shape(result)}, {p.dtype, Shape({p.all_heads(), 2, p.queries})}};
  }

  // Operations of `products` products, and traffic of inputs and outputs.
  Cost cost_of(int products, std::span<const Type> inputs, std::span<const Type> outputs) const {
    const AttentionProblem p = problem(inputs);
    Cost cost = Op::cost(inputs, outputs);
    const double both = static_cast<double>(p.width + p.value_width);
    constexpr double kSoftmax = 25;
    cost.flops = static_cast<double>(p.all_heads() * p.queries * p.keys) * (p.causal ? 0.5 : 1) *
                 (products * both + kSoftmax);
    return cost;
  }

 private:
  Settings settings_;
};

// Further inputs: result, statistics, upstream. Outputs: the gradients of query, key and value.
class AttentionBackward final : public AttentionOp {
 public:
  using AttentionOp::AttentionOp;
  std::string_view name() const override { return "attention_backward"; }

  std::vector<Type> infer(std::span<const Type> inputs) const override {
    const std::vector<Type> saved = results(inputs);
    const std::span<const Type> further =
        inputs.subspan(static_cast<std::size_t>(problem(inputs).own_inputs()));
    check(further[0] == saved[0] && further[1] == saved[1] && further[2] == saved[0],
          "the upstream of ", saved[0], " is ", further[2]);
    const std::ptrdiff_t count = settings().packed ? 1 : 3;
    return {inputs.begin(), inputs.begin() + count};
  }

  std::vector<Value> gradient(const GradientContext&) const override {
    fail("attention has no second derivatives; matmul and softmax have");
  }

  std::unique_ptr<Kernel> prepare(const PrepareContext& context) const override {
    return make_attention_backward(problem(context.inputs));
  }

  Cost cost(std::span<const Type> inputs, std::span<const Type> outputs) const override {
    return cost_of(5, inputs, outputs);
  }
};

class Attention final : public AttentionOp {
 public:
  using AttentionOp::AttentionOp;
  std::string_view name() const override {
    return settings().packed ? "self_attention" : "scaled_dot_product_attention";
  }

  std::vector<Type> infer(std::span<const Type> inputs) const override { return results(inputs); }

  std::vector<Value> gradient(const GradientContext& context) const override {
    check(!settings().masked || !context.needed[3], "attn_mask has no gradient");
    std::vector<Value> inputs(context.inputs.begin(), context.inputs.end());
    inputs.insert(inputs.end(), {context.outputs[0], context.outputs[1], context.upstream[0]});
    std::vector<Value> gradients =
        inputs[0].graph().add(std::make_shared<const AttentionBackward>(settings()), inputs);
    gradients.resize(context.inputs.size());
    return gradients;
  }

  std::unique_ptr<Kernel> prepare(const PrepareContext& context) const override {
    return make_attention(problem(context.inputs));
  }

  Cost cost(std::span<const Type> inputs, std::span<const Type> outputs) const override {
    return cost_of(2, inputs, outputs);
  }
};

}  // namespace

Value scaled_dot_product_attention(Value query, Value key, Value value,
                                   const AttentionOptions& options, std::string name) {
  const Settings settings{.masked = static_cast<bool>(options.attn_mask),
                          .causal = options.is_causal,
                          .scale = options.scale};
  std::vector<Value> inputs = {query, key, value};
  if (settings.masked) inputs.push_back(options.attn_mask);
  return query.graph().add(std::make_shared<const Attention>(settings), inputs, std::move(name))[0];
}

Value self_attention(Value qkv, std::int64_t num_heads, const SelfAttentionOptions& options,
                     std::string name) {
  const Settings settings{
      .packed = true, .heads = num_heads, .causal = options.is_causal, .scale = options.scale};
  return qkv.graph().add(std::make_shared<const Attention>(settings), {qkv}, std::move(name))[0];
}

}  // namespace gradmill
