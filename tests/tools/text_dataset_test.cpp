#include "data/text_dataset.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "support/error_of.h"
#include "support/temp_folder.h"

namespace gradmill {
namespace {

using Tokens = std::vector<std::int64_t>;

class Text : public testing::Test {
 protected:
  std::string file(const std::string& name, const std::string& text) const {
    write_text(folder_ / name, text);
    return folder_ / name;
  }
  /// Bytes 0, 1, ..., which say where they are.
  std::string counting(int count) const {
    std::string bytes;
    for (int i = 0; i < count; ++i) bytes += static_cast<char>(i);
    return file("counting", bytes);
  }
  TempFolder folder_;
};

struct Batch {
  explicit Batch(std::size_t size) : inputs(size), targets(size) {}
  Tokens inputs;
  Tokens targets;
};

Batch drawn(const TextDataset& data, std::size_t rows, std::uint64_t seed, std::uint64_t step,
            std::uint64_t micro_batch) {
  Batch batch(rows * static_cast<std::size_t>(data.context()));
  data.draw(seed, step, micro_batch, batch.inputs, batch.targets);
  return batch;
}

TEST_F(Text, IsReadInOrderAndSplit) {
  const TextDataset data(
      {file("a", "abcdefghij"), file("b", std::string("\xff\0\n", 3) + "1234567")}, 2, 0.25);
  EXPECT_EQ(data.training_bytes(), 15);
  EXPECT_EQ(data.validation_bytes(), 5);
  EXPECT_EQ(data.validation_windows(), 2);
  Batch batch(4);
  data.validation(0, batch.inputs, batch.targets);
  EXPECT_EQ(batch.inputs, (Tokens{'3', '4', '5', '6'}));
  EXPECT_EQ(batch.targets, (Tokens{'4', '5', '6', '7'}));
}

TEST_F(Text, IsATenthForValidationByDefault) {
  const TextDataset data({counting(200)}, 5);
  EXPECT_EQ(data.training_bytes(), 180);
  EXPECT_EQ(data.validation_windows(), 3);
}

TEST_F(Text, IsDrawnFromAllOfTheTrainingPartAndNothingElse) {
  const TextDataset data({counting(40)}, 3, 0.25);
  std::set<std::int64_t> seen;
  for (std::uint64_t step = 0; step < 200; ++step) {
    const Batch batch = drawn(data, 4, 1, step, 0);
    for (std::size_t i = 0; i < batch.inputs.size(); ++i) {
      EXPECT_EQ(batch.targets[i], batch.inputs[i] + 1);
      EXPECT_LT(batch.targets[i], 30);
      if (i % 3 == 0) {
        seen.insert(batch.inputs[i]);
      } else {
        EXPECT_EQ(batch.inputs[i], batch.inputs[i - 1] + 1);
      }
    }
  }
  EXPECT_EQ(seen.size(), 27U);  // 0 to 26
}

TEST_F(Text, IsDrawnBySeedStepAndMicroBatch) {
  const TextDataset data({counting(250)}, 4);
  const auto at = [&](std::uint64_t seed, std::uint64_t step, std::uint64_t micro) {
    return drawn(data, 16, seed, step, micro).inputs;
  };
  EXPECT_EQ(at(1, 2, 3), at(1, 2, 3));
  EXPECT_NE(at(1, 2, 3), at(2, 2, 3));
  EXPECT_NE(at(1, 2, 3), at(1, 3, 3));
  EXPECT_NE(at(1, 2, 3), at(1, 2, 4));
}

TEST_F(Text, OfMicroBatchesIsThatOfOneBatch) {
  const TextDataset data({counting(250)}, 4);
  const Batch whole = drawn(data, 8, 5, 9, 0);
  Tokens parts;
  for (std::uint64_t micro = 0; micro < 4; ++micro) {
    const Batch part = drawn(data, 2, 5, 9, micro);
    parts.insert(parts.end(), part.inputs.begin(), part.inputs.end());
  }
  EXPECT_EQ(parts, whole.inputs);
}

TEST_F(Text, MayBeJustLongEnough) {
  const TextDataset data({counting(8)}, 3, 0.5);
  const Batch batch = drawn(data, 1, 0, 0, 0);
  EXPECT_EQ(batch.inputs, (Tokens{0, 1, 2}));
  EXPECT_EQ(data.validation_windows(), 1);
}

TEST_F(Text, IsRefused) {
  const auto refusal = [](const std::vector<std::string>& paths, std::int64_t context,
                          double fraction = 0.1) {
    return error_of([&] { TextDataset(paths, context, fraction); });
  };
  const std::string text = counting(100);
  EXPECT_EQ(refusal({}, 3), "text to train on: no file is given");
  EXPECT_EQ(refusal({folder_ / "none"}, 3), (folder_ / "none") + ": No such file or directory");
  EXPECT_EQ(refusal({folder_.path().string()}, 3),
            folder_.path().string() + ": is a folder, not a file");
  EXPECT_EQ(refusal({text, file("empty", "")}, 3), (folder_ / "empty") + ": is empty");
  EXPECT_EQ(refusal({text}, 0), "the context must be at least 1 byte, got 0");
  EXPECT_EQ(
      refusal({text}, 10),
      text + ": 100 bytes leave 10 for validation, fewer than the context of 10 and one more");
  EXPECT_EQ(refusal({text}, 50, 0.9),
            text + ": 100 bytes leave 10 for training, fewer than the context of 50 and one more");
  for (const double fraction : {0.0, 1.0, -0.1, 2.0}) {
    EXPECT_EQ(refusal({text}, 3, fraction).find("the fraction for validation must lie between"),
              0U);
  }
  const TextDataset data({text}, 3);
  Batch batch(4);
  EXPECT_EQ(error_of([&] { data.draw(0, 0, 0, batch.inputs, batch.targets); }),
            "a batch of text with context 3: 4 inputs and 4 targets");
  Batch rows(6);
  EXPECT_EQ(error_of([&] { data.validation(2, rows.inputs, rows.targets); }),
            "pieces 2 to 3 of the validation text, which has 3");
}

}  // namespace
}  // namespace gradmill
