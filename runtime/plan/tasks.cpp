#include <gradmill/runtime/plan/tasks.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include <gradmill/runtime/plan/critical_path.h>
#include <gradmill/runtime/plan/step_cost.h>

namespace gradmill {
namespace {

// Steps are gathered in one task up to this time: a few times what its dispatch takes.
constexpr double kSmallTaskSeconds = 3e-6;

void find_urgency(std::vector<Task>& tasks, const std::vector<double>& seconds) {
  std::vector<double> weights;
  weights.reserve(tasks.size());
  for (std::size_t i = 0; i < tasks.size(); ++i) weights.push_back(seconds[i] / tasks[i].runners);
  const std::vector<double> urgency = lengths_to_end(tasks, weights);
  for (std::size_t i = 0; i < tasks.size(); ++i) tasks[i].urgency = urgency[i];
}

}  // namespace

std::vector<Task> make_tasks(const Plan& plan, int threads) {
  const std::size_t count = plan.steps.size();
  std::vector<int> successors(count, 0);
  for (const PlanStep& step : plan.steps) {
    for (const int p : step.predecessors) ++successors[static_cast<std::size_t>(p)];
  }
  std::vector<Task> tasks;
  std::vector<int> task_of(count);
  std::vector<double> seconds;  // one per task
  int small = -1;               // the newest task of small steps
  std::vector<int> before;
  for (std::size_t i = 0; i < count; ++i) {
    const PlanStep& step = plan.steps[i];
    const int runners = useful_runners(step, threads);
    before.clear();
    for (const int p : step.predecessors) before.push_back(task_of[static_cast<std::size_t>(p)]);
    std::ranges::sort(before);
    before.erase(std::unique(before.begin(), before.end()), before.end());

    const double cost = estimated_seconds(step);
    const auto joins = [&](int task) {
      const auto at = static_cast<std::size_t>(task);
      // A chain has nothing to run in parallel: its steps save each other's dispatch.
      if (before.size() == 1 && before[0] == task && step.predecessors.size() == 1 &&
          tasks[at].runners == 1 && tasks[at].steps.back() == step.predecessors[0] &&
          successors[static_cast<std::size_t>(step.predecessors[0])] == 1) {
        return true;
      }
      return cost > 0 && seconds[at] > 0 && seconds[at] + cost <= kSmallTaskSeconds &&
             std::ranges::all_of(before, [&](int p) {
               return p == task || std::ranges::binary_search(tasks[at].predecessors, p);
             });
    };
    int task = -1;
    if (runners == 1) {
      if (!before.empty() && joins(before.back())) {
        task = before.back();
      } else if (small >= 0 && joins(small)) {
        task = small;
      }
    }
    if (task < 0) {
      task = static_cast<int>(tasks.size());
      tasks.push_back({{}, runners, before, 0});
      seconds.push_back(0);
      if (cost > 0 && cost <= kSmallTaskSeconds) small = task;
    }
    tasks[static_cast<std::size_t>(task)].steps.push_back(static_cast<int>(i));
    seconds[static_cast<std::size_t>(task)] += cost;
    task_of[i] = task;
  }
  find_urgency(tasks, seconds);
  return tasks;
}

std::vector<Task> tasks_in_plan_order(const Plan& plan) {
  Task all;
  all.steps.resize(plan.steps.size());
  std::iota(all.steps.begin(), all.steps.end(), 0);
  std::vector<Task> tasks;
  tasks.push_back(std::move(all));
  return tasks;
}

}  // namespace gradmill
