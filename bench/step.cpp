// Times whole training steps of a multilayer perceptron; see compare_step.py.

#include <gradmill/gradmill.h>

#include "step_options.h"

namespace {

using gradmill::Value;
using gradmill::bench::StepData;

Value build_loss(gradmill::Graph& graph, const gradmill::bench::Workload& workload) {
  Value x = graph.input("images", {workload.batch, workload.inputs()});
  const Value labels = graph.input("labels", {workload.batch}, gradmill::DType::i64);
  for (std::size_t i = 1; i < workload.sizes.size(); ++i) {
    x = linear(x, workload.sizes[i], "fc" + std::to_string(i));
    if (i + 1 < workload.sizes.size()) x = relu(x);
  }
  return cross_entropy(x, labels);
}

}  // namespace

int main(int argc, char** argv) {
  const auto options = gradmill::bench::parse_step_options(argc, argv);
  const StepData data(options.workload);

  gradmill::Graph graph;
  const Value loss = build_loss(graph, options.workload);
  const Value images = graph.find("images");
  const Value labels = graph.find("labels");
  gradmill::Session session(
      graph, {.loss = loss, .optimizer = gradmill::AdamW{.lr = 1e-3}, .threads = options.threads});

  const std::string settings =
      std::string("{\"execution\": \"") + (session.serial() ? "serial" : "flow graph") +
      "\", \"plan_steps\": " + std::to_string(session.plan().steps.size()) + "}";
  gradmill::bench::measure_steps(
      "gradmill", options, settings,
      [&](int i) {
        session.run({{images, data.images[i]}, {labels, data.labels[i]}});
      },
      [&] { return session.fetch<float>(loss); });
}
