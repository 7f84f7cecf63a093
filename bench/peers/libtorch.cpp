// The workloads on libtorch: `libtorch WORKLOAD THREADS SECONDS` prints one line of JSON.

#include <torch/torch.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <limits>
#include <memory>

#include "workloads/clock.h"
#include "workloads/memory.h"
#include "workloads/specs.h"

namespace {

using gradmill::bench::Family;
using gradmill::bench::Spec;
using gradmill::bench::Update;

constexpr int kNoTwin = 3;

/// What is timed: a step, given the index of its batch, and the bytes of parameters and optimizer
/// state.
struct Twin {
  std::function<void(int batch)> step;
  std::function<std::int64_t()> state_bytes = [] { return std::int64_t{0}; };
};

/// The data of all batches, created before memory is measured.
struct Data {
  std::vector<std::vector<torch::Tensor>> tensors;

  explicit Data(const Spec& spec) {
    torch::manual_seed(1);
    const std::int64_t m = spec.rows;
    const std::int64_t first = spec.sizes.empty() ? 0 : spec.sizes.front();
    const auto tokens = [&] {
      return torch::randint(spec.gpt.vocab, {m, spec.gpt.length}, torch::kInt64);
    };
    for (int i = 0; i < gradmill::bench::batches_of(spec); ++i) {
      switch (spec.family) {
        case Family::mlp:
        case Family::branches:
        case Family::cross_entropy:
          tensors.push_back(
              {torch::rand({m, first}), torch::randint(spec.sizes.back(), {m}, torch::kInt64)});
          break;
        case Family::matmul:
          tensors.push_back({torch::rand({m, first}), torch::rand({first, spec.sizes[1]}),
                             torch::rand({m, spec.sizes[1]})});
          break;
        case Family::gpt: tensors.push_back({tokens(), tokens()}); break;
        case Family::attention:
          tensors.emplace_back();
          for (int part = 0; part < 4; ++part) {
            tensors.back().push_back(torch::rand({1, first, m, spec.sizes[1]}));
          }
          break;
        case Family::linear_cross_entropy:
          tensors.push_back({torch::rand({m, first}), torch::rand({spec.sizes[1], first}),
                             torch::randint(spec.sizes[1], {m}, torch::kInt64)});
          break;
      }
    }
  }
};

/// Linear layers with relu between them.
class Tower : public torch::nn::Module {
 public:
  explicit Tower(const std::vector<std::int64_t>& sizes) {
    for (std::size_t i = 1; i < sizes.size(); ++i) {
      layers_.push_back(
          register_module("fc" + std::to_string(i), torch::nn::Linear(sizes[i - 1], sizes[i])));
    }
  }

  torch::Tensor forward(torch::Tensor x) {
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      x = layers_[i]->forward(x);
      if (i + 1 < layers_.size()) x = torch::relu_(x);
    }
    return x;
  }

 private:
  std::vector<torch::nn::Linear> layers_;
};

/// What causal attention masks: everything above the diagonal.
torch::Tensor causal_mask(std::int64_t length) {
  return torch::ones({length, length}, torch::kBool).triu(1);
}

/// Composed of other ops, since this version has no op for it. `q`, `k` and `v` are [..., tokens,
/// size].
torch::Tensor attend(const torch::Tensor& q, const torch::Tensor& k, const torch::Tensor& v,
                     const torch::Tensor& hidden) {
  const double scale = 1 / std::sqrt(static_cast<double>(q.size(-1)));
  return torch::matmul(q * scale, k.transpose(-2, -1))
      .masked_fill_(hidden, -std::numeric_limits<double>::infinity())
      .softmax(-1)
      .matmul(v);
}

/// One layer of a GPT-2.
class Layer : public torch::nn::Module {
 public:
  Layer(std::int64_t width, std::int64_t heads) : heads_(heads) {
    ln_1_ = register_module("ln_1", torch::nn::LayerNorm(norm(width)));
    c_attn_ = register_module("c_attn", torch::nn::Linear(width, 3 * width));
    attn_proj_ = register_module("attn_proj", torch::nn::Linear(width, width));
    ln_2_ = register_module("ln_2", torch::nn::LayerNorm(norm(width)));
    c_fc_ = register_module("c_fc", torch::nn::Linear(width, 4 * width));
    mlp_proj_ = register_module("mlp_proj", torch::nn::Linear(4 * width, width));
  }

  static torch::nn::LayerNormOptions norm(std::int64_t width) {
    return torch::nn::LayerNormOptions({width});
  }

  torch::Tensor forward(torch::Tensor x, const torch::Tensor& hidden) {
    std::vector<torch::Tensor> qkv;
    for (const torch::Tensor& part : c_attn_(ln_1_(x)).chunk(3, -1)) {
      qkv.push_back(part.view({x.size(0), x.size(1), heads_, -1}).transpose(1, 2));
    }
    const torch::Tensor mixed = attend(qkv[0], qkv[1], qkv[2], hidden);
    x = x + attn_proj_(mixed.transpose(1, 2).flatten(2));
    return x + mlp_proj_(torch::gelu(c_fc_(ln_2_(x)), "tanh"));
  }

 private:
  std::int64_t heads_;
  torch::nn::LayerNorm ln_1_ = nullptr;
  torch::nn::LayerNorm ln_2_ = nullptr;
  torch::nn::Linear c_attn_ = nullptr;
  torch::nn::Linear attn_proj_ = nullptr;
  torch::nn::Linear c_fc_ = nullptr;
  torch::nn::Linear mlp_proj_ = nullptr;
};

/// GPT-2 without dropout, and its loss.
class Gpt : public torch::nn::Module {
 public:
  explicit Gpt(const gradmill::bench::GptSizes& sizes) {
    wte_ = register_module("wte", torch::nn::Embedding(sizes.vocab, sizes.width));
    wpe_ = register_module("wpe", torch::nn::Embedding(sizes.context, sizes.width));
    for (std::int64_t i = 0; i < sizes.layers; ++i) {
      layers_.push_back(register_module("h" + std::to_string(i),
                                        std::make_shared<Layer>(sizes.width, sizes.heads)));
    }
    ln_f_ = register_module("ln_f", torch::nn::LayerNorm(Layer::norm(sizes.width)));
    if (!sizes.tied) head_ = register_parameter("head", torch::rand({sizes.vocab, sizes.width}));
    const torch::NoGradGuard no_gradients;
    for (torch::Tensor& parameter : parameters()) {
      if (parameter.dim() > 1) parameter.normal_(0, 0.02);
    }
    positions_ = torch::arange(sizes.length);
    hidden_ = causal_mask(sizes.length);
  }

  torch::Tensor loss(const torch::Tensor& tokens, const torch::Tensor& targets) {
    torch::Tensor x = wte_(tokens) + wpe_(positions_);
    for (const std::shared_ptr<Layer>& layer : layers_) x = layer->forward(x, hidden_);
    const torch::Tensor logits =
        torch::nn::functional::linear(ln_f_(x), head_.defined() ? head_ : wte_->weight);
    return torch::nn::functional::cross_entropy(logits.flatten(0, 1), targets.flatten());
  }

 private:
  torch::nn::Embedding wte_ = nullptr;
  torch::nn::Embedding wpe_ = nullptr;
  std::vector<std::shared_ptr<Layer>> layers_;
  torch::nn::LayerNorm ln_f_ = nullptr;
  torch::Tensor head_;
  torch::Tensor positions_;
  torch::Tensor hidden_;
};

std::unique_ptr<torch::optim::Optimizer> make_optimizer(
    const std::vector<torch::Tensor>& parameters, Update update) {
  if (update == Update::adamw) {
    return std::make_unique<torch::optim::AdamW>(
        parameters, torch::optim::AdamWOptions(gradmill::bench::kAdamWRate)
                        .weight_decay(gradmill::bench::kAdamWDecay));
  }
  torch::optim::SGDOptions options(gradmill::bench::kSgdRate);
  if (update == Update::momentum) options.momentum(gradmill::bench::kMomentum);
  return std::make_unique<torch::optim::SGD>(parameters, options);
}

/// `loss_of` gives the loss of a batch's tensors.
Twin train(const Spec& spec, const Data& data, const std::vector<torch::Tensor>& parameters,
           const std::function<torch::Tensor(const std::vector<torch::Tensor>& tensors)>& loss_of) {
  const std::shared_ptr<torch::optim::Optimizer> optimizer =
      make_optimizer(parameters, spec.update);
  Twin twin;
  twin.step = [optimizer, parameters, loss_of, &data](int batch) {
    for (const torch::Tensor& parameter : parameters) parameter.mutable_grad().reset();
    loss_of(data.tensors[static_cast<std::size_t>(batch)]).backward();
    optimizer->step();
  };
  twin.state_bytes = [parameters, update = spec.update] {
    std::int64_t count = 0;
    for (const torch::Tensor& parameter : parameters) count += parameter.numel();
    const int copies = update == Update::adamw ? 3 : update == Update::momentum ? 2 : 1;
    return count * copies * static_cast<std::int64_t>(sizeof(float));
  };
  return twin;
}

/// With one tower, it is the multilayer perceptron.
Twin train_towers(const Spec& spec, const Data& data, int count) {
  std::vector<std::shared_ptr<Tower>> towers;
  std::vector<torch::Tensor> parameters;
  for (int i = 0; i < count; ++i) {
    towers.push_back(std::make_shared<Tower>(spec.sizes));
    for (const torch::Tensor& p : towers.back()->parameters()) parameters.push_back(p);
  }
  return train(spec, data, parameters, [towers](const std::vector<torch::Tensor>& tensors) {
    torch::Tensor logits = towers.front()->forward(tensors[0]);
    for (std::size_t i = 1; i < towers.size(); ++i) {
      logits = logits + towers[i]->forward(tensors[0]);
    }
    return torch::nn::functional::cross_entropy(logits, tensors[1]);
  });
}

Twin train_gpt(const Spec& spec, const Data& data) {
  const auto model = std::make_shared<Gpt>(spec.gpt);
  return train(spec, data, model->parameters(), [model](const std::vector<torch::Tensor>& tensors) {
    return model->loss(tensors[0], tensors[1]);
  });
}

Twin product(Data& data) {
  for (auto& tensors : data.tensors) {
    tensors[0].requires_grad_();
    tensors[1].requires_grad_();
  }
  return {[&data](int batch) {
    const auto& tensors = data.tensors[static_cast<std::size_t>(batch)];
    const torch::Tensor c = torch::matmul(tensors[0], tensors[1]);
    torch::autograd::grad({c}, {tensors[0], tensors[1]}, {tensors[2]});
  }};
}

Twin loss_of_logits(Data& data) {
  for (auto& tensors : data.tensors) tensors[0].requires_grad_();
  return {[&data](int batch) {
    const auto& tensors = data.tensors[static_cast<std::size_t>(batch)];
    const torch::Tensor loss = torch::nn::functional::cross_entropy(tensors[0], tensors[1]);
    torch::autograd::grad({loss}, {tensors[0]});
  }};
}

Twin attention(Data& data) {
  for (auto& tensors : data.tensors) {
    for (std::size_t i = 0; i < 3; ++i) tensors[i].requires_grad_();
  }
  const torch::Tensor hidden = causal_mask(data.tensors[0][0].size(-2));
  return {[&data, hidden](int batch) {
    const auto& tensors = data.tensors[static_cast<std::size_t>(batch)];
    const torch::Tensor o = attend(tensors[0], tensors[1], tensors[2], hidden);
    torch::autograd::grad({o}, {tensors[0], tensors[1], tensors[2]}, {tensors[3]});
  }};
}

Twin loss_of_rows(Data& data) {
  for (auto& tensors : data.tensors) {
    tensors[0].requires_grad_();
    tensors[1].requires_grad_();
  }
  return {[&data](int batch) {
    const auto& tensors = data.tensors[static_cast<std::size_t>(batch)];
    const torch::Tensor logits = torch::nn::functional::linear(tensors[0], tensors[1]);
    const torch::Tensor loss = torch::nn::functional::cross_entropy(logits, tensors[2]);
    torch::autograd::grad({loss}, {tensors[0], tensors[1]});
  }};
}

Twin make_twin(const Spec& spec, Data& data) {
  switch (spec.family) {
    case Family::mlp: return train_towers(spec, data, 1);
    case Family::branches: return train_towers(spec, data, gradmill::bench::kTowers);
    case Family::matmul: return product(data);
    case Family::cross_entropy: return loss_of_logits(data);
    case Family::gpt: return train_gpt(spec, data);
    case Family::attention: return attention(data);
    case Family::linear_cross_entropy: return loss_of_rows(data);
  }
  return {};
}

int answer(const Spec& spec, int threads, double seconds) {
  torch::set_num_threads(threads);
  Data data(spec);
  const gradmill::bench::MemoryGrowth growth;
  const Twin twin = make_twin(spec, data);
  const auto batches = static_cast<int>(data.tensors.size());
  const auto times =
      gradmill::bench::measure_steps(seconds, [&](int i) { twin.step(i % batches); });
  const std::int64_t state = twin.state_bytes();
  std::printf(
      "{\"peer\": \"libtorch\", \"workload\": \"%s\", \"threads\": %d, \"steps\": %zu, "
      "\"median_ms\": %.5f, \"p10_ms\": %.5f, \"p90_ms\": %.5f, \"state_bytes\": %lld, "
      "\"growth_bytes\": %lld, \"peak_bytes\": %lld, \"version\": \"" TORCH_VERSION "\"}\n",
      spec.name.c_str(), threads, times.steps, times.median_ms, times.p10_ms, times.p90_ms,
      static_cast<long long>(state), static_cast<long long>(growth.bytes() - state),
      static_cast<long long>(growth.peak_bytes()));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const int threads = argc == 4 ? std::atoi(argv[2]) : 0;
  const double seconds = argc == 4 ? std::atof(argv[3]) : 0;
  if (threads < 1 || seconds <= 0) {
    std::fprintf(stderr, "usage: %s WORKLOAD THREADS SECONDS\n", argv[0]);
    return 2;
  }
  for (const Spec& spec : gradmill::bench::specs()) {
    if (spec.name == argv[1]) return answer(spec, threads, seconds);
  }
  return kNoTwin;
}
