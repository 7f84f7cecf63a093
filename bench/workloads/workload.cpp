#include "workloads/workload.h"

#include <algorithm>
#include <cstddef>
#include <random>

#include "models/gpt.h"
#include "workloads/specs.h"

namespace gradmill::bench {
namespace {

std::shared_ptr<const Optimizer> optimizer_of(Update update) {
  switch (update) {
    case Update::none: return nullptr;
    case Update::sgd: return SGD{.lr = kSgdRate};
    case Update::momentum: return SGD{.lr = kSgdRate, .momentum = kMomentum};
    case Update::adamw: return AdamW{.lr = kAdamWRate, .weight_decay = kAdamWDecay};
  }
  return nullptr;
}

/// Builds a workload's graph and its data.
class Builder {
 public:
  Builder(Workload& workload, const Spec& spec, int batches)
      : workload_(workload), spec_(spec), graph_(workload.graph), generator_(1) {
    workload.name = spec.name;
    workload.batches.resize(static_cast<std::size_t>(batches));
  }

  void build() {
    switch (spec_.family) {
      case Family::mlp: return mlp();
      case Family::branches: return branches();
      case Family::matmul: return product();
      case Family::cross_entropy: return loss_of_logits();
      case Family::gpt: return gpt();
      case Family::attention: return attention();
      case Family::linear_cross_entropy: return loss_of_rows();
    }
  }

 private:
  void mlp() {
    const Value x = floats("images", {spec_.rows, spec_.sizes.front()}, 0.0F);
    train(layers(x, "", 1));
  }

  void branches() {
    const Value x = floats("x", {spec_.rows, spec_.sizes.front()}, -1.0F);
    Value sum;
    for (int tower = 0; tower < kTowers; ++tower) {
      const Value logits = layers(x, cat("tower", tower, "."), kTowers);
      sum = tower == 0 ? logits : sum + logits;
    }
    train(sum);
  }

  void product() {
    const std::int64_t m = spec_.rows;
    const std::int64_t k = spec_.sizes[0];
    const std::int64_t n = spec_.sizes[1];
    const Value a = floats("a", {m, k}, -1.0F);
    const Value b = floats("b", {k, n}, -1.0F);
    const Value dc = floats("dc", {m, n}, -1.0F);
    const Value c = matmul(a, b, {}, "c");
    workload_.options.fetches = {c};
    for (const Value gradient : gradients({c}, {a, b}, {dc})) {
      workload_.options.fetches.push_back(gradient);
    }
    workload_.products = {{m, n, k}, {m, k, n, false, true}, {k, n, m, true, false}};
  }

  void loss_of_logits() {
    const Value logits = floats("logits", {spec_.rows, spec_.sizes[0]}, -1.0F);
    const Value loss = cross_entropy(logits, labels(spec_.sizes[0]));
    workload_.options.fetches = {loss, gradients(loss, {logits})[0]};
  }

  void gpt() {
    const GptSizes& sizes = spec_.gpt;
    const GptValues model = add_gpt(graph_,
                                    {.vocab = sizes.vocab,
                                     .layers = sizes.layers,
                                     .width = sizes.width,
                                     .heads = sizes.heads,
                                     .context = sizes.context,
                                     .tied = sizes.tied},
                                    spec_.rows, sizes.length);
    std::uniform_int_distribution<std::int64_t> token(0, sizes.vocab - 1);
    fed<std::int64_t>(model.tokens, token);
    fed<std::int64_t>(model.targets, token);
    workload_.options.loss = model.loss;
    workload_.options.optimizer = optimizer_of(spec_.update);
    workload_.options.memory_budget = sizes.memory_mib << 20U;

    const std::int64_t rows = spec_.rows * sizes.length;
    const auto layers = static_cast<int>(sizes.layers);
    constexpr std::int64_t kMlpFactor = 4;
    const std::int64_t width = sizes.width;
    linear_products(rows, 3 * width, width, layers);
    linear_products(rows, width, width, layers);
    linear_products(rows, kMlpFactor * width, width, layers);
    linear_products(rows, width, kMlpFactor * width, layers);
    add(attention_products(spec_.rows * sizes.heads, sizes.length, width / sizes.heads, layers));
    linear_products(rows, sizes.vocab, width, 1, true);
  }

  void attention() {
    const Shape shape = {1, spec_.sizes[0], spec_.rows, spec_.sizes[1]};
    const Value q = floats("q", shape, -1.0F);
    const Value k = floats("k", shape, -1.0F);
    const Value v = floats("v", shape, -1.0F);
    const Value upstream = floats("do", shape, -1.0F);
    const Value o = scaled_dot_product_attention(q, k, v, {.is_causal = true}, "attention");
    workload_.options.fetches = {o};
    for (const Value gradient : gradients({o}, {q, k, v}, {upstream})) {
      workload_.options.fetches.push_back(gradient);
    }
    add(attention_products(spec_.sizes[0], spec_.rows, spec_.sizes[1]));
  }

  void loss_of_rows() {
    const std::int64_t size = spec_.sizes[0];
    const std::int64_t classes = spec_.sizes[1];
    const Value x = floats("x", {spec_.rows, size}, -1.0F);
    const Value weight = floats("weight", {classes, size}, -1.0F);
    const Value loss = linear_cross_entropy(x, weight, labels(classes));
    workload_.options.fetches = {loss};
    for (const Value gradient : gradients(loss, {x, weight})) {
      workload_.options.fetches.push_back(gradient);
    }
    linear_products(spec_.rows, classes, size, 1, true);
  }

  /// Of y = x W^T: y, dW = dy^T x and dx = dy W.
  void linear_products(std::int64_t rows, std::int64_t out, std::int64_t in, int count,
                       bool fused = false) {
    add({{rows, out, in, false, true, count, 1, fused},
         {out, in, rows, true, false, count, 1, fused},
         {rows, in, out, false, false, count, 1, fused}});
  }

  void add(const std::vector<Product>& products) {
    workload_.products.insert(workload_.products.end(), products.begin(), products.end());
  }

  /// Linear layers with relu between them, and their products, but for the first layer, whose input
  /// has no gradient.
  Value layers(Value x, const std::string& prefix, int copies) {
    for (std::size_t i = 1; i < spec_.sizes.size(); ++i) {
      const std::int64_t in = spec_.sizes[i - 1];
      const std::int64_t out = spec_.sizes[i];
      x = linear(x, out, cat(prefix, "fc", i));
      if (i + 1 < spec_.sizes.size()) x = relu(x);
      if (layers_counted_ >= spec_.sizes.size() - 1) continue;
      ++layers_counted_;
      linear_products(spec_.rows, out, in, copies);
      if (i == 1) workload_.products.pop_back();
    }
    return x;
  }

  void train(Value logits) {
    workload_.options.loss = cross_entropy(logits, labels(spec_.sizes.back()));
    workload_.options.optimizer = optimizer_of(spec_.update);
  }

  /// An input fed with random values in [low, 1).
  Value floats(const std::string& name, const Shape& shape, float low) {
    std::uniform_real_distribution<float> distribution(low, 1.0F);
    return fed<float>(graph_.input(name, shape), distribution);
  }

  Value labels(std::int64_t classes) {
    std::uniform_int_distribution<std::int64_t> distribution(0, classes - 1);
    return fed<std::int64_t>(graph_.input("labels", {spec_.rows}, DType::i64), distribution);
  }

  template <class T, class Distribution>
  Value fed(Value input, Distribution& distribution) {
    for (std::vector<Feed>& feeds : workload_.batches) {
      auto& values = std::get<std::vector<T>>(workload_.data.emplace_back(
          std::vector<T>(static_cast<std::size_t>(input.shape().elements()))));
      for (T& value : values) value = distribution(generator_);
      feeds.emplace_back(input, values);
    }
    return input;
  }

  Workload& workload_;
  const Spec& spec_;
  Graph& graph_;
  std::mt19937 generator_;
  std::size_t layers_counted_ = 0;
};

}  // namespace

std::vector<std::string> workload_names() {
  std::vector<std::string> names;
  for (const Spec& spec : specs()) names.push_back(spec.name);
  return names;
}

std::vector<std::string> default_workload_names() {
  std::vector<std::string> names;
  for (const Spec& spec : specs()) {
    if (!spec.by_name) names.push_back(spec.name);
  }
  return names;
}

std::vector<Product> attention_products(std::int64_t batch, std::int64_t length, std::int64_t size,
                                        int count) {
  const std::int64_t seen = (length + 1) / 2;
  return {{length, seen, size, false, true, 2 * count, batch, true},
          {length, size, seen, false, false, 2 * count, batch, true},
          {length, size, seen, true, false, 2 * count, batch, true}};
}

std::unique_ptr<Workload> make_workload(std::string_view name, int batches) {
  std::string known;
  for (const Spec& spec : specs()) {
    if (spec.name != name) {
      known += (known.empty() ? "" : ", ") + spec.name;
      continue;
    }
    auto workload = std::make_unique<Workload>();
    const int all = batches_of(spec);
    Builder(*workload, spec, batches > 0 ? std::min(batches, all) : all).build();
    return workload;
  }
  fail("no workload is named '", name, "': ", known);
}

double product_flops(const Workload& workload) {
  double flops = 0;
  for (const Product& product : workload.products) flops += product.count * product.flops();
  return flops;
}

}  // namespace gradmill::bench
