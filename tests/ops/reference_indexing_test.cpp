// What PyTorch computes for the same inputs: tests/reference/indexing.py.

#include <gtest/gtest.h>

#include <map>

#include "support/reference.h"

namespace gradmill {
namespace {

using Json = nlohmann::json;
using Inputs = std::span<const Value>;
using Indexed = std::function<Value(Inputs, Value indices)>;

constexpr std::int64_t kEnd = std::numeric_limits<std::int64_t>::max();

const std::map<std::string, Indexed>& builders() {
  static const std::map<std::string, Indexed> builders = {
      {"embedding", [](Inputs x, Value indices) { return embedding(indices, x[0]); }},
      {"embedding_nested", [](Inputs x, Value indices) { return embedding(indices, x[0]); }},
      {"embedding_scalar", [](Inputs x, Value indices) { return embedding(indices, x[0]); }},
      {"embedding_padding_from_end",
       [](Inputs x, Value indices) { return embedding(indices, x[0], {.padding_idx = -1}); }},
      {"slice_0", [](Inputs x, Value) { return slice(x[0], 0, 1, 3); }},
      {"slice_1_from_end", [](Inputs x, Value) { return slice(x[0], 1, -3, -1); }},
      {"slice_1_by_2", [](Inputs x, Value) { return slice(x[0], 1, 1, kEnd, 2); }},
      {"slice_last_by_3", [](Inputs x, Value) { return slice(x[0], -1, 0, 100, 3); }},
      {"concat_0",
       [](Inputs x, Value) {
         return concat({x[0], x[1], x[2]});
       }},
      {"concat_last",
       [](Inputs x, Value) {
         return concat({x[0], x[1]}, -1);
       }},
      {"concat_1",
       [](Inputs x, Value) {
         return concat({x[0], x[1]}, 1);
       }},
      {"split_outer",
       [](Inputs x, Value) {
         const std::vector<Value> parts = split(x[0], 3, 1);
         return parts[0] * parts[2];
       }},
      {"split_sizes",
       [](Inputs x, Value) {
         const std::vector<Value> parts = split(x[0], {2, 1, 3}, -1);
         return concat({parts[2], parts[0] * 2, parts[1]}, -1);
       }},
  };
  return builders;
}

Value integers(Graph& graph, const Json& json) {
  const auto numbers = json.at("data").get<std::vector<std::int64_t>>();
  return graph.constant(std::span<const std::int64_t>(numbers),
                        Shape(json.at("shape").get<std::vector<std::int64_t>>()));
}

// The row that the case leaves without a gradient is one of those that it looks up.
Value padded(Inputs x, Value indices, const Json& tested) {
  return embedding(indices, x[0], {.padding_idx = tested.at("indices").at("data").at(4)});
}

TEST(PyTorch, GivesTheSameRowsSlicesAndParts) {
  const Json& cases = pytorch_numbers("indexing").at("cases");
  ASSERT_EQ(cases.size(), builders().size() + 1);
  for (const Json& tested : cases) {
    const std::string name = tested.at("op");
    SCOPED_TRACE(name);
    std::vector<Array> inputs;
    for (const Json& input : tested.at("inputs")) inputs.push_back(to_array(input));
    Outcome expected{to_array(tested.at("result")), {}};
    for (const Json& gradient : tested.at("gradients")) {
      expected.gradients.push_back(to_array(gradient));
    }
    const Builder build = [&](Inputs x) {
      const Value indices =
          tested.contains("indices") ? integers(x[0].graph(), tested.at("indices")) : Value();
      if (name == "embedding_padding") return padded(x, indices, tested);
      return builders().at(name)(x, indices);
    };
    expect_outcome(build, inputs, to_array(tested.at("upstream")), expected);
  }
}

}  // namespace
}  // namespace gradmill
