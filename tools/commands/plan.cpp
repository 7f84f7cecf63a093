#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>

#include <gradmill/graph/dump.h>
#include <gradmill/graph/session.h>
#include <gradmill/runtime/error.h>

#include "commands/commands.h"
#include "commands/optimizer.h"
#include "commands/tuning_file.h"
#include "data/image_dataset.h"
#include "models/mlp.h"

namespace gradmill {
namespace {

void write_text(const char* option, const std::string& path, const std::string& text) {
  errno = 0;
  std::ofstream out(path);
  check(out.is_open(), option, " ", path, ": cannot be written: ", std::strerror(errno));
  out << text << std::flush;
  if (!out) throw Failure(cat(option, " ", path, ": ", std::strerror(errno)));
}

}  // namespace

int plan(const PlanOptions& options) {
  constexpr std::int64_t kPixels = std::int64_t{28} * 28;
  const Mlp model(mlp_sizes(kPixels, options.model.hidden, ImageDataset::kClasses),
                  options.model.batch);
  const Session session(model.graph, {.loss = model.loss,
                                      .optimizer = make_optimizer(options.optimizer),
                                      .tuning = load_tuning(options.tuning)});
  if (!options.dot.empty()) write_text("--dot", options.dot, plan_dot(session.plan()));
  if (!options.json.empty()) write_text("--json", options.json, plan_json(session.plan()));
  std::cout << plan_text(session.plan());
  return 0;
}

}  // namespace gradmill
