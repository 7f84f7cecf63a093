// Measured choices, from the measuring to the plan.

#include <gmock/gmock.h>
#include <gradmill/gradmill.h>
#include <gradmill/runtime/tune.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "support/error_of.h"
#include "support/op_check.h"
#include "support/temp_folder.h"

namespace gradmill {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;

// A perceptron with two layers of one size, whose products have the same keys.
struct Network {
  explicit Network(DType dtype = DType::f32)
      : x(graph.input("x", {96, 128}, dtype)),
        loss(mean(square(linear(relu(linear(x, 128, "fc1")), 128, "fc2")))) {}
  static Value square(Value y) { return y * y; }

  Session session(std::shared_ptr<const Tuning> tuning = {}) const {
    return Session(graph, {.loss = loss,
                           .optimizer = SGD{.lr = 0.1, .momentum = 0.9},
                           .threads = 1,
                           .tuning = std::move(tuning)});
  }

  Graph graph;
  Value x, loss;
};

std::map<std::string, std::string> descriptions(const Plan& plan) {
  std::map<std::string, std::string> result;
  for (const PlanStep& step : plan.steps) {
    const Tunable* tunable = step.kernel->tunable();
    if (tunable == nullptr) continue;
    // Of one key there may be several, with different epilogues.
    result[cat(tunable->tuning_key(), " for ", step.name)] = step.kernel->description();
  }
  return result;
}

TEST(Tune, FindsAChoiceForEveryKey) {
  const Network network;
  const Session session = network.session();
  std::map<std::string, int> reported;
  const Tuning tuning = tune(session.plan(), {.seconds = 1e-4}, [&](const TunedKernel& kernel) {
    ++reported[kernel.key];
    EXPECT_GT(kernel.before_ms, 0);
    EXPECT_GT(kernel.after_ms, 0);
    EXPECT_LE(kernel.after_ms, kernel.before_ms);
    EXPECT_FALSE(kernel.before.empty());
    EXPECT_EQ(kernel.after == kernel.before, kernel.after_ms == kernel.before_ms);
  });
  std::map<std::string, int> expected;
  for (const PlanStep& step : session.plan().steps) {
    const Tunable* tunable = step.kernel->tunable();
    if (tunable == nullptr) continue;
    const std::string key = tunable->tuning_key();
    expected[key] = 1;
    ASSERT_NE(tuning.find(key), nullptr) << key;
    EXPECT_THAT(tunable->choices(), Contains(*tuning.find(key))) << key;
  }
  EXPECT_EQ(expected.size(), 3U) << "x W^T and dW of both layers, and dx of one";
  EXPECT_EQ(reported, expected) << "each once";
}

TEST(Tune, ItsResultCompilesToAPlanWithTheChoices) {
  const Network network;
  const Session before = network.session();
  std::map<std::string, std::string> after;
  const auto tuning = std::make_shared<Tuning>(
      tune(before.plan(), {.seconds = 1e-4, .least_gain = -10},
           [&](const TunedKernel& kernel) { after[kernel.key] = kernel.after; }));
  TempFolder folder;
  tuning->save(folder / "tuning.json");
  const auto loaded = std::make_shared<Tuning>(Tuning::load(folder / "tuning.json"));
  for (const auto& used : {tuning, loaded}) {
    const Session session = network.session(used);
    for (const PlanStep& step : session.plan().steps) {
      const Tunable* tunable = step.kernel->tunable();
      if (tunable == nullptr) continue;
      const std::string key = tunable->tuning_key();
      const auto choice = tunable->choices().at(0);
      EXPECT_EQ(choice, *used->find(key)) << "a kernel's first choice is its own";
      EXPECT_EQ(step.kernel->description(), tunable->with_choice(choice)->description());
      // The grid is the first part of the description, which ends with the epilogue.
      const std::string& text = after.at(key);
      EXPECT_THAT(step.kernel->description(), HasSubstr(text.substr(0, text.find(", then"))));
    }
  }
}

TEST(Tune, LeavesTheParametersAsTheyAre) {
  const Network network;
  const Session session = network.session();
  const auto bytes = [&] {
    std::vector<std::byte> all;
    for (const PlanBuffer& buffer : session.plan().buffers) {
      if (buffer.place != Place::variable) continue;
      const auto* begin = static_cast<const std::byte*>(buffer.address);
      all.insert(all.end(), begin, begin + buffer.bytes);
    }
    return all;
  };
  const auto before = bytes();
  const auto plan = descriptions(session.plan());
  tune(session.plan(), {.seconds = 1e-4});
  EXPECT_EQ(bytes(), before);
  EXPECT_EQ(descriptions(session.plan()), plan);
}

TEST(Tune, KeepsWhatOnlySeemsToGain) {
  const Network network;
  const Session session = network.session();
  const Tuning tuning =
      tune(session.plan(), {.seconds = 1e-4, .least_gain = 1}, [](const TunedKernel& kernel) {
        EXPECT_EQ(kernel.before, kernel.after);
        EXPECT_EQ(kernel.before_ms, kernel.after_ms);
      });
  EXPECT_EQ(descriptions(network.session(std::make_shared<Tuning>(tuning)).plan()),
            descriptions(session.plan()));
}

TEST(Tune, WhatIsInATuningForOtherProductsChangesNothing) {
  const Network network;
  const auto tuning = std::make_shared<Tuning>();
  tuning->set("matmul f32 1x2x3", {7, 7, 7, 7, 7});
  tuning->set("no such kernel", {});
  EXPECT_EQ(descriptions(network.session(tuning).plan()), descriptions(network.session().plan()));
}

TEST(Tune, ChoicesThatDoNotFitTheProductAreRefused) {
  for (const DType dtype : {DType::f32, DType::f64}) {
    const Network network(dtype);
    const std::string key = cat("matmul ", to_string(dtype), " 96x128x128 tb");
    const auto refusal = [&](std::vector<std::int64_t> choice) {
      const auto tuning = std::make_shared<Tuning>();
      tuning->set(key, std::move(choice));
      return error_of([&] { network.session(tuning); });
    };
    const auto refused = AllOf(HasSubstr("matmul 'fc1'"), HasSubstr("tuning for '" + key + "'"),
                               HasSubstr("rows of a tile"));
    for (const std::vector<std::int64_t>& choice :
         std::vector<std::vector<std::int64_t>>{{},
                                                {96},
                                                {96, 128, 1},
                                                {96, 128, 1, 0, 0},
                                                {97, 128, 1, 0},
                                                {96, 129, 1, 0},
                                                {96, 128, 129, 0},
                                                {0, 128, 1, 0},
                                                {96, 0, 1, 0},
                                                {96, 128, 0, 0},
                                                {-1, 128, 1, 0},
                                                {96, 128, 1, 2},
                                                {96, 128, 1, -1},
                                                {std::int64_t{1} << 62U, 128, 1, 0}}) {
      EXPECT_THAT(refusal(choice), refused) << testing::PrintToString(choice);
    }
    EXPECT_EQ(refusal({96, 128, 1, 0}), "(nothing was thrown)");
    if (dtype == DType::f64) {
      EXPECT_THAT(refusal({96, 128, 1, 1}), refused) << "only f32 is packed";
    } else {
      EXPECT_EQ(refusal({96, 128, 1, 1}), "(nothing was thrown)");
    }
  }
}

TEST(Tune, LeavesKernelsWithoutChoicesAlone) {
  Graph graph;
  const Value x = graph.input("x", {4});
  const Session session(graph, {.fetches = {tanh(x)}, .threads = 1});
  EXPECT_EQ(session.plan().steps.front().kernel->tunable(), nullptr);
  EXPECT_TRUE(tune(session.plan()).entries().empty());
}

}  // namespace
}  // namespace gradmill
