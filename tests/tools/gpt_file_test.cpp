#include "models/gpt_file.h"

#include <gtest/gtest.h>

#include <gradmill/graph/session.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "models/gpt_generator.h"
#include "support/error_of.h"
#include "support/reference.h"
#include "support/temp_folder.h"

namespace gradmill {
namespace {

using Tokens = std::vector<std::int64_t>;

const nlohmann::json& numbers() { return pytorch_numbers("gpt"); }

Tokens tokens_of(const std::string& name) { return numbers().at(name).at("data").get<Tokens>(); }

/// The published file that PyTorch's logits are of, to be changed.
class GptFiles : public testing::Test {
 protected:
  GptFiles() {
    for (const auto& [name, tensor] : numbers().at("tensors").items()) put(name, to_array(tensor));
  }

  void put(const std::string& name, const Array& array) {
    values_[name] = {array.shape, {array.data.begin(), array.data.end()}};
  }

  std::string write(const std::string& prefix = "") const {
    std::vector<NamedTensor> tensors;
    for (const auto& [name, value] : values_) {
      tensors.push_back({prefix + name, {{DType::f32, value.shape}, value.data.data()}});
    }
    write_safetensors(path_, tensors, metadata_);
    return path_;
  }

  std::string refused(std::int64_t heads = 2) const {
    write();
    return error_of([&] { GptFile(path_, heads); });
  }

  struct Values {
    Shape shape;
    std::vector<float> data;
  };
  TempFolder folder_;
  std::string path_ = folder_ / "gpt.safetensors";
  std::map<std::string, Values> values_;
  std::map<std::string, std::string> metadata_ = {{"format", "pt"}};
};

std::vector<float> logits_of(const GptFile& file) {
  Gpt model(file.config(), 2, 6, 0);
  Session session(model.graph, {.loss = model.loss, .fetches = {model.logits}});
  file.copy_to(*session.parameters());
  session.run({{model.tokens, tokens_of("tokens")}, {model.targets, tokens_of("targets")}});
  if (file.config().tied) {
    EXPECT_NEAR(session.fetch<float>(model.loss), numbers().at("loss").get<double>(), 1e-5);
  }
  const auto logits = session.view(model.logits).as<float>();
  return {logits.begin(), logits.end()};
}

void expect_pytorchs(const std::vector<float>& logits) {
  const Array expected = to_array(numbers().at("logits"));
  ASSERT_EQ(logits.size(), expected.data.size());
  for (std::size_t i = 0; i < logits.size(); ++i) EXPECT_NEAR(logits[i], expected.data[i], 1e-4);
}

TEST_F(GptFiles, GivePyTorchsLogits) {
  const GptFile file(write(), 2);
  EXPECT_EQ(
      file.config(),
      (GptConfig{.vocab = 11, .layers = 2, .width = 8, .heads = 2, .context = 6, .tied = true}));
  expect_pytorchs(logits_of(file));
}

TEST_F(GptFiles, MayHavePrefixAndMasks) {
  for (const char* layer : {"h.0", "h.1"}) {
    put(cat(layer, ".attn.bias"), Array({1, 1, 6, 6}));
    put(cat(layer, ".attn.masked_bias"), Array(Shape{}));
  }
  expect_pytorchs(logits_of(GptFile(write("transformer."), 2)));
}

TEST_F(GptFiles, MayHaveAHeadThatIsTied) {
  values_["lm_head.weight"] = values_["wte.weight"];
  const GptFile file(write(), 2);
  EXPECT_TRUE(file.config().tied);
  expect_pytorchs(logits_of(file));
}

TEST_F(GptFiles, MayHaveAHeadOfTheirOwn) {
  values_["lm_head.weight"] = values_["wte.weight"];
  for (float& x : values_["lm_head.weight"].data) x *= 2;
  const GptFile file(write(), 2);
  EXPECT_FALSE(file.config().tied);
  std::vector<float> logits = logits_of(file);
  for (float& x : logits) x /= 2;
  expect_pytorchs(logits);
}

TEST_F(GptFiles, AreReadAsWeSaveThem) {
  const GptFile published(write(), 2);
  const std::vector<float> logits = logits_of(published);
  const Gpt model(published.config(), 1, 1, 0);
  Parameters parameters(model.graph);
  published.copy_to(parameters);
  parameters.save(folder_ / "ours.safetensors", gpt_metadata(published.config()));
  const GptFile ours(folder_ / "ours.safetensors");
  EXPECT_EQ(ours.config(), published.config());
  EXPECT_EQ(logits_of(ours), logits);
}

TEST_F(GptFiles, SayWhatFollows) {
  GptGenerator generator(GptFile(write(), 2), {});
  const Array expected = to_array(numbers().at("logits"));
  const Tokens tokens = tokens_of("tokens");
  const auto expect_row = [&](std::span<const float> next, std::size_t row) {
    for (std::size_t i = 0; i < 11; ++i) EXPECT_NEAR(next[i], expected.data[row * 11 + i], 1e-4);
  };
  for (std::size_t count = 1; count <= 6; ++count) {
    expect_row(generator.next(std::span(tokens).first(count)), count - 1);
  }
  Tokens longer = {1, 2, 3};
  longer.insert(longer.end(), tokens.begin(), tokens.begin() + 6);
  expect_row(generator.next(longer), 5);

  EXPECT_EQ(error_of([&] { generator.next({}); }), "nothing to continue: there are no tokens");
  EXPECT_NE(error_of([&] { generator.next(Tokens{11}); }).find("11"), std::string::npos);
}

TEST_F(GptFiles, AreRefusedWithAllThatIsWrong) {
  values_.erase("h.1.mlp.c_fc.bias");
  values_.erase("wpe.weight");
  put("h.0.ln_1.weight", Array({9}));
  put("h.1.attn.c_proj.extra", Array({3}));
  EXPECT_EQ(refused(), path_ +
                           ": not a GPT-2 of 2 layers and width 8:"
                           "\n  'wpe.weight' f32 [1, 8]: not in the file"
                           "\n  'h.0.ln_1.weight' f32 [8]: the file has f32 [9]"
                           "\n  'h.1.mlp.c_fc.bias' f32 [32]: not in the file"
                           "\n  'h.1.attn.c_proj.extra' f32 [3]: unknown");
}

TEST_F(GptFiles, AreRefusedInTwoLayouts) {
  std::swap(values_["h.1.attn.c_attn.weight"].shape, values_["h.0.attn.c_attn.weight"].shape);
  EXPECT_EQ(refused(), "(nothing was thrown)");
  put("h.1.attn.c_attn.weight", Array({24, 8}));
  EXPECT_EQ(refused(), path_ +
                           ": not a GPT-2 of 2 layers and width 8:"
                           "\n  'h.1.attn.c_attn.weight' f32 [8, 24]: the file has f32 [24, 8]");
}

TEST_F(GptFiles, AreRefusedForTheirHeads) {
  EXPECT_EQ(refused(3), path_ + ": a GPT's heads divide its width, but 3 do not divide 8");
  EXPECT_EQ(refused(0), path_ +
                            ": does not say how many heads it has, and 8 is not a multiple of "
                            "GPT-2's head width of 64");
  metadata_["heads"] = "two";
  EXPECT_EQ(refused(0), path_ + ": its metadata says 'two' heads");
}

TEST_F(GptFiles, AreRefusedWhenSomethingElse) {
  values_.clear();
  put("fc1.weight", Array({3, 4}));
  EXPECT_EQ(refused(), path_ + ": not a GPT-2: it has no wte.weight [vocabulary, width]");
  put("wte.weight", Array({3, 4}));
  EXPECT_EQ(refused(), path_ + ": not a GPT-2: it has no layer h.0");
  EXPECT_NE(error_of([&] { GptFile(folder_ / "none"); }).find("none"), std::string::npos);
}

TEST_F(GptFiles, AreRefusedWithANameTwice) {
  values_["transformer.wte.weight"] = values_["wte.weight"];
  EXPECT_EQ(refused(), path_ + ": has wte.weight and transformer.wte.weight");
}

}  // namespace
}  // namespace gradmill
