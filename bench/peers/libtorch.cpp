// The workloads on libtorch: `libtorch WORKLOAD THREADS SECONDS` answers with a line of JSON.

#include <torch/torch.h>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>

#include "workloads/clock.h"
#include "workloads/memory.h"
#include "workloads/specs.h"

namespace {

using gradmill::bench::Family;
using gradmill::bench::Spec;
using gradmill::bench::Update;

constexpr int kNoTwin = 3;

/// What is timed: a step, the batch's number given, and how much of what it leaves is the model's.
struct Twin {
  std::function<void(int batch)> step;
  std::function<std::int64_t()> state_bytes = [] { return std::int64_t{0}; };
};

/// The data of every batch, made before memory is measured.
struct Data {
  std::vector<std::vector<torch::Tensor>> tensors;

  explicit Data(const Spec& spec) {
    torch::manual_seed(1);
    const std::int64_t m = spec.rows;
    const std::int64_t first = spec.sizes.front();
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

/// One tower is the multilayer perceptron.
Twin train(const Spec& spec, const Data& data, int towers) {
  struct Model {
    std::vector<std::shared_ptr<Tower>> towers;
    std::vector<torch::Tensor> parameters;
    std::unique_ptr<torch::optim::Optimizer> optimizer;
  };
  auto model = std::make_shared<Model>();
  for (int i = 0; i < towers; ++i) {
    model->towers.push_back(std::make_shared<Tower>(spec.sizes));
    for (const torch::Tensor& p : model->towers.back()->parameters()) {
      model->parameters.push_back(p);
    }
  }
  model->optimizer = make_optimizer(model->parameters, spec.update);
  Twin twin;
  twin.step = [model, &data](int batch) {
    for (torch::Tensor& parameter : model->parameters) parameter.mutable_grad().reset();
    const auto& tensors = data.tensors[static_cast<std::size_t>(batch)];
    torch::Tensor logits = model->towers.front()->forward(tensors[0]);
    for (std::size_t i = 1; i < model->towers.size(); ++i) {
      logits = logits + model->towers[i]->forward(tensors[0]);
    }
    torch::nn::functional::cross_entropy(logits, tensors[1]).backward();
    model->optimizer->step();
  };
  twin.state_bytes = [model, update = spec.update] {
    std::int64_t count = 0;
    for (const torch::Tensor& parameter : model->parameters) count += parameter.numel();
    const int copies = update == Update::adamw ? 3 : update == Update::momentum ? 2 : 1;
    return count * copies * static_cast<std::int64_t>(sizeof(float));
  };
  return twin;
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

Twin make_twin(const Spec& spec, Data& data) {
  switch (spec.family) {
    case Family::mlp: return train(spec, data, 1);
    case Family::branches: return train(spec, data, gradmill::bench::kTowers);
    case Family::matmul: return product(data);
    case Family::cross_entropy: return loss_of_logits(data);
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
