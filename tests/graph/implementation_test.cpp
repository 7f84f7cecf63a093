// Which code does the products: what plans and the debug log say about it.

#include <gradmill/gradmill.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "captured_log.h"
#include "programs.h"

namespace gradmill {
namespace {

struct Product {
  std::int64_t m, k, n;
  bool transpose_a, transpose_b;
};

std::vector<Product> products() {
  std::vector<Product> result;
  for (const bool transpose_a : {false, true}) {
    for (const bool transpose_b : {false, true}) {
      for (const auto& [m, k, n] :
           {std::tuple{1, 1, 1}, std::tuple{1, 7, 3}, std::tuple{64, 64, 64},
            std::tuple{128, 784, 512}, std::tuple{128, 512, 10}, std::tuple{129, 333, 257},
            std::tuple{512, 1, 512}}) {
        result.push_back({m, k, n, transpose_a, transpose_b});
      }
    }
  }
  return result;
}

bool is_product(const PlanStep& step) {
  return step.kernel_phase == 0 && (step.op.find("matmul") != std::string::npos ||
                                    step.op.find("linear") != std::string::npos);
}

/// How many products there are, each by code that may be used.
int expect_good_products(const Plan& plan, DType dtype) {
  int count = 0;
  for (const PlanStep& step : plan.steps) {
    const std::string text = step.kernel->description();
    EXPECT_EQ(text.find("ref:"), std::string::npos) << step.name << ": " << text;
    if (!is_product(step)) continue;
    ++count;
    const bool named = dtype == DType::f64 ? text.find("eigen") != std::string::npos
                                           : text.find("dnnl_sgemm") != std::string::npos ||
                                                 text.find("bands of") != std::string::npos ||
                                                 text.find("gemm:") != std::string::npos ||
                                                 text.find("brg") != std::string::npos ||
                                                 text.find("jit") != std::string::npos;
    EXPECT_TRUE(named) << step.name << ": " << text;
  }
  return count;
}

TEST(Implementation, OfEveryKindOfProductIsNamed) {
  for (const DType dtype : {DType::f32, DType::f64}) {
    for (const Product& p : products()) {
      Graph graph;
      const Value a = graph.input("a", p.transpose_a ? Shape{p.k, p.m} : Shape{p.m, p.k}, dtype);
      const Value b = graph.input("b", p.transpose_b ? Shape{p.n, p.k} : Shape{p.k, p.n}, dtype);
      const Value c = matmul(a, b, {.transpose_a = p.transpose_a, .transpose_b = p.transpose_b});
      std::vector<Value> fetches = gradients(c, {a, b});
      fetches.push_back(c);
      const Session session(graph, {.fetches = fetches, .threads = 1});
      EXPECT_EQ(expect_good_products(session.plan(), dtype), 3);
    }
  }
}

TEST(Implementation, OfFusedLayersIsNamed) {
  for (const DType dtype : {DType::f32, DType::f64}) {
    for (const auto activation :
         {+[](Value x) { return relu(x); }, +[](Value x) { return tanh(x); },
          +[](Value x) { return sigmoid(x); }}) {
      const auto program = mlp(dtype, 128, {100, 256, 64, 10}, activation);
      const Session session(program->graph,
                            {.loss = program->loss, .optimizer = AdamW{}, .threads = 2});
      // Three layers: forward, the gradient of the weight, and of the input but for the first.
      EXPECT_EQ(expect_good_products(session.plan(), dtype), 3 + 3 + 2);
    }
    const auto wide = branches(dtype, 16, 64, 64);
    const Session session(wide->graph, {.loss = wide->loss, .optimizer = SGD{}, .threads = 2});
    EXPECT_GE(expect_good_products(session.plan(), dtype), 32);
  }
}

TEST(Implementation, IsInTheDebugLog) {
  const CapturedLog captured(LogLevel::debug);
  const auto program = mlp(DType::f32, 128, {100, 256, 10});
  const Session session(program->graph,
                        {.loss = program->loss, .optimizer = AdamW{}, .threads = 2});
  const std::string log = captured.text();
  for (const PlanStep& step : session.plan().steps) {
    if (!is_product(step)) continue;
    EXPECT_TRUE(mentions(log, {step.name, step.kernel->description()}));
  }
  EXPECT_EQ(log.find("ref:"), std::string::npos);
}

TEST(Implementation, StepsAreSilent) {
  const auto program = mlp(DType::f32, 128, {100, 256, 10});
  Session session(program->graph, {.loss = program->loss, .optimizer = AdamW{}, .threads = 2});
  const CapturedLog captured(LogLevel::debug);
  for (int i = 0; i < 3; ++i) session.run(program->feeds);
  EXPECT_EQ(captured.text(), "");
}

}  // namespace
}  // namespace gradmill
