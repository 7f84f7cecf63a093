// Checks the gradient of an op of this program's own, then trains a small model with it on points
// of two rings, which no straight line parts.

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <vector>

#include <gradmill/gradmill.h>

#include "cube.h"

namespace {

constexpr std::int64_t kPoints = 256;

/// The gradient of `op` for some numbers of its own choice, inside a larger expression.
gradmill::GradcheckReport check_gradient(gradmill::Value (*op)(gradmill::Value)) {
  gradmill::Graph graph;
  const gradmill::Value x = graph.input("x", {3, 5});
  return gradcheck(graph, tanh(op(x)));
}

float train() {
  gradmill::Graph graph;
  const gradmill::Value points = graph.input("points", {kPoints, 2});
  const gradmill::Value labels = graph.input("labels", {kPoints}, gradmill::DType::i64);
  const gradmill::Value hidden = cube(tanh(linear(points, 16, "fc1")));
  const gradmill::Value logits = linear(hidden, 2, "fc2");
  const gradmill::Value loss = cross_entropy(logits, labels);
  const gradmill::Value right = accuracy(logits, labels);

  gradmill::Session session(
      graph,
      {.loss = loss, .optimizer = gradmill::AdamW{.lr = 0.05}, .fetches = {right}, .threads = 2});
  std::vector<float> xy;
  std::vector<std::int64_t> ring;
  for (std::int64_t i = 0; i < kPoints; ++i) {
    const double angle = 0.1 * static_cast<double>(i);
    const double radius = i % 2 == 0 ? 0.5 : 1.5;
    xy.push_back(static_cast<float>(radius * std::cos(angle)));
    xy.push_back(static_cast<float>(radius * std::sin(angle)));
    ring.push_back(i % 2);
  }
  for (int step = 0; step < 300; ++step) session.run({{points, xy}, {labels, ring}});
  return session.fetch<float>(right);
}

}  // namespace

int main() {
  if (const auto report = check_gradient(cube); !report.ok()) {
    std::puts(report.message().c_str());
    return 1;
  }
  if (const auto report = check_gradient(forgetful_cube); report.ok()) {
    std::puts("gradcheck did not notice that forgetful_cube has a wrong gradient");
    return 1;
  }
  const float right = train();
  std::printf("accuracy %.3f\n", static_cast<double>(right));
  return right > 0.95F ? 0 : 1;
}
