// Ten steps of a GPT, beside PyTorch's.

#include <gradmill/ops/learning_rate.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

#include "gpt_training.h"
#include "models/gpt_runner.h"
#include "support/reference.h"
#include "support/temp_folder.h"

namespace gradmill {
namespace {

using Json = nlohmann::json;

/// As `start` of gpt_training.py.
Array start(std::int64_t number, const GptParameter& parameter) {
  Array values{Shape(parameter.sizes)};
  const double around = parameter.sizes.size() == 1 && parameter.name.ends_with(".weight") ? 1 : 0;
  for (std::int64_t i = 0; i < values.size(); ++i) {
    const std::int64_t k = (31 * i * i + 7919 * i + 104729 * number) % 257 - 128;
    values[i] = static_cast<double>(k) / 1024 + around;
  }
  return values;
}

struct Trained {
  std::vector<Array> losses;
  std::vector<Array> norms;
  std::vector<Array> parameters;
};

/// As `row` of gpt_training.py.
Trained train(bool tied, int micro_batches, DType dtype, int threads, std::size_t steps) {
  GptConfig config = kTrained;
  config.tied = tied;
  const std::int64_t rows = kTrainedRows / micro_batches;
  const Gpt model(config, rows, config.context, 0, dtype);
  Session session(model.graph, training_options(model, {.micro_batches = micro_batches,
                                                        .threads = threads,
                                                        .execution = Execution::flow_graph}));
  std::int64_t number = 0;
  for (const GptParameter& parameter : gpt_parameters(config)) {
    assign(session, parameter.name, start(number++, parameter), dtype);
  }
  const Schedule schedule{.peak = 1e-2,
                          .warmup_steps = 3,
                          .decay = Schedule::Decay::cosine,
                          .total_steps = 10,
                          .minimum = 1e-3};
  Trained result;
  for (std::int64_t step = 0; step < static_cast<std::int64_t>(steps); ++step) {
    const auto [tokens, targets] = training_batch(step);
    session.set_learning_rate(schedule.at(step));
    double loss = 0;
    for (std::int64_t k = 0; k < micro_batches; ++k) {
      const std::int64_t first = k * rows * config.context;
      session.run({{model.tokens, tokens.data() + first}, {model.targets, targets.data() + first}});
      loss += to_array(session.view(model.loss))[0] / micro_batches;
    }
    result.losses.emplace_back(Shape{}, loss);
    result.norms.emplace_back(Shape{}, session.gradient_norm());
  }
  for (const GptParameter& parameter : gpt_parameters(config)) {
    result.parameters.push_back(to_array(session.parameters()->view(parameter.name)));
  }
  return result;
}

TEST(PyTorch, TrainsAGptTheSameWay) {
  const Json& rows = pytorch_numbers("gpt_training").at("rows");
  ASSERT_EQ(rows.size(), 2U);
  for (const Json& row : rows) {
    for (const int micro_batches : {1, 2}) {
      with_threads([&](DType dtype, int threads) {
        const std::size_t steps = row.at("losses").size();
        Trained trained = train(row.at("tied").get<bool>(), micro_batches, dtype, threads, steps);
        const double tolerance = dtype == DType::f64 ? 1e-8 : 1e-4;
        for (std::size_t step = 0; step < steps; ++step) {
          SCOPED_TRACE(cat("step ", step, ", ", to_string(dtype)));
          EXPECT_NEAR(trained.losses[step][0], row.at("losses").at(step).get<double>(), tolerance);
          EXPECT_NEAR(trained.norms[step][0], row.at("norms").at(step).get<double>(), tolerance);
        }
        GptConfig config = kTrained;
        config.tied = row.at("tied").get<bool>();
        const std::vector<GptParameter> names = gpt_parameters(config);
        EXPECT_EQ(row.at("squares").size(), names.size());
        // Adam makes steps of a rounding error where a gradient is zero, as of the keys' bias.
        for (std::size_t i = 0; dtype == DType::f64 && i < names.size(); ++i) {
          double squares = 0;
          for (const double x : trained.parameters[i].data) squares += x * x;
          EXPECT_NEAR(squares, row.at("squares").at(names[i].name).get<double>(), 1e-8)
              << names[i].name;
        }
        std::vector<Array> all = trained.losses;
        all.insert(all.end(), trained.norms.begin(), trained.norms.end());
        all.insert(all.end(), trained.parameters.begin(), trained.parameters.end());
        return all;
      });
    }
  }
}

// What the command trains with is what was compared above.
TEST(GptRunner, TrainsWithDecayOnMatricesAndClipping) {
  const TempFolder folder;
  std::string text;
  for (int i = 0; i < 700; ++i) text += static_cast<char>((i * i + 3 * i) % 61);
  write_text(folder / "text", text);
  const TextDataset data({folder / "text"}, kTrained.context);
  constexpr int kMicroBatches = 2;
  GptRunner runner(kTrained, kTrainedRows, {.micro_batches = kMicroBatches, .seed = 5},
                   {.lr = 1e-2});
  const Gpt model(kTrained, kTrainedRows, kTrained.context);
  Session session(model.graph,
                  training_options(model, {.micro_batches = kMicroBatches, .seed = 5}));
  Tokens tokens(kTrainedRows * kTrained.context);
  Tokens targets(tokens.size());
  for (std::uint64_t step = 0; step < 4; ++step) {
    double loss = 0;
    for (std::uint64_t k = 0; k < kMicroBatches; ++k) {
      data.draw(9, step, k, tokens, targets);
      session.run({{model.tokens, tokens}, {model.targets, targets}});
      loss += session.fetch<float>(model.loss);
    }
    EXPECT_EQ(runner.train(data, 9, step), loss / kMicroBatches);
  }
  EXPECT_GT(session.gradient_norm(), 1);  // so that clipping matters
  for (const std::string& name : session.parameters()->names()) {
    EXPECT_EQ(to_array(runner.session().parameters()->view(name)).data,
              to_array(session.parameters()->view(name)).data)
        << name;
  }
}

TEST(GptRunner, ValidatesByTheMeanOverWholeBatches) {
  const TempFolder folder;
  std::string text;
  for (int i = 0; i < 1200; ++i) text += static_cast<char>((i * i + 3 * i) % 61);
  write_text(folder / "text", text);
  const TextDataset data({folder / "text"}, kTrained.context);
  ASSERT_EQ(data.validation_windows(), 7);
  GptRunner one(kTrained, 1, {.seed = 5});
  GptRunner three(kTrained, 3, {.parameters = one.session().parameters()});
  // The seventh does not fill a batch of three.
  EXPECT_NEAR(three.validate(data, 7), one.validate(data, 6), 1e-5);
  EXPECT_NEAR(three.validate(data, 3), one.validate(data, 3), 1e-5);
  EXPECT_GT(std::abs(three.validate(data, 3) - three.validate(data, 6)), 1e-4);
}

}  // namespace
}  // namespace gradmill
