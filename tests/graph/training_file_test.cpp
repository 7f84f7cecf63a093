// Training that goes on from a file.

#include <gradmill/gradmill.h>
#include <gradmill/runtime/safetensors.h>
#include <gtest/gtest.h>
#include "support/temp_folder.h"

#include <cstddef>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "programs.h"

namespace gradmill {
namespace {

struct Case {
  const char* name;
  DType dtype;
  std::shared_ptr<const Optimizer> optimizer;
  int micro_batches;
};

std::vector<Case> cases() {
  const std::shared_ptr<const Optimizer> sgd =
      SGD{.lr = 0.05, .momentum = 0.9, .weight_decay = 1e-4, .nesterov = true};
  const std::shared_ptr<const Optimizer> adamw = AdamW{.lr = 1e-2};
  return {{"sgd_f32", DType::f32, sgd, 1},
          {"sgd_f64_micro_batches", DType::f64, sgd, 3},
          {"adamw_f32_micro_batches", DType::f32, adamw, 2},
          {"adamw_f64", DType::f64, adamw, 1}};
}

std::unique_ptr<Program> model(DType dtype, double p = 0.2) {
  return mlp(dtype, 12, {9, 14, 7, 4}, [p](Value x) { return dropout(relu(x), p); });
}

/// A session on `program` and what may be asked of it.
class Training {
 public:
  Training(const Program& program, const Case& how, std::uint64_t seed = 3)
      : program_(program),
        micro_batches_(how.micro_batches),
        session_(program.graph, {.loss = program.loss,
                                 .optimizer = how.optimizer,
                                 .micro_batches = how.micro_batches,
                                 .threads = 2,
                                 .seed = seed}) {}

  void run(int steps) {
    for (int i = 0; i < steps * micro_batches_; ++i) session_.run(program_.feeds);
  }
  Parameters& parameters() { return *session_.parameters(); }

 private:
  const Program& program_;
  int micro_batches_;
  Session session_;
};

class TrainingFile : public testing::TestWithParam<Case> {
 protected:
  TempFolder folder_;
};

TEST_P(TrainingFile, GoesOnToTheSameBits) {
  const auto program = model(GetParam().dtype);
  Training whole(*program, GetParam());
  whole.run(4);
  whole.parameters().save_training(folder_ / "middle");
  whole.run(5);
  whole.parameters().save_training(folder_ / "end");

  // A session that has state of its own, from another training.
  Training used(*program, GetParam());
  used.run(2);
  used.parameters().load(folder_ / "middle");
  EXPECT_EQ(used.parameters().step(), 4U);
  used.run(5);
  EXPECT_EQ(used.parameters().step(), 9U);
  EXPECT_EQ(bytes_of(used.parameters()), bytes_of(whole.parameters()));
  used.parameters().save_training(folder_ / "used");
  EXPECT_EQ(read_text(folder_ / "used"), read_text(folder_ / "end"));

  // Parameters that no session has asked for state yet.
  const auto early = std::make_shared<Parameters>(program->graph, 8);
  early->load(folder_ / "middle");
  Session session(program->graph, {.loss = program->loss,
                                   .optimizer = GetParam().optimizer,
                                   .micro_batches = GetParam().micro_batches,
                                   .threads = 1,
                                   .parameters = early,
                                   .seed = 3});
  for (int i = 0; i < 5 * GetParam().micro_batches; ++i) session.run(program->feeds);
  EXPECT_EQ(bytes_of(*early), bytes_of(whole.parameters()));
}

TEST_P(TrainingFile, WithoutStateStartsFromZeroAgain) {
  // Such a file tells no step, on which dropout would depend.
  const auto program = model(GetParam().dtype, 0);
  Training whole(*program, GetParam());
  whole.run(4);
  whole.parameters().save(folder_ / "plain");
  whole.parameters().save_training(folder_ / "with");
  EXPECT_LT(read_text(folder_ / "plain").size(), read_text(folder_ / "with").size());
  whole.run(3);
  Training fresh(*program, GetParam());
  fresh.parameters().load(folder_ / "plain");
  Training used(*program, GetParam());
  used.run(2);
  used.parameters().load(folder_ / "plain");
  used.parameters().save_training(folder_ / "used");
  const SafetensorsFile file(folder_ / "used");
  bool found = false;
  for (const NamedTensor& tensor : file.tensors()) {
    if (!tensor.name.starts_with("optimizer.")) continue;
    found = true;
    const Bytes bytes = bytes_of(tensor.tensor);
    EXPECT_EQ(bytes, Bytes{std::vector<std::byte>(bytes.content.size())}) << tensor.name;
  }
  EXPECT_TRUE(found);
  fresh.run(3);
  used.run(3);
  EXPECT_EQ(bytes_of(used.parameters()), bytes_of(fresh.parameters()));
  EXPECT_NE(bytes_of(used.parameters()), bytes_of(whole.parameters()));
}

INSTANTIATE_TEST_SUITE_P(Optimizers, TrainingFile, testing::ValuesIn(cases()),
                         [](const testing::TestParamInfo<Case>& parameter) {
                           return parameter.param.name;
                         });

class BrokenTrainingFile : public testing::Test {
 protected:
  BrokenTrainingFile() : program_(model(DType::f32)), training_(*program_, cases()[2]) {
    training_.run(3);
    training_.parameters().save_training(folder_ / "good");
    training_.run(1);
  }

  /// Writes the good file with `change` made to its tensors and metadata, and expects it to be
  /// refused with `words` and nothing changed.
  void expect_refused(const std::function<void(std::vector<NamedTensor>&,
                                               std::map<std::string, std::string>&)>& change,
                      std::initializer_list<std::string_view> words) {
    const SafetensorsFile good(folder_ / "good");
    std::vector<NamedTensor> tensors = good.tensors();
    std::map<std::string, std::string> metadata = good.metadata();
    change(tensors, metadata);
    write_safetensors(folder_ / "bad", tensors, metadata);
    training_.parameters().save_training(folder_ / "before");
    const std::string text = refusal_of([&] { training_.parameters().load(folder_ / "bad"); });
    EXPECT_TRUE(mentions(text, {folder_ / "bad"}));
    EXPECT_TRUE(mentions(text, words));
    training_.parameters().save_training(folder_ / "after");
    EXPECT_EQ(read_text(folder_ / "before"), read_text(folder_ / "after"));
    EXPECT_EQ(training_.parameters().step(), 4U);
  }

  static NamedTensor& find(std::vector<NamedTensor>& tensors, const std::string& name) {
    for (NamedTensor& tensor : tensors) {
      if (tensor.name == name) return tensor;
    }
    throw std::runtime_error("no " + name);
  }

  TempFolder folder_;
  std::unique_ptr<Program> program_;
  Training training_;
};

TEST_F(BrokenTrainingFile, WithStateOfAnotherType) {
  expect_refused(
      [](auto& tensors, auto&) {
        find(tensors, "optimizer.fc2.weight.exp_avg").tensor.type = {DType::f32, {14, 7}};
      },
      {"optimizer state 'fc2.weight.exp_avg' f32 [7, 14]: the file has f32 [14, 7]"});
  expect_refused(
      [](auto& tensors, auto&) {
        find(tensors, "optimizer.fc1.bias.exp_avg_sq").tensor.type = {DType::f64, {7}};
      },
      {"'fc1.bias.exp_avg_sq' f32 [14]", "f64 [7]"});
}

TEST_F(BrokenTrainingFile, WithAnotherParameter) {
  expect_refused(
      [](auto& tensors, auto&) {
        find(tensors, "fc2.weight").tensor.type = {DType::f32, {98}};
      },
      {"'fc2.weight' f32 [7, 14]: the file has f32 [98]"});
  expect_refused(
      [](auto& tensors, auto&) { find(tensors, "fc2.weight").name = "fc9.weight"; },
      {"'fc2.weight' f32 [7, 14]: not in the file", "'fc9.weight'", "no such parameter"});
}

TEST_F(BrokenTrainingFile, WithAStepThatIsNoNumber) {
  for (const char* step : {"", "four", "-1", "4.0", " 4", "0x10", "99999999999999999999"}) {
    SCOPED_TRACE(step);
    expect_refused([&](auto&, auto& metadata) { metadata["step"] = step; },
                   {"metadata say step '", step});
  }
}

TEST_F(BrokenTrainingFile, IsGoodBeforeItIsBroken) {
  EXPECT_EQ(training_.parameters().step(), 4U);
  training_.parameters().load(folder_ / "good");
  EXPECT_EQ(training_.parameters().step(), 3U);
}

TEST_F(BrokenTrainingFile, OfOtherStateIsRefusedByTheSession) {
  // An early load takes state as it is; a session that needs it of another type says so.
  const SafetensorsFile good(folder_ / "good");
  std::vector<NamedTensor> tensors = good.tensors();
  find(tensors, "optimizer.fc1.bias.exp_avg").tensor.type = {DType::f64, {7}};
  write_safetensors(folder_ / "other", tensors, good.metadata());
  const auto parameters = std::make_shared<Parameters>(program_->graph);
  parameters->load(folder_ / "other");
  EXPECT_TRUE(
      mentions(refusal_of([&] {
                 Session(program_->graph,
                         {.loss = program_->loss, .optimizer = AdamW{}, .parameters = parameters});
               }),
               {"optimizer state 'fc1.bias.exp_avg' is f64 [7], cannot be f32 [14]"}));
}

}  // namespace
}  // namespace gradmill
