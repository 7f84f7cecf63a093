#include "models/gpt.h"

#include <gtest/gtest.h>

#include <gradmill/graph/session.h>
#include <gradmill/ops/optimizer.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "support/error_of.h"

namespace gradmill {
namespace {

using Tokens = std::vector<std::int64_t>;

constexpr GptConfig kSmall = {.vocab = 13, .layers = 2, .width = 12, .heads = 3, .context = 7};

Tokens pattern(std::int64_t count, std::int64_t step) {
  Tokens tokens;
  for (std::int64_t i = 0; i < count; ++i) tokens.push_back(i * step % kSmall.vocab);
  return tokens;
}

std::vector<float> all(const TensorView& view) {
  const auto values = view.as<float>();
  return {values.begin(), values.end()};
}

TEST(GptConfig, HasNames) {
  for (const std::string& name : gpt_names()) check_gpt_config(gpt_config(name));
  EXPECT_EQ(to_string(gpt_config("gpt-char")),
            "6 layers, 384 wide, 6 heads, context 256, vocabulary 256");
  EXPECT_EQ(gpt_config("gpt-mini").vocab, 8192);
  EXPECT_TRUE(gpt_config("gpt2-124m").tied);
  EXPECT_EQ(error_of([] { gpt_config("gpt3"); }),
            "'gpt3' is not a GPT, there are gpt-char, gpt-mini, gpt2-124m");
}

TEST(GptConfig, CountsParameters) {
  EXPECT_EQ(gpt_parameter_count(gpt_config("gpt2-124m")), 124'439'808);
}

TEST(GptConfig, IsRefused) {
  const auto refusal = [](GptConfig config) { return error_of([&] { Gpt(config, 1, 1); }); };
  EXPECT_EQ(refusal({.vocab = 0}), "a GPT's vocabulary must be at least 1, got 0");
  EXPECT_EQ(refusal({.layers = 0}), "a GPT's number of layers must be at least 1, got 0");
  EXPECT_EQ(refusal({.width = -3}), "a GPT's width must be at least 1, got -3");
  EXPECT_EQ(refusal({.heads = 0}), "a GPT's number of heads must be at least 1, got 0");
  EXPECT_EQ(refusal({.context = 0}), "a GPT's context must be at least 1, got 0");
  EXPECT_EQ(refusal({.width = 10, .heads = 4}),
            "a GPT's heads divide its width, but 4 do not divide 10");
  EXPECT_EQ(refusal({.dropout = 1}), "a GPT's dropout must be in [0, 1), got 1");
  EXPECT_NE(refusal({.dropout = std::nan("")}), "(nothing was thrown)");
  EXPECT_EQ(error_of([] { Gpt(kSmall, 0, 1); }), "a GPT's batch must be at least 1, got 0");
  EXPECT_EQ(error_of([] { Gpt(kSmall, 1, 8); }),
            "a GPT with context 7 takes 1 to that many tokens, got 8");
  EXPECT_EQ(error_of([] { Gpt(kSmall, 1, 0); }),
            "a GPT with context 7 takes 1 to that many tokens, got 0");
}

TEST(Gpt, DeclaresItsParameters) {
  for (const bool tied : {false, true}) {
    GptConfig config = kSmall;
    config.tied = tied;
    const Gpt model(config, 2, 5);
    std::vector<std::string> names;
    for (const GptParameter& parameter : gpt_parameters(config)) {
      names.push_back(parameter.name);
      const Value value = model.graph.find(parameter.name);
      ASSERT_TRUE(value) << parameter.name;
      EXPECT_EQ(value.shape(), Shape(parameter.sizes)) << parameter.name;
    }
    EXPECT_EQ(Parameters(model.graph).names(), names);
  }
}

TEST(Gpt, StartsSmall) {
  const Gpt model(gpt_config("gpt-mini"), 1, 1);
  const Parameters parameters(model.graph, 3);
  double squares = 0;
  const auto weight = parameters.view("h.1.mlp.c_fc.weight").as<float>();
  for (const float x : weight) squares += double{x} * x;
  EXPECT_NEAR(std::sqrt(squares / static_cast<double>(weight.size())), 0.02, 2e-4);
  EXPECT_EQ(parameters.view("h.0.ln_1.weight").as<float>()[5], 1);
  EXPECT_EQ(parameters.view("h.0.attn.c_attn.bias").as<float>()[5], 0);
}

TEST(Gpt, SeesNothingOfWhatComesLater) {
  Gpt model(kSmall, 1, 7, 0.5);
  Session session(model.graph, {.fetches = {model.logits}, .seed = 1});
  Tokens tokens = pattern(7, 3);
  session.run({{model.tokens, tokens}});
  const std::vector<float> before = all(session.view(model.logits));
  tokens[4] = 11;
  session.run({{model.tokens, tokens}});
  const std::vector<float> after = all(session.view(model.logits));
  const std::size_t changed = 4 * 13;
  EXPECT_EQ(std::memcmp(before.data(), after.data(), changed * sizeof(float)), 0);
  for (std::size_t row = 4; row < 7; ++row) {
    EXPECT_NE(std::memcmp(&before[row * 13], &after[row * 13], 13 * sizeof(float)), 0) << row;
  }
}

TEST(Gpt, GivesTheLogitsOfOnePlace) {
  Gpt model(kSmall, 2, 6, 0.5);
  Session session(model.graph, {.fetches = {model.logits, model.next}, .seed = 1});
  const Tokens tokens = pattern(12, 5);
  for (std::int64_t place = 0; place < 12; ++place) {
    session.run({{model.tokens, tokens}, {model.place, Tokens{place}}});
    const auto logits = session.view(model.logits).as<float>();
    const auto next = session.view(model.next).as<float>();
    for (std::size_t i = 0; i < 13; ++i) {
      EXPECT_NEAR(next[i], logits[static_cast<std::size_t>(place) * 13 + i], 1e-5);
    }
  }
}

TEST(Gpt, OfAnyLengthIsTheSame) {
  Gpt full(kSmall, 1, 7, 0.5);
  Session session(full.graph, {.fetches = {full.logits}, .seed = 1});
  session.run({{full.tokens, pattern(7, 2)}});
  const std::vector<float> expected = all(session.view(full.logits));
  for (const std::int64_t length : {1, 2, 4, 6}) {
    Gpt part(kSmall, 1, length, 0.5);
    Session shorter(part.graph, {.fetches = {part.logits}, .parameters = session.parameters()});
    shorter.run({{part.tokens, pattern(length, 2)}});
    const std::vector<float> logits = all(shorter.view(part.logits));
    for (std::size_t i = 0; i < logits.size(); ++i) EXPECT_NEAR(logits[i], expected[i], 1e-5);
  }
}

/// Losses of a training, then the last values of a weight.
std::vector<float> trained(double dropout, bool tied, int threads) {
  GptConfig config = kSmall;
  config.dropout = dropout;
  config.tied = tied;
  Gpt model(config, 3, 7);
  Session session(model.graph, {.loss = model.loss,
                                .optimizer = AdamW{.lr = 0.01},
                                .threads = threads,
                                .seed = 1,
                                .execution = Execution::flow_graph});
  const Tokens tokens = pattern(21, 4);
  const Tokens targets = pattern(21, 7);
  std::vector<float> values;
  for (int step = 0; step < 60; ++step) {
    session.run({{model.tokens, tokens}, {model.targets, targets}});
    values.push_back(session.fetch<float>(model.loss));
  }
  for (const float x : session.view(model.graph.find("wte.weight")).as<float>()) {
    values.push_back(x);
  }
  return values;
}

TEST(Gpt, LearnsWithTheSameBitsFromAnyNumberOfThreads) {
  for (const double dropout : {0.0, 0.1}) {
    for (const bool tied : {false, true}) {
      const std::vector<float> one = trained(dropout, tied, 1);
      EXPECT_NEAR(one[0], std::log(13.0), 0.2);
      EXPECT_LT(one[59], 0.5 * one[0]);
      for (const int threads : {2, 3, 8}) EXPECT_EQ(trained(dropout, tied, threads), one);
    }
  }
}

}  // namespace
}  // namespace gradmill
