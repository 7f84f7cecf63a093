#include <iostream>
#include <memory>

#include <gradmill/graph/session.h>
#include <gradmill/runtime/tune.h>

#include "commands/commands.h"
#include "commands/optimizer.h"
#include "commands/save_path.h"
#include "data/image_dataset.h"
#include "models/mlp.h"
#include "workloads/workload.h"

namespace gradmill {
namespace {

class Tuner {
 public:
  explicit Tuner(const TuneCommandOptions& options) : options_(options) {}

  void add(const Graph& graph, SessionOptions session_options) {
    session_options.threads = 1;
    const Session session(graph, session_options);
    const Tuning found =
        tune(session.plan(), {.seconds = options_.seconds}, [](const TunedKernel& kernel) {
          std::cout << kernel.key << ": " << kernel.before_ms << " ms, " << kernel.before;
          if (kernel.after != kernel.before) {
            std::cout << "\n  -> " << kernel.after_ms << " ms, " << kernel.after;
          }
          std::cout << '\n' << std::flush;
        });
    for (const auto& [key, choice] : found.entries()) tuning_.set(key, choice);
  }

  void save() const { tuning_.save(options_.save); }

 private:
  const TuneCommandOptions& options_;
  Tuning tuning_;
};

}  // namespace

int tune(const TuneCommandOptions& options) {
  check_save_path(options.save);
  Tuner tuner(options);
  if (options.workloads.empty()) {
    constexpr std::int64_t kPixels = std::int64_t{28} * 28;
    const Mlp model(mlp_sizes(kPixels, options.model.hidden, ImageDataset::kClasses),
                    options.model.batch);
    tuner.add(model.graph, {.loss = model.loss, .optimizer = make_optimizer(options.optimizer)});
  }
  for (const std::string& name : options.workloads) {
    const auto workload = bench::make_workload(name, 1);
    tuner.add(workload->graph, workload->options);
  }
  tuner.save();
  return 0;
}

}  // namespace gradmill
