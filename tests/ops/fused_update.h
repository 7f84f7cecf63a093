#pragma once

#include <gradmill/gradmill.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <map>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "support/op_check.h"
#include "support/reference.h"

namespace gradmill {

// What the tests of updates that a product absorbs share: a network to train, with the updates
// fused or not, and what it leaves.

/// By name, bit for bit.
using Contents = std::map<std::string, std::vector<std::byte>>;

/// Parameters and optimizer state.
inline Contents variables(const Plan& plan) {
  Contents result;
  for (const PlanBuffer& buffer : plan.buffers) {
    if (buffer.place != Place::variable) continue;
    const auto* begin = static_cast<const std::byte*>(buffer.address);
    result[buffer.name] = {begin, begin + buffer.bytes};
  }
  return result;
}

inline std::vector<std::byte> bytes_of(const TensorView& tensor) {
  const auto* begin = static_cast<const std::byte*>(tensor.data);
  return {begin, begin + tensor.type.bytes()};
}

/// The steps that are product and update in one.
inline std::vector<const PlanStep*> fused_updates(const Plan& plan) {
  std::vector<const PlanStep*> result;
  for (const PlanStep& step : plan.steps) {
    if (step.op == "matmul" && step.phase == Phase::update) result.push_back(&step);
  }
  return result;
}

/// Layers of the sizes given, the mean of the squares of what comes out, and numbers to feed.
struct Network {
  Network(DType dtype, std::int64_t rows, const std::vector<std::int64_t>& sizes)
      : x(graph.input("x", {rows, sizes.front()}, dtype)),
        fed(x, Random(1).array(x.shape(), -1, 1)) {
    Value y = x;
    for (std::size_t i = 1; i < sizes.size(); ++i) y = tanh(linear(y, sizes[i], cat("fc", i)));
    loss = mean(y * y);
  }

  SessionOptions options(const std::shared_ptr<const Optimizer>& optimizer, bool fuse) const {
    return {.loss = loss,
            .optimizer = optimizer,
            .threads = 3,
            .seed = 2,
            .execution = Execution::flow_graph,
            .rewrites = {.fuse_updates = fuse}};
  }

  /// Some steps, each with another learning rate; the losses are among the result.
  Contents trained(const SessionOptions& options, int steps = 4) const {
    Session session(graph, options);
    const double rate = session.learning_rate();
    std::vector<std::byte> losses;
    for (int step = 0; step < steps; ++step) {
      session.set_learning_rate(rate / (1 + step));
      session.run({fed.feed()});
      const std::vector<std::byte> value = bytes_of(session.view(loss));
      losses.insert(losses.end(), value.begin(), value.end());
    }
    Contents result = variables(session.plan());
    result["losses"] = losses;
    return result;
  }

  Graph graph;
  Value x, loss;
  Fed fed;
};

inline void expect_same(const Contents& actual, const Contents& expected) {
  ASSERT_EQ(actual.size(), expected.size());
  for (const auto& [name, bytes] : expected) EXPECT_TRUE(actual.at(name) == bytes) << name;
}

/// An optimizer, under a name for tests.
struct Rule {
  const char* name;
  std::shared_ptr<const Optimizer> optimizer;
  friend std::ostream& operator<<(std::ostream& out, const Rule& rule) { return out << rule.name; }
};

inline std::vector<Rule> rules() {
  return {{"sgd", SGD{.lr = 0.5}},
          {"decay", SGD{.lr = 0.5, .weight_decay = 0.1}},
          {"momentum", SGD{.lr = 0.2, .momentum = 0.9, .weight_decay = 0.01}},
          {"nesterov", SGD{.lr = 0.2, .momentum = 0.8, .nesterov = true}},
          {"adamw", AdamW{.lr = 0.01, .weight_decay = 0.1}}};
}

class RuleTest : public testing::TestWithParam<Rule> {
 protected:
  const std::shared_ptr<const Optimizer>& optimizer() const { return GetParam().optimizer; }
};

inline std::string name_of(const testing::TestParamInfo<Rule>& parameter) {
  return parameter.param.name;
}

}  // namespace gradmill
