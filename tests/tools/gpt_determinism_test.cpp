// The same bits of a GPT's training, with dropout and micro-batches, however it runs.

#include <gradmill/graph/planning/memory_budget.h>
#include <gradmill/runtime/trace_file.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "gpt_training.h"
#include "graph/sound_memory.h"
#include "support/error_of.h"
#include "support/temp_folder.h"

namespace gradmill {
namespace {

constexpr int kMicroBatches = 3;
constexpr int kSteps = 3;

GptConfig with_dropout(double dropout) {
  GptConfig config = kTrained;
  config.dropout = dropout;
  return config;
}

/// The loss of every micro-batch.
std::vector<float> losses(Session& session, const Gpt& model, int steps = kSteps) {
  std::vector<float> result;
  for (int run = 0; run < steps * kMicroBatches; ++run) {
    const auto [tokens, targets] = training_batch(run);
    session.run({{model.tokens, tokens}, {model.targets, targets}});
    result.push_back(session.fetch<float>(model.loss));
  }
  return result;
}

/// Losses, then every parameter at the end.
std::vector<float> trained(SessionOptions options, double dropout = 0.1, bool in_memory = false) {
  const Gpt model(with_dropout(dropout), kTrainedRows, kTrained.context);
  options.micro_batches = kMicroBatches;
  options.seed = 3;
  Session session(model.graph, training_options(model, options));
  if (in_memory) session.start_trace();
  std::vector<float> values = losses(session, model);
  if (in_memory) session.stop_trace();
  for (const std::string& name : session.parameters()->names()) {
    const auto parameter = session.parameters()->view(name).as<float>();
    values.insert(values.end(), parameter.begin(), parameter.end());
  }
  return values;
}

std::size_t planned(const SessionOptions& options) {
  const Gpt model(with_dropout(0.1), kTrainedRows, kTrained.context);
  const Session session(model.graph, training_options(model, options));
  return planned_bytes(session.plan(), session.threads()).total();
}

/// The one that the refusal of a budget of one byte names.
std::size_t smallest_budget(const Gpt& model, SessionOptions options) {
  options.memory_budget = 1;
  const std::string text =
      error_of([&] { Session(model.graph, training_options(model, options)); });
  const std::string before = "the smallest plan found takes ";
  const std::size_t place = text.find(before);
  EXPECT_NE(place, std::string::npos) << text;
  return place == std::string::npos ? 0 : std::stoull(text.substr(place + before.size()));
}

TEST(GptBits, AreTheSameWithAnyNumberOfThreadsTracedOrNot) {
  const std::vector<float> expected = trained({.threads = 1, .execution = Execution::serial});
  const TempFolder folder;
  for (const int threads : {1, 2, 3, 8}) {
    SCOPED_TRACE(threads);
    EXPECT_EQ(trained({.threads = threads, .execution = Execution::flow_graph}), expected);
    const auto file = std::make_shared<TraceFile>(folder / cat("trace", threads));
    EXPECT_EQ(trained({.threads = threads, .execution = Execution::flow_graph, .trace = file}),
              expected);
    file->close();
    EXPECT_GT(read_text(file->path()).size(), 1000U);
  }
  EXPECT_EQ(trained({.threads = 8, .execution = Execution::serial}), expected);
  EXPECT_EQ(trained({.threads = 2, .execution = Execution::flow_graph}, 0.1, true), expected);
}

TEST(GptBits, AreTheSameWithEveryMemoryBudgetThatFits) {
  const std::vector<float> expected = trained({.threads = 1, .execution = Execution::serial});
  for (const int threads : {1, 2}) {
    const Gpt model(with_dropout(0.1), kTrainedRows, kTrained.context);
    const SessionOptions options{.micro_batches = kMicroBatches, .threads = threads};
    const std::size_t most = planned(options);
    const std::size_t least = smallest_budget(model, options);
    ASSERT_LT(least, most);
    std::set<std::size_t> taken;
    for (int part = 0; part <= 6; ++part) {
      const std::size_t budget = least + (most - least) * static_cast<std::size_t>(part) / 6;
      SCOPED_TRACE(cat(threads, " threads, ", budget, " of ", most, " bytes"));
      SessionOptions tight = options;
      tight.memory_budget = budget;
      taken.insert(planned(tight));
      EXPECT_LE(planned(tight), budget);
      for (const Execution execution : {Execution::serial, Execution::flow_graph}) {
        EXPECT_EQ(trained({.threads = threads, .execution = execution, .memory_budget = budget}),
                  expected);
      }
    }
    EXPECT_GE(taken.size(), 3U) << "the budgets gave the same plan";
    SessionOptions beyond = options;
    beyond.memory_budget = least - 1;
    EXPECT_NE(error_of([&] { planned(beyond); }), "(nothing was thrown)");
  }
}

TEST(GptDropout, DropsInTrainingAndDiffersBetweenRuns) {
  const auto loss_of = [](Session& session, const Gpt& model, int runs) {
    const auto [tokens, targets] = training_batch(0);
    for (int i = 0; i < runs; ++i) session.run({{model.tokens, tokens}, {model.targets, targets}});
    return session.fetch<float>(model.loss);
  };
  const Gpt model(with_dropout(0.3), kTrainedRows, kTrained.context);
  const Gpt plain(kTrained, kTrainedRows, kTrained.context);
  const auto options = [](const Gpt& which, std::uint64_t seed, int micro_batches,
                          std::shared_ptr<Parameters> parameters) {
    SessionOptions result = training_options(
        which, {.micro_batches = micro_batches, .parameters = parameters, .seed = seed});
    // Nothing is learned, so that a loss differs by what was dropped alone.
    result.optimizer = SGD{.lr = 0};
    result.parameter_groups.clear();
    return result;
  };
  Session without(plain.graph, options(plain, 1, 1, nullptr));
  const auto parameters = without.parameters();
  const auto dropped = [&](std::uint64_t seed, int micro_batches, int runs) {
    const auto own = std::make_shared<Parameters>(model.graph, 1);
    Session session(model.graph, options(model, seed, micro_batches, own));
    return loss_of(session, model, runs);
  };
  const float plain_loss = loss_of(without, plain, 1);
  const std::set<float> losses = {
      plain_loss,       dropped(1, 1, 1),  // step 0
      dropped(1, 1, 2),                    // step 1
      dropped(1, 2, 2),                    // micro-batch 1 of step 0
      dropped(1, 2, 3),                    // micro-batch 0 of step 1, as step 1 above
      dropped(2, 1, 1),                    // another seed
  };
  EXPECT_EQ(losses.size(), 5U);
  EXPECT_EQ(dropped(1, 1, 2), dropped(1, 2, 3));
  // Without an optimizer the same graph drops nothing.
  Session evaluation(model.graph, {.loss = model.loss, .parameters = parameters, .seed = 1});
  EXPECT_EQ(loss_of(evaluation, model, 1), plain_loss);
  EXPECT_EQ(loss_of(evaluation, model, 2), plain_loss);
}

TEST(GptMemory, HalfOfWhatAStepNeedsIsEnough) {
  const GptConfig config = gpt_config("gpt-char");
  const Gpt model(config, 4, config.context, 0);
  // The gradients' norm is needed before the first update: with clipping all of them are kept.
  for (const bool clips : {false, true}) {
    SessionOptions options = training_options(model, {.threads = 2});
    if (!clips) options.gradient_scaling = nullptr;
    const auto planned_with = [&](std::size_t budget) {
      options.memory_budget = budget;
      const Session session(model.graph, options);
      expect_sound_memory(session.plan());
      return planned_bytes(session.plan(), 2);
    };
    const PlannedBytes free = planned_with(0);
    // AdamW keeps two moments, and a count of updates for each parameter.
    EXPECT_EQ(free.variables, static_cast<std::size_t>(gpt_parameter_count(config)) * 3 * 4 +
                                  gpt_parameters(config).size() * 8);
    const std::size_t budget = free.variables + (free.total() - free.variables) / 2;
    const PlannedBytes half = planned_with(budget);
    EXPECT_LE(half.total(), budget);
    EXPECT_EQ(half.variables, free.variables);
  }
}

}  // namespace
}  // namespace gradmill
