// The loss and the gradient of the logits: fused, and composed of ops that each pass over [B, C].
// GB/s count the logits once and the gradient once; planned_bytes is what the plan takes besides
// the logits, including the gradient.

#include "program.h"

namespace gradmill {
namespace {

using Loss = Value (*)(Program& program, Value logits);

Value fused(Program& program, Value logits) {
  return cross_entropy(logits, program.labels(logits.shape()[0], logits.shape()[1]));
}

// What a program without the op would do; one_hot is fed.
Value picked(Value log_p, Value one_hot) { return neg(mean(sum(log_p * one_hot, {1}))); }

Value log_of_softmax(Program& program, Value logits) {
  return picked(log(softmax(logits)), program.input(logits.shape()));
}

Value of_log_softmax(Program& program, Value logits) {
  return picked(log_softmax(logits), program.input(logits.shape()));
}

void step(benchmark::State& state, std::int64_t rows, std::int64_t classes, Loss make) {
  Program program;
  const Value logits = program.input({rows, classes});
  const Value loss = make(program, logits);
  program.run(state, {loss, gradients(loss, {logits})[0]});
  state.SetBytesProcessed(static_cast<std::int64_t>(2 * sizeof(float)) * rows * classes *
                          static_cast<std::int64_t>(state.iterations()));
}

const bool kDeclared = [] {
  const std::pair<const char*, Loss> losses[] = {
      {"fused", fused}, {"log_softmax", of_log_softmax}, {"log(softmax)", log_of_softmax}};
  const std::pair<std::int64_t, std::int64_t> sizes[] = {{65536, 10}, {8192, 1000}, {1024, 50257}};
  for (const auto& [rows, classes] : sizes) {
    for (const auto& [name, loss] : losses) {
      const std::string title =
          "cross_entropy/" + std::to_string(rows) + "x" + std::to_string(classes) + "/" + name;
      declare(title.c_str(), step, rows, classes, loss);
    }
  }
  return true;
}();

}  // namespace
}  // namespace gradmill
