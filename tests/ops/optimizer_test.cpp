#include <gmock/gmock.h>
#include <gradmill/ops/optimizer.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "support/error_of.h"
#include "support/op_check.h"

namespace gradmill {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// The rules of torch.optim, one number at a time, in double precision.
struct Reference {
  virtual ~Reference() = default;
  virtual void update(double& p, double g, double& s0, double& s1, double lr, int t) const = 0;
};

struct ReferenceSGD : Reference {
  explicit ReferenceSGD(const SGD& o) : options(o) {}
  void update(double& p, double g, double& buf, double&, double lr, int t) const override {
    if (options.weight_decay != 0) g += options.weight_decay * p;
    if (options.momentum != 0) {
      buf = t == 1 ? g : options.momentum * buf + g;
      g = options.nesterov ? g + options.momentum * buf : buf;
    }
    p -= lr * g;
  }
  SGD options;
};

struct ReferenceAdamW : Reference {
  explicit ReferenceAdamW(const AdamW& o) : options(o) {}
  void update(double& p, double g, double& m, double& v, double lr, int t) const override {
    p *= 1 - lr * options.weight_decay;
    m = options.beta1 * m + (1 - options.beta1) * g;
    v = options.beta2 * v + (1 - options.beta2) * g * g;
    const double correction1 = 1 - std::pow(options.beta1, t);
    const double correction2 = 1 - std::pow(options.beta2, t);
    p -= lr / correction1 * m / (std::sqrt(v) / std::sqrt(correction2) + options.eps);
  }
  AdamW options;
};

double learning_rate_at(int t, double first) { return t < 10 ? first : first / t; }

// A parameter whose gradient is the fed x: the loss is sum(p * x).
template <class T>
void expect_updates(const std::shared_ptr<const Optimizer>& optimizer, const Reference& reference,
                    std::int64_t n, double tolerance) {
  SCOPED_TRACE(cat(to_string(dtype_of<T>()), ", ", n, " elements"));
  Graph graph;
  const Value x = graph.input("x", {n}, dtype_of<T>());
  const Value p = graph.parameter("p", {n}, Initializer::uniform(-1, 1), dtype_of<T>());
  const Value loss = sum(p * x);
  Session session(graph, {.loss = loss, .optimizer = optimizer, .threads = 2, .seed = 5});

  const std::span<const T> start = session.view(p).as<T>();
  std::vector<double> expected(start.begin(), start.end());
  std::vector<double> s0(expected.size()), s1(expected.size());
  Random random(1);
  for (int t = 1; t <= 20; ++t) {
    const double lr = learning_rate_at(t, optimizer->learning_rate());
    session.set_learning_rate(lr);
    std::vector<T> fed;
    for (std::int64_t i = 0; i < n; ++i) fed.push_back(static_cast<T>(random.uniform(-1, 1)));
    fed[0] = 0;
    session.run({{x, fed}});
    for (std::size_t i = 0; i < expected.size(); ++i) {
      reference.update(expected[i], fed[i], s0[i], s1[i], lr, t);
    }
    Array actual({n});
    std::ranges::copy(session.view(p).as<T>(), actual.data.begin());
    SCOPED_TRACE(cat("update ", t));
    expect_near(actual, Array({n}, expected), tolerance);
    if (testing::Test::HasFatalFailure()) return;
  }
}

template <class Options, class ReferenceOptions>
void expect_rule(const Options& options) {
  const ReferenceOptions reference(options);
  for (const std::int64_t n : {1, 7, 1001, 70'001}) {
    expect_updates<float>(options, reference, n, 3e-6);
    if (n < 70'000) expect_updates<double>(options, reference, n, 1e-13);
  }
}

TEST(SGD, FollowsPyTorchsRule) {
  for (const SGD& options :
       {SGD{.lr = 0.1}, SGD{.lr = 0.05, .momentum = 0.9}, SGD{.lr = 0.05, .weight_decay = 0.1},
        SGD{.lr = 0.05, .momentum = 0.9, .weight_decay = 0.01},
        SGD{.lr = 0.05, .momentum = 0.8, .weight_decay = 0.01, .nesterov = true}}) {
    SCOPED_TRACE(cat("momentum ", options.momentum, ", weight decay ", options.weight_decay,
                     ", nesterov ", options.nesterov));
    expect_rule<SGD, ReferenceSGD>(options);
  }
}

TEST(AdamW, FollowsPyTorchsRule) {
  for (const AdamW& options :
       {AdamW{}, AdamW{.lr = 0.1, .weight_decay = 0},
        AdamW{.lr = 0.01, .beta1 = 0.5, .beta2 = 0.9, .eps = 1e-3, .weight_decay = 0.1},
        AdamW{.lr = 0.01, .beta1 = 0, .beta2 = 0}}) {
    SCOPED_TRACE(cat("lr ", options.lr, ", betas ", options.beta1, ' ', options.beta2, ", eps ",
                     options.eps, ", weight decay ", options.weight_decay));
    expect_rule<AdamW, ReferenceAdamW>(options);
  }
}

std::vector<std::byte> trained_bytes(const std::shared_ptr<const Optimizer>& optimizer, int threads,
                                     DType dtype) {
  Graph graph;
  const Value x = graph.constant(0.25, {64, 301}, dtype);
  const Value y = linear(tanh(linear(x, 257, "a")), 31, "b");
  Session session(graph, {.loss = mean(y * y),
                          .optimizer = optimizer,
                          .threads = threads,
                          .execution = Execution::flow_graph});
  for (int step = 0; step < 5; ++step) session.run();
  std::vector<std::byte> all;
  for (const std::string& name : session.parameters()->names()) {
    const TensorView view = session.parameters()->view(name);
    const auto* bytes = static_cast<const std::byte*>(view.data);
    all.insert(all.end(), bytes, bytes + view.type.bytes());
  }
  return all;
}

TEST(Optimizers, GiveTheSameBitsOnAnyNumberOfThreads) {
  for (const DType dtype : {DType::f32, DType::f64}) {
    for (const std::shared_ptr<const Optimizer>& optimizer :
         std::initializer_list<std::shared_ptr<const Optimizer>>{
             SGD{.lr = 0.1, .momentum = 0.9, .nesterov = true}, AdamW{.lr = 0.1}}) {
      const std::vector<std::byte> one = trained_bytes(optimizer, 1, dtype);
      EXPECT_EQ(one, trained_bytes(optimizer, 2, dtype));
      EXPECT_EQ(one, trained_bytes(optimizer, 4, dtype));
    }
  }
}

TEST(UpdateInputs, AreThoseThatTheOptimizerAndTheFormAskFor) {
  const UpdateInputs none = std::shared_ptr<const Optimizer>(SGD{})->inputs({});
  EXPECT_EQ(none.size, 2);
  EXPECT_EQ(none.count, -1);
  EXPECT_EQ(none.accumulator, -1);
  EXPECT_EQ(none.scale, -1);
  EXPECT_THAT(none.written(), ElementsAre(0));

  const UpdateInputs scaled =
      std::shared_ptr<const Optimizer>(SGD{.momentum = 0.9})->inputs({.scaled = true});
  EXPECT_EQ(scaled.size, 4);
  EXPECT_EQ(scaled.scale, 3);
  EXPECT_THAT(scaled.written(), ElementsAre(0, 2));

  const UpdateInputs all =
      std::shared_ptr<const Optimizer>(AdamW{})->inputs({.accumulates = true, .scaled = true});
  EXPECT_EQ(all.size, 7);
  EXPECT_EQ(all.state, 2);
  EXPECT_EQ(all.count, 4);
  EXPECT_EQ(all.accumulator, 5);
  EXPECT_EQ(all.scale, 6);
  EXPECT_THAT(all.written(), ElementsAre(0, 2, 3, 5));
}

TEST(UpdateInputs, FollowOtherInputsWhereTheGradientIsComputedFromThose) {
  const UpdateInputs behind = UpdateInputs(2, true, {.accumulates = true}).without_gradient(3);
  EXPECT_EQ(behind.size, 8);
  EXPECT_EQ(behind.parameter, 3);
  EXPECT_EQ(behind.gradient, -1);
  EXPECT_EQ(behind.state, 4);
  EXPECT_EQ(behind.count, 6);
  EXPECT_EQ(behind.accumulator, 7);
  EXPECT_EQ(behind.scale, -1);
  EXPECT_THAT(behind.written(), ElementsAre(3, 4, 5, 7));
}

TEST(Optimizers, RefuseParametersThatAreNotFloating) {
  const Type type{DType::i64, {2}};
  const std::vector<Type> inputs = {type, type};
  const auto update = std::shared_ptr<const Optimizer>(SGD{})->update({});
  EXPECT_THAT(error_of([&] { update->infer(inputs); }), HasSubstr("i64"));
}

TEST(Optimizers, RefuseOptionsOutOfRange) {
  const auto refused = [](const auto& options) {
    return error_of([&] { static_cast<void>(std::shared_ptr<const Optimizer>(options)); });
  };
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double inf = std::numeric_limits<double>::infinity();
  for (const double bad : {-1.0, nan, inf}) {
    EXPECT_THAT(refused(SGD{.lr = bad}), HasSubstr("lr"));
    EXPECT_THAT(refused(SGD{.momentum = bad}), HasSubstr("momentum"));
    EXPECT_THAT(refused(SGD{.weight_decay = bad}), HasSubstr("weight_decay"));
    EXPECT_THAT(refused(AdamW{.lr = bad}), HasSubstr("lr"));
    EXPECT_THAT(refused(AdamW{.eps = bad}), HasSubstr("eps"));
    EXPECT_THAT(refused(AdamW{.weight_decay = bad}), HasSubstr("weight_decay"));
    EXPECT_THAT(refused(AdamW{.beta1 = bad}), HasSubstr("beta1"));
    EXPECT_THAT(refused(AdamW{.beta2 = bad}), HasSubstr("beta2"));
  }
  EXPECT_THAT(refused(AdamW{.beta1 = 1}), HasSubstr("beta1"));
  EXPECT_THAT(refused(AdamW{.beta2 = 1}), HasSubstr("beta2"));
  EXPECT_THAT(refused(SGD{.nesterov = true}),
              testing::AllOf(testing::ContainsRegex("[Nn]esterov"), HasSubstr("momentum")));
}

}  // namespace
}  // namespace gradmill
