// Trains a small graph, for trace_file_test, which watches from outside what the environment makes
// of it. With the argument "abort" it ends in the middle of things, with "two" there are two
// sessions; else it returns after a few steps.

#include <gradmill/gradmill.h>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <string_view>

using namespace gradmill;

int main(int argc, char** argv) {
  const std::string_view mode = argc > 1 ? argv[1] : "";
  Graph graph;
  const Value x = graph.input("x", {32, 64});
  const Value labels = graph.input("labels", {32}, DType::i64);
  const Value loss = cross_entropy(linear(relu(linear(x, 256, "fc1")), 10, "fc2"), labels);
  const std::vector<float> data(32 * 64, 0.25F);
  const std::vector<std::int64_t> classes(32, 3);
  const auto make = [&](int threads) {
    return Session(graph, {.loss = loss,
                           .optimizer = SGD{.lr = 0.01},
                           .threads = threads,
                           .execution = Execution::flow_graph});
  };
  Session session = make(2);
  const auto step = [&](Session& one) { one.run({{x, data}, {labels, classes}}); };
  if (mode == "abort") {
    // Long enough for some of it to be written.
    const auto begin = std::chrono::steady_clock::now();
    while (std::chrono::steady_clock::now() - begin < std::chrono::seconds(1)) step(session);
    std::abort();
  }
  if (mode == "two") {
    Session other = make(3);
    for (int i = 0; i < 3; ++i) step(other);
    for (int i = 0; i < 2; ++i) step(session);
  } else {
    for (int i = 0; i < 4; ++i) step(session);
  }
  std::cout << session.fetch<float>(loss) << '\n';
  return 0;
}
