#include <array>
#include <iostream>
#include <string>
#include <utility>

#include <gradmill/graph/session.h>
#include <gradmill/runtime/error.h>
#include <gradmill/runtime/plan_text.h>
#include <gradmill/runtime/profile.h>

#include "commands/commands.h"
#include "commands/profiled_model.h"
#include "commands/save_path.h"
#include "commands/tuning_file.h"
#include "commands/write_text.h"

namespace gradmill {
namespace {

constexpr int kWarmSteps = 3;
constexpr int kTimedSteps = 20;

PlanPicture measured_picture(ProfiledModel& model, Session& session) {
  for (int i = 0; i < kWarmSteps; ++i) session.run(model.feeds(0));
  session.start_trace();
  for (int i = 0; i < kTimedSteps; ++i) session.run(model.feeds(0));
  const Profile profile = make_profile(session.stop_trace(), {.workers = {}});
  PlanPicture picture;
  for (const NodeProfile& node : profile.nodes) picture.step_ms.push_back(node.self_ms);
  for (const PathStep& step : profile.path) picture.critical.push_back(step.step);
  return picture;
}

}  // namespace

int plan(const PlanOptions& options) {
  const bool timed = options.color == "time";
  check(!timed || !options.dot.empty(), "--color time needs --dot");
  const std::array<std::pair<const char*, std::string>, 2> outputs = {
      {{"--dot", options.dot}, {"--json", options.json}}};
  check_different_files(outputs);
  ProfiledModel model(options.model, options.optimizer, "");
  SessionOptions session_options = model.options();
  session_options.tuning = load_tuning(options.tuning);
  Session session(model.graph(), session_options);
  if (!options.dot.empty()) {
    write_text("--dot", options.dot,
               plan_dot(session.plan(), timed ? measured_picture(model, session) : PlanPicture{}));
  }
  if (!options.json.empty()) write_text("--json", options.json, plan_json(session.plan()));
  std::cout << plan_text(session.plan());
  return 0;
}

}  // namespace gradmill
