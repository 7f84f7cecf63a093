#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/error_of.h"
#include "support/op_check.h"

namespace gradmill {
namespace {

constexpr auto kUnknown = static_cast<DType>(200);

// One way to call an op, and inputs that it takes.
struct Call {
  std::string op;
  Builder build;
  std::vector<Type> inputs;
};

constexpr DType kFloat = DType::f32;
const Type kMatrix{kFloat, {4, 4}};
const Type kRow{kFloat, {4}};
const Type kLabels{DType::i64, {4}};

const std::vector<Call> kCalls = {
    {"accuracy", [](auto x) { return accuracy(x[0], x[1]); }, {kMatrix, kLabels}},
    {"relu", [](auto x) { return relu(x[0]); }, {kRow}},
    {"gelu", [](auto x) { return gelu(x[0]); }, {kRow}},
    {"gelu_tanh", [](auto x) { return gelu(x[0], Approximate::tanh); }, {kRow}},
    {"silu", [](auto x) { return silu(x[0]); }, {kRow}},
    {"add", [](auto x) { return x[0] + x[1]; }, {kMatrix, kRow}},
    {"sub", [](auto x) { return x[0] - x[1]; }, {kMatrix, kRow}},
    {"mul", [](auto x) { return x[0] * x[1]; }, {kMatrix, kRow}},
    {"div", [](auto x) { return x[0] / x[1]; }, {kMatrix, kRow}},
    {"add", [](auto x) { return x[0] + 2.0; }, {kRow}},
    {"sub", [](auto x) { return 2.0 - x[0]; }, {kRow}},
    {"sub", [](auto x) { return x[0] - 2.0; }, {kRow}},
    {"mul", [](auto x) { return x[0] * 2.0; }, {kRow}},
    {"div", [](auto x) { return x[0] / 2.0; }, {kRow}},
    {"div", [](auto x) { return 2.0 / x[0]; }, {kRow}},
    {"neg", [](auto x) { return -x[0]; }, {kRow}},
    {"scaled_dot_product_attention",
     [](auto x) { return scaled_dot_product_attention(x[0], x[1], x[2], {.attn_mask = x[3]}); },
     {kMatrix, kMatrix, kMatrix, kMatrix}},
    {"self_attention", [](auto x) { return self_attention(x[0], 2); }, {{kFloat, {5, 12}}}},
    {"broadcast_to",
     [](auto x) {
       return broadcast_to(x[0], {3, 4});
     },
     {kRow}},
    {"clip_grad_norm", [](auto x) { return clip_grad_norm(x, 1).norm; }, {kRow, kMatrix}},
    {"concat",
     [](auto x) {
       return concat({x[0], x[1]});
     },
     {kRow, kRow}},
    {"split", [](auto x) { return split(x[0], 2)[0]; }, {kRow}},
    {"split",
     [](auto x) {
       return split(x[0], {1, 3})[0];
     },
     {kRow}},
    {"cross_entropy",
     [](auto x) { return cross_entropy(x[0], x[1], {.weight = x[2]}); },
     {kMatrix, kLabels, kRow}},
    {"cross_entropy", [](auto x) { return cross_entropy(x[0], x[1]); }, {kMatrix, kMatrix}},
    {"dropout", [](auto x) { return dropout(x[0]); }, {kRow}},
    {"dropout", [](auto x) { return dropout(x[0], 0); }, {kRow}},
    {"embedding", [](auto x) { return embedding(x[0], x[1]); }, {kLabels, kMatrix}},
    {"layer_norm",
     [](auto x) { return layer_norm(x[0], {4}, {.weight = x[1], .bias = x[2]}); },
     {kMatrix, kRow, kRow}},
    {"rms_norm", [](auto x) { return rms_norm(x[0], {4}, {.weight = x[1]}); }, {kMatrix, kRow}},
    {"linear", [](auto x) { return linear(x[0], 3, "y"); }, {kMatrix}},
    {"linear", [](auto x) { return linear(x[0], x[1], x[2]); }, {kMatrix, kMatrix, kRow}},
    {"linear_cross_entropy",
     [](auto x) { return linear_cross_entropy(x[0], x[1], x[2], {.bias = x[3]}); },
     {kMatrix, kMatrix, kLabels, kRow}},
    {"exp", [](auto x) { return exp(x[0]); }, {kRow}},
    {"log", [](auto x) { return log(x[0]); }, {kRow}},
    {"sqrt", [](auto x) { return sqrt(x[0]); }, {kRow}},
    {"tanh", [](auto x) { return tanh(x[0]); }, {kRow}},
    {"sigmoid", [](auto x) { return sigmoid(x[0]); }, {kRow}},
    {"matmul", [](auto x) { return matmul(x[0], x[1]); }, {kMatrix, kMatrix}},
    {"sum", [](auto x) { return sum(x[0]); }, {kRow}},
    {"mean", [](auto x) { return mean(x[0]); }, {kRow}},
    {"max", [](auto x) { return max(x[0]); }, {kRow}},
    {"reshape",
     [](auto x) {
       return reshape(x[0], {2, 2});
     },
     {kRow}},
    {"transpose", [](auto x) { return transpose(x[0], 0, 1); }, {kMatrix}},
    {"slice", [](auto x) { return slice(x[0], 0, 1, 3); }, {kRow}},
    {"softmax", [](auto x) { return softmax(x[0]); }, {kRow}},
    {"log_softmax", [](auto x) { return log_softmax(x[0]); }, {kRow}},
};

std::string message_of(const Builder& build, const std::vector<Type>& types) {
  Graph graph;
  std::vector<Value> values;
  for (const Type& type : types) {
    values.push_back(graph.input(cat("x", values.size()), type.shape, type.dtype));
  }
  return error_of([&] { build(values); });
}

// Whatever input it is that has no dtype that exists: nothing guesses what its bytes are.
TEST(UnknownDType, EveryOpRefusesItByNameAndNumber) {
  for (const Call& call : kCalls) {
    ASSERT_EQ(message_of(call.build, call.inputs), "(nothing was thrown)") << call.op;
    for (std::size_t i = 0; i < call.inputs.size(); ++i) {
      std::vector<Type> inputs = call.inputs;
      inputs[i].dtype = kUnknown;
      const std::string message = message_of(call.build, inputs);
      EXPECT_THAT(message, testing::StartsWith(call.op)) << call.op << ", input " << i;
      EXPECT_THAT(message, testing::HasSubstr("dtype 200")) << call.op << ", input " << i;
    }
  }
}

}  // namespace
}  // namespace gradmill
