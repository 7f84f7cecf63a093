// The twin of step.cpp on libtorch, in a process of its own: same model, data, loss and optimizer.

#include <torch/torch.h>

#include "../step_options.h"

namespace {

using gradmill::bench::StepData;

class Perceptron : public torch::nn::Module {
 public:
  explicit Perceptron(const std::vector<std::int64_t>& sizes) {
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

}  // namespace

int main(int argc, char** argv) {
  const auto options = gradmill::bench::parse_step_options(argc, argv);
  StepData data(options.workload);
  torch::set_num_threads(options.threads);

  std::vector<torch::Tensor> images;
  std::vector<torch::Tensor> labels;
  for (int i = 0; i < StepData::kBatches; ++i) {
    images.push_back(torch::from_blob(data.images[i].data(),
                                      {options.workload.batch, options.workload.inputs()}));
    labels.push_back(
        torch::from_blob(data.labels[i].data(), {options.workload.batch}, torch::kInt64));
  }

  Perceptron model(options.workload.sizes);
  torch::optim::AdamW optimizer(model.parameters(),
                                torch::optim::AdamWOptions(1e-3).weight_decay(0.01));
  torch::Tensor loss;
  const std::string environment = gradmill::bench::environment_json();
  gradmill::bench::measure_steps(
      "libtorch", options,
      "{\"torch\": \"" TORCH_VERSION "\"" + (environment.empty() ? "" : ", " + environment) + "}",
      [&](int i) {
        for (const torch::Tensor& parameter : model.parameters()) parameter.mutable_grad().reset();
        loss = torch::nn::functional::cross_entropy(model.forward(images[i]), labels[i]);
        loss.backward();
        optimizer.step();
      },
      [&] { return loss.item<float>(); });
}
