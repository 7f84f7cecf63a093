#include "figures.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <random>

#include <gradmill/gradmill.h>

#include "median.h"

// The time from a graph to a plan that is ready to run, in microseconds per node of the given
// graph: to differentiate, rewrite, order, plan and build it. The time that ops take to prepare
// their kernels is not included; it is reported separately.

namespace gradmill::bench {
namespace {

struct Program {
  Graph graph;
  Value loss;
  bool trained = true;

  bool smaller_than(std::size_t nodes) const { return graph.nodes().size() < nodes; }
};

/// Tiny layers one after the other: a long chain, with an update at each step of the backward pass.
std::unique_ptr<Program> deep(std::size_t nodes) {
  auto program = std::make_unique<Program>();
  Value x = program->graph.input("x", {4, 8});
  for (int layer = 0; program->smaller_than(nodes - 3); ++layer) {
    x = relu(linear(x, 8, "fc" + std::to_string(layer)));
  }
  program->loss = cross_entropy(x, program->graph.input("labels", {4}, DType::i64));
  return program;
}

/// Towers of three layers side by side, whose results are added up.
std::unique_ptr<Program> towers(std::size_t nodes) {
  auto program = std::make_unique<Program>();
  const Value x = program->graph.input("x", {4, 8});
  Value total;
  for (int tower = 0; program->smaller_than(nodes - 3); ++tower) {
    Value y = x;
    for (const char* layer : {".fc1", ".fc2", ".fc3"}) {
      y = relu(linear(y, 8, "tower" + std::to_string(tower) + layer));
    }
    total = total ? total + y : y;
  }
  program->loss = cross_entropy(total, program->graph.input("labels", {4}, DType::i64));
  return program;
}

/// One value read by all the others, which are added up in pairs. Not trained.
std::unique_ptr<Program> fan_out(std::size_t nodes) {
  auto program = std::make_unique<Program>();
  const Value x = program->graph.input("x", {4, 8});
  std::vector<Value> level;
  for (std::size_t i = 0; i < nodes / 3; ++i) level.push_back(x * static_cast<double>(i + 2));
  while (level.size() > 1) {
    std::vector<Value> next;
    for (std::size_t i = 0; i + 1 < level.size(); i += 2) next.push_back(level[i] + level[i + 1]);
    if (level.size() % 2 == 1) next.push_back(level.back());
    level = std::move(next);
  }
  program->loss = sum(level[0]);
  program->trained = false;
  return program;
}

/// Each node reads two others that are drawn at random, mostly from the newest; those that nothing
/// reads become part of the loss.
std::unique_ptr<Program> random_graph(std::size_t nodes) {
  auto program = std::make_unique<Program>();
  std::mt19937 random(7);
  std::vector<Value> values = {program->graph.input("x", {4, 8})};
  for (int i = 0; i < 4; ++i) {
    values.push_back(
        program->graph.parameter("p" + std::to_string(i), {4, 8}, Initializer::uniform(-1, 1)));
  }
  std::vector<bool> used(values.size(), false);
  const auto draw = [&] {
    const std::size_t range =
        random() % 8 == 0 ? values.size() : std::min<std::size_t>(16, values.size());
    const std::size_t index = values.size() - 1 - random() % range;
    used[index] = true;
    return values[index];
  };
  while (program->smaller_than(nodes * 9 / 10)) {
    const Value a = draw();
    switch (random() % 4) {
      case 0: values.push_back(tanh(a)); break;
      case 1: values.push_back(a * draw()); break;
      case 2: values.push_back(a - draw()); break;
      default: values.push_back(a + draw()); break;
    }
    used.push_back(false);
  }
  Value total = values.back();
  for (std::size_t i = 0; i + 1 < values.size(); ++i) {
    if (!used[i]) total = total + values[i];
  }
  program->loss = mean(total);
  return program;
}

void measure(std::vector<Figure>& figures, const char* name,
             std::unique_ptr<Program> (*make)(std::size_t), std::size_t nodes) {
  using Clock = std::chrono::steady_clock;
  const auto program = make(nodes);
  SessionOptions options{.loss = program->loss, .threads = 2};
  if (program->trained) options.optimizer = AdamW{};
  // Parameters and optimizer state are not timed: they exist from the first time on.
  options.parameters = Session(program->graph, options).parameters();
  std::vector<double> planning;
  std::vector<double> kernels;
  const auto first = Clock::now();
  while (planning.size() < 3 ||
         (planning.size() < 21 && Clock::now() - first < std::chrono::milliseconds(400))) {
    const auto start = Clock::now();
    const Session session(program->graph, options);
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    kernels.push_back(session.plan().prepare_seconds);
    planning.push_back(seconds - kernels.back());
  }
  const double scale = 1e6 / static_cast<double>(program->graph.nodes().size());
  const std::string label = std::string("compile ") + name + " " + std::to_string(nodes);
  figures.push_back({label, median(planning) * scale, "us/node", "< 20"});
  figures.push_back({label + " kernels", median(kernels) * scale, "us/node", ""});
}

}  // namespace

std::vector<Figure> measure_compile() {
  std::vector<Figure> figures;
  for (const std::size_t nodes : {100U, 1000U, 10000U}) {
    measure(figures, "deep", deep, nodes);
    measure(figures, "towers", towers, nodes);
    measure(figures, "fan-out", fan_out, nodes);
    measure(figures, "random", random_graph, nodes);
  }
  return figures;
}

}  // namespace gradmill::bench
