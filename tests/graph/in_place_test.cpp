// Results that are written over an input, and those that must not be.

#include <gradmill/gradmill.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

namespace gradmill {
namespace {

/// y_i = a_i + b_(n - 1 - i): may be written over a, and not over b.
class AddReversed : public Op {
 public:
  class Run : public Kernel {
   public:
    explicit Run(std::int64_t n) : n_(n) {}
    std::int64_t tiles(int) const override { return 1; }
    void run(int, std::int64_t, const KernelRun& run) const override {
      for (std::int64_t i = 0; i < n_; ++i) {
        run.output<float>(0)[i] = run.input<float>(0)[i] + run.input<float>(1)[n_ - 1 - i];
      }
    }
    std::string description() const override { return "add reversed"; }

   private:
    std::int64_t n_;
  };

  std::string_view name() const override { return "add_reversed"; }
  std::vector<Type> infer(std::span<const Type> inputs) const override { return {inputs[0]}; }
  std::unique_ptr<Kernel> prepare(const PrepareContext& context) const override {
    return std::make_unique<Run>(context.outputs[0].shape.elements());
  }
  bool in_place(int input, int, std::span<const Type>) const override { return input == 0; }
};

Value add_reversed(Value a, Value b) {
  return a.graph().add(std::make_shared<AddReversed>(), {a, b})[0];
}

/// The buffers that the last step of that op reads first and writes.
bool lies_over(const Session& session, const std::string& op) {
  bool result = false;
  for (const PlanStep& step : session.plan().steps) {
    if (step.op == op) result = step.inputs[0] == step.outputs[0];
  }
  return result;
}

TEST(InPlace, WritesOverAnInputThatNothingElseReads) {
  Graph graph;
  const Value x = graph.input("x", {3});
  const Value y = add_reversed(tanh(x), exp(x));
  Session session(graph, {.fetches = {y}});
  EXPECT_TRUE(lies_over(session, "add_reversed"));
}

TEST(InPlace, LeavesAlone) {
  Graph graph;
  const Value x = graph.input("x", {3});
  const Value a = relu(x);
  const auto session_of = [&](Value y, std::vector<Value> more) {
    more.push_back(y);
    return Session(graph, {.fetches = std::move(more)});
  };
  const Value of_feed = add_reversed(x, a);
  EXPECT_FALSE(lies_over(session_of(of_feed, {}), "add_reversed")) << "the caller's memory";
  const Value of_fetched = add_reversed(a, x);
  EXPECT_FALSE(lies_over(session_of(of_fetched, {a}), "add_reversed")) << "what is fetched";
  EXPECT_FALSE(lies_over(session_of(of_fetched, {exp(a)}), "add_reversed"))
      << "what another node reads, perhaps later";
}

TEST(InPlace, NotOverBytesThatComeInTwice) {
  Graph graph;
  const Value x = graph.input("x", {3});
  const Value a = relu(x);
  const Value same = add_reversed(a, a);
  const Value renamed = add_reversed(a, reshape(a, {3}));
  const std::vector<float> data = {1, 2, 5};
  for (const Value& y : {same, renamed}) {
    Session session(graph, {.fetches = {y}});
    EXPECT_FALSE(lies_over(session, "add_reversed"));
    session.run({{x, data}});
    EXPECT_EQ(session.view(y).as<float>()[2], 6);
    EXPECT_EQ(session.view(y).as<float>()[0], 6);
  }
}

}  // namespace
}  // namespace gradmill
