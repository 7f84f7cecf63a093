#include <gradmill/graph/parameters.h>
#include <gradmill/graph/parameters/store.h>
#include <gradmill/runtime/safetensors.h>
#include <gtest/gtest.h>
#include "support/error_of.h"
#include "support/temp_folder.h"

#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <vector>

namespace gradmill {
namespace {

void declare(Graph& graph) {
  graph.input("x", {4});
  graph.parameter("fc1.weight", {3, 2}, Initializer::linear(2));
  graph.parameter("fc1.bias", {3}, Initializer::normal());
  graph.parameter("scale", {}, Initializer::constant(2.5), DType::f64);
}

// All values as bytes, in the order of the names.
std::string bytes_of(const Parameters& parameters) {
  std::string all;
  for (const std::string& name : parameters.names()) {
    const TensorView view = parameters.view(name);
    all.append(static_cast<const char*>(view.data), view.type.bytes());
  }
  return all;
}

class ParametersTest : public testing::Test {
 protected:
  ParametersTest() { declare(graph_); }
  Graph graph_;
  TempFolder folder_;
};

TEST_F(ParametersTest, HoldTheGraphsParametersInTheirOrder) {
  const Parameters parameters(graph_);
  EXPECT_EQ(parameters.names(), (std::vector<std::string>{"fc1.weight", "fc1.bias", "scale"}));
  EXPECT_TRUE(parameters.contains("scale"));
  EXPECT_FALSE(parameters.contains("x"));
  EXPECT_EQ(parameters.view("fc1.weight").type, (Type{DType::f32, {3, 2}}));
  EXPECT_EQ(parameters.view("scale").as<double>()[0], 2.5);
  EXPECT_EQ(parameters.step(), 0U);
}

TEST_F(ParametersTest, StartFromTheSeed) {
  EXPECT_EQ(bytes_of(Parameters(graph_, 3)), bytes_of(Parameters(graph_, 3)));
  EXPECT_NE(bytes_of(Parameters(graph_, 3)), bytes_of(Parameters(graph_, 4)));
}

TEST_F(ParametersTest, DoNotNeedTheGraphOnceMade) {
  auto graph = std::make_unique<Graph>();
  declare(*graph);
  const Parameters parameters(*graph, 5);
  graph.reset();
  EXPECT_EQ(bytes_of(parameters), bytes_of(Parameters(graph_, 5)));
}

TEST_F(ParametersTest, AssignCopiesValuesIn) {
  Parameters parameters(graph_);
  const std::vector<float> bias = {1, 2, 3};
  parameters.assign<float>("fc1.bias", bias);
  const auto view = parameters.view("fc1.bias").as<float>();
  EXPECT_EQ(std::vector<float>(view.begin(), view.end()), bias);
}

TEST_F(ParametersTest, RefuseUnknownNames) {
  Parameters parameters(graph_);
  const std::string message = "no parameter 'fc2'; there are: 'fc1.weight', 'fc1.bias', 'scale'";
  EXPECT_EQ(error_of([&] { parameters.view("fc2"); }), message);
  EXPECT_EQ(error_of([&] { parameters.assign<float>("fc2", {}); }), message);
  EXPECT_EQ(error_of([] { Parameters(Graph()).view("w"); }), "no parameter 'w'; there are: none");
}

TEST_F(ParametersTest, RefuseValuesThatDoNotFit) {
  Parameters parameters(graph_);
  const std::string before = bytes_of(parameters);
  const std::vector<float> four(4);
  const std::vector<double> three(3);
  EXPECT_EQ(error_of([&] { parameters.assign<float>("fc1.bias", four); }),
            "parameter 'fc1.bias' is f32 [3]: cannot assign 4 values of f32");
  EXPECT_EQ(error_of([&] { parameters.assign<double>("fc1.bias", three); }),
            "parameter 'fc1.bias' is f32 [3]: cannot assign 3 values of f64");
  EXPECT_EQ(bytes_of(parameters), before);
}

TEST_F(ParametersTest, SaveAndLoadRoundTrip) {
  const Parameters saved(graph_, 1);
  saved.save(folder_ / "model", {{"epoch", "3"}});
  Parameters loaded(graph_, 2);
  ASSERT_NE(bytes_of(loaded), bytes_of(saved));
  loaded.load(folder_ / "model");
  EXPECT_EQ(bytes_of(loaded), bytes_of(saved));
  const SafetensorsFile file(folder_ / "model");
  EXPECT_EQ(file.metadata().at("epoch"), "3");
  EXPECT_EQ(file.tensors().size(), 3U);
}

TEST_F(ParametersTest, StateIsNotSaved) {
  Parameters parameters(graph_);
  parameters.save(folder_ / "before");
  parameters.store().ensure_state("fc1.bias.exp_avg", {DType::f32, {3}});
  parameters.save(folder_ / "after");
  EXPECT_EQ(read_text(folder_ / "before"), read_text(folder_ / "after"));
}

TEST_F(ParametersTest, LoadListsEverythingThatDoesNotFitAndChangesNothing) {
  Graph other;
  other.parameter("fc1.weight", {2, 3}, Initializer::zeros());
  other.parameter("fc1.bias", {3}, Initializer::zeros(), DType::f64);
  other.parameter("fc2.weight", {1, 3}, Initializer::zeros());
  Parameters(other).save(folder_ / "other");
  Parameters parameters(graph_);
  const std::string before = bytes_of(parameters);
  EXPECT_EQ(error_of([&] { parameters.load(folder_ / "other"); }),
            folder_ / "other" +
                ": does not fit these parameters:"
                "\n  'fc1.bias' f32 [3]: the file has f64 [3]"
                "\n  'fc1.weight' f32 [3, 2]: the file has f32 [2, 3]"
                "\n  'scale' f64 []: not in the file"
                "\n  'fc2.weight' f32 [1, 3]: no such parameter");
  EXPECT_EQ(bytes_of(parameters), before);
}

TEST_F(ParametersTest, ABrokenFileChangesNothing) {
  Parameters parameters(graph_, 1);
  parameters.save(folder_ / "model");
  const std::string good = read_text(folder_ / "model");
  write_text(folder_ / "model", good.substr(0, good.size() - 1));
  Parameters loaded(graph_, 2);
  const std::string before = bytes_of(loaded);
  EXPECT_NE(error_of([&] { loaded.load(folder_ / "model"); }).find("truncated"), std::string::npos);
  EXPECT_NE(error_of([&] { loaded.load(folder_ / "missing"); }).find("No such file"),
            std::string::npos);
  EXPECT_EQ(bytes_of(loaded), before);
}

TEST_F(ParametersTest, SaveReportsAFolderThatIsNotThere) {
  const Parameters parameters(graph_);
  EXPECT_NE(error_of<Failure>([&] { parameters.save(folder_ / "no/model"); }).find("/no/model"),
            std::string::npos);
}

TEST_F(ParametersTest, FindVariablesByName) {
  Parameters parameters(graph_);
  EXPECT_EQ(parameters.store().address("scale"), parameters.view("scale").data);
  EXPECT_EQ(parameters.store().address("scale.exp_avg"), nullptr);
  parameters.store().ensure_state("scale.exp_avg", {DType::f64, {}});
  auto* state = static_cast<double*>(parameters.store().address("scale.exp_avg"));
  ASSERT_NE(state, nullptr);
  EXPECT_EQ(*state, 0.0);
  *state = 7;
  parameters.store().ensure_state("scale.exp_avg", {DType::f64, {}});
  EXPECT_EQ(parameters.store().address("scale.exp_avg"), state);
  EXPECT_EQ(*state, 7.0);
  EXPECT_FALSE(parameters.contains("scale.exp_avg"));
}

TEST_F(ParametersTest, RefuseStateThatDoesNotFit) {
  Parameters parameters(graph_);
  parameters.store().ensure_state("scale.m", {DType::f64, {}});
  EXPECT_EQ(error_of([&] {
              parameters.store().ensure_state("scale.m", {DType::f32, {2}});
            }),
            "optimizer state 'scale.m' is f64 [], cannot be f32 [2]");
  EXPECT_EQ(error_of([&] {
              parameters.store().ensure_state("scale", {DType::f64, {}});
            }),
            "optimizer state 'scale': a parameter has this name");
}

// Neither a load nor a save may see the other half done.
TEST_F(ParametersTest, SaveAndLoadTakeTurns) {
  Graph graph;
  graph.parameter("w", {20'000}, Initializer::zeros());
  Parameters parameters(graph);
  for (const float value : {1.0F, 2.0F}) {
    const std::vector<float> values(20'000, value);
    parameters.assign<float>("w", values);
    parameters.save(folder_ / (value == 1.0F ? "ones" : "twos"));
  }
  std::thread loader([&] {
    for (int i = 0; i < 50; ++i) parameters.load(folder_ / (i % 2 == 0 ? "ones" : "twos"));
  });
  const std::string ones = read_text(folder_ / "ones");
  const std::string twos = read_text(folder_ / "twos");
  for (int i = 0; i < 50; ++i) {
    parameters.save(folder_ / "copy");
    const std::string copy = read_text(folder_ / "copy");
    EXPECT_TRUE(copy == ones || copy == twos);
  }
  loader.join();
}

}  // namespace
}  // namespace gradmill
