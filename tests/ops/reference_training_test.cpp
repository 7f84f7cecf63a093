// Optimizers of torch.optim on the same gradients, and a classifier trained step by step.

#include <gtest/gtest.h>

#include <map>

#include "support/reference.h"

namespace gradmill {
namespace {

using Json = nlohmann::json;
using Optimizers = std::map<std::string, std::shared_ptr<const Optimizer>>;

// Steps of both signs are added to a parameter, each rounded to 6e-8 of numbers around 1: where
// they cancel, this is more than 1e-5 of what is left.
constexpr Bound kAfterManySteps{.absolute = 1e-6};

Optimizers optimizers() {
  return {
      {"sgd", SGD{.lr = 0.1}},
      {"sgd_weight_decay", SGD{.lr = 0.1, .weight_decay = 0.03}},
      {"sgd_momentum", SGD{.lr = 0.1, .momentum = 0.9}},
      {"sgd_momentum_weight_decay", SGD{.lr = 0.1, .momentum = 0.9, .weight_decay = 0.01}},
      {"sgd_nesterov", SGD{.lr = 0.1, .momentum = 0.8, .weight_decay = 0.01, .nesterov = true}},
      {"adamw", AdamW{.lr = 0.01}},
      {"adamw_no_decay", AdamW{.lr = 0.01, .weight_decay = 0}},
      {"adamw_options",
       AdamW{.lr = 0.05, .beta1 = 0.5, .beta2 = 0.9, .eps = 1e-3, .weight_decay = 0.1}},
  };
}

TEST(PyTorch, UpdatesParametersTheSameWay) {
  const Json& numbers = pytorch_numbers("training").at("optimizers");
  const Array start = to_array(numbers.at("start"));
  const std::size_t steps = numbers.at("gradients").size();
  ASSERT_EQ(numbers.at("rows").size(), optimizers().size());
  for (const Json& row : numbers.at("rows")) {
    const std::string name = row.at("optimizer");
    SCOPED_TRACE(name);
    const std::size_t shown = steps / row.at("parameters").size();
    with_threads([&](DType dtype, int threads) {
      Graph graph;
      const Value x = graph.input("x", start.shape, dtype);
      const Value p = graph.parameter("p", start.shape, Initializer::zeros(), dtype);
      Session session(graph, {.loss = sum(p * x),
                              .optimizer = optimizers().at(name),
                              .threads = threads,
                              .execution = Execution::flow_graph});
      assign(session, "p", start, dtype);
      std::vector<Array> results;
      for (std::size_t step = 0; step < steps; ++step) {
        const Fed gradient(x, to_array(numbers.at("gradients").at(step), start.shape));
        session.run({gradient.feed()});
        if ((step + 1) % shown != 0) continue;
        SCOPED_TRACE(cat("after step ", step + 1));
        results.push_back(to_array(session.view(p)));
        expect_agrees(results.back(), to_array(row.at("parameters").at(step / shown), start.shape),
                      dtype, kAfterManySteps);
      }
      return results;
    });
  }
}

class Classifier {
 public:
  Classifier(const Json& numbers, DType dtype) : numbers_(numbers) {
    const auto sizes = numbers.at("sizes").get<std::vector<std::int64_t>>();
    const std::int64_t batch = std::ssize(numbers.at("batches").at(0).at("labels"));
    x_ = graph_.input("x", {batch, sizes[0]}, dtype);
    labels_ = graph_.input("labels", {batch}, DType::i64);
    Value hidden = relu(linear(x_, sizes[1], "fc1"));
    hidden = tanh(linear(hidden, sizes[2], "fc2"));
    loss_ = cross_entropy(linear(hidden, sizes[3], "fc3"), labels_);
  }

  // The losses of all steps and the parameters at the end.
  std::vector<Array> train(const std::string& optimizer, std::size_t steps, int threads) const {
    Session session(graph_, {.loss = loss_,
                             .optimizer = optimizers().at(optimizer),
                             .threads = threads,
                             .execution = Execution::flow_graph});
    for (const auto& [name, values] : numbers_.at("start").items()) {
      assign(session, name, to_array(values), x_.dtype());
    }
    std::vector<Array> results;
    for (std::size_t step = 0; step < steps; ++step) {
      const Json& batches = numbers_.at("batches");
      const Json& batch = batches.at(step % batches.size());
      const Fed x(x_, to_array(batch.at("x"), x_.shape()));
      const auto labels = batch.at("labels").get<std::vector<std::int64_t>>();
      session.run({x.feed(), {labels_, labels}});
      results.push_back(to_array(session.view(loss_)));
    }
    for (const auto& [name, values] : numbers_.at("start").items()) {
      results.push_back(to_array(session.view(graph_.find(name))));
    }
    return results;
  }

 private:
  const Json& numbers_;
  Graph graph_;
  Value x_;
  Value labels_;
  Value loss_;
};

TEST(PyTorch, TrainsAClassifierTheSameWay) {
  const Json& numbers = pytorch_numbers("training").at("classifier");
  ASSERT_FALSE(numbers.at("rows").empty());
  for (const Json& row : numbers.at("rows")) {
    const std::string name = row.at("optimizer");
    SCOPED_TRACE(name);
    const std::size_t steps = row.at("losses").size();
    with_threads([&](DType dtype, int threads) {
      const std::vector<Array> results = Classifier(numbers, dtype).train(name, steps, threads);
      for (std::size_t step = 0; step < steps; ++step) {
        SCOPED_TRACE(cat("loss of step ", step));
        expect_agrees(results[step], Array({}, row.at("losses").at(step).get<double>()), dtype);
      }
      std::size_t next = steps;
      for (const auto& [key, values] : numbers.at("start").items()) {
        SCOPED_TRACE(cat(key, " after ", steps, " steps"));
        const Array& actual = results[next++];
        expect_agrees(actual, to_array(row.at("end").at(key), actual.shape), dtype,
                      kAfterManySteps);
      }
      return results;
    });
  }
}

}  // namespace
}  // namespace gradmill
