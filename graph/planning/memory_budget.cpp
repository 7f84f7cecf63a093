#include <gradmill/graph/planning/memory_budget.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <gradmill/graph/passes/recompute.h>
#include <gradmill/graph/planning/lower.h>
#include <gradmill/graph/planning/place.h>
#include <gradmill/runtime/error.h>
#include <gradmill/runtime/log.h>

namespace gradmill {
namespace {

std::size_t at(int index) { return static_cast<std::size_t>(index); }

// Roughly, on one core: only ratios matter.
double seconds(const Node& node, const Nodes& nodes) {
  constexpr double kFlops = 50e9;
  constexpr double kBytes = 10e9;
  std::vector<Type> inputs;
  for (const Node::Edge& edge : node.inputs) {
    inputs.push_back(nodes[at(edge.node)].outputs[at(edge.output)]);
  }
  const Cost cost = node.op->cost(inputs, node.outputs);
  return cost.flops / kFlops + cost.bytes / kBytes;
}

// Nodes that are alike: the same layer of every block, say.
struct Group {
  std::vector<int> nodes;
  double seconds = 0;  // of all
};

class Search {
 public:
  Search(Graph& graph, Ends& ends, const Parameters& parameters, PreparedKernels& kernels,
         bool check_finite, std::size_t budget, int threads)
      : graph_(graph),
        ends_(ends),
        parameters_(parameters),
        kernels_(kernels),
        check_finite_(check_finite),
        budget_(budget),
        threads_(threads),
        again_(graph.nodes().size(), false) {
    find_groups();
  }

  GraphPlan run() {
    attempt(again_);
    const std::size_t without = best_->bytes.total();
    std::vector<Group> taken;
    while (best_->bytes.total() > budget_ && !groups_.empty()) {
      Group group = take_best();
      if (group.nodes.empty()) break;
      std::vector<bool> more = again_;
      for (const int node : group.nodes) more[at(node)] = true;
      if (!attempt(more)) continue;
      again_ = std::move(more);
      taken.push_back(std::move(group));
    }
    check(best_->bytes.total() <= budget_, "memory budget: ", budget_,
          " bytes are not enough: the smallest plan found takes ", best_->bytes.total(), " (",
          best_->bytes.variables, " of them for parameters and optimizer state), and ", without,
          " without computing anything twice");
    std::ranges::sort(taken, std::greater<>(), &Group::seconds);
    for (const Group& group : taken) give_back(group);
    report(without);
    if (best_->graph != nullptr) graph_.reset(best_->graph->release());
    ends_ = std::move(best_->ends);
    for (auto* values : {&ends_.roots, &ends_.inputs}) {
      for (Value& value : *values) {
        if (value) value = {&graph_, value.node(), value.output()};
      }
    }
    return std::move(best_->planned);
  }

 private:
  struct Attempt {
    std::unique_ptr<Graph> graph;  // null: the one that was given
    Ends ends;
    GraphPlan planned;
    PlannedBytes bytes;
  };

  void find_groups() {
    const std::vector<bool> possible = recomputable(graph_);
    std::map<std::string, Group> groups;
    for (int i = 0; i < static_cast<int>(possible.size()); ++i) {
      if (!possible[at(i)]) continue;
      const Node& node = graph_.nodes()[at(i)];
      const double cost = seconds(node, graph_.nodes());
      const std::string key = cat(node.op->name(), ' ', node.outputs[0], ' ', cost);
      Group& group = groups[key];
      group.nodes.push_back(i);
      group.seconds += cost;
    }
    for (auto& [key, group] : groups) groups_.push_back(std::move(group));
  }

  // The group that saves most bytes for its time; one without nodes when none saves anything.
  Group take_best() {
    const double kept = kept_bytes(graph_, again_);
    std::size_t best = groups_.size();
    double largest = 0;
    for (std::size_t i = 0; i < groups_.size(); ++i) {
      std::vector<bool> more = again_;
      for (const int node : groups_[i].nodes) more[at(node)] = true;
      const double gain = (kept - kept_bytes(graph_, more)) / groups_[i].seconds;
      if (gain <= largest) continue;
      largest = gain;
      best = i;
    }
    if (best == groups_.size()) return {};
    Group group = std::move(groups_[best]);
    groups_.erase(groups_.begin() + static_cast<std::ptrdiff_t>(best));
    return group;
  }

  // Plans with these nodes computed twice; keeps the plan, and says so, when it is smaller.
  bool attempt(const std::vector<bool>& again) {
    Attempt found = planned(again);
    if (best_ && found.bytes.total() >= best_->bytes.total()) return false;
    best_ = std::move(found);
    return true;
  }

  Attempt planned(const std::vector<bool>& again) {
    Attempt result{.graph = nullptr, .ends = ends_, .planned = {}, .bytes = {}};
    const auto place_in = [&](Lowered lowered, std::size_t arena_budget) {
      result.planned = place(std::move(lowered), arena_budget);
      result.bytes = planned_bytes(result.planned.plan, threads_);
    };
    std::vector<int> origins;
    if (std::ranges::find(again, true) != again.end()) {
      result.graph = std::make_unique<Graph>();
      result.graph->reset(graph_.nodes());
      origins = recompute(*result.graph, result.ends, again);
    }
    Lowered lowered = lower(result.graph ? *result.graph : graph_, result.ends, parameters_,
                            kernels_, check_finite_, origins);
    if (arena_budget_ == 0) {
      place_in(lowered, 0);
      const std::size_t rest = result.bytes.total() - result.bytes.arena;
      arena_budget_ = budget_ > rest ? budget_ - rest : 1;
      if (result.bytes.total() > budget_) return result;
      // Looser orders than the tightest may fit as well.
    }
    place_in(std::move(lowered), arena_budget_);
    return result;
  }

  // As many nodes of a group as the budget has room for are computed once after all.
  void give_back(const Group& group) {
    std::size_t needed = group.nodes.size();
    std::size_t least = 0;
    while (least < needed) {
      const std::size_t half = (least + needed) / 2;
      std::vector<bool> fewer = again_;
      for (std::size_t i = half; i < group.nodes.size(); ++i) fewer[at(group.nodes[i])] = false;
      Attempt found = planned(fewer);
      if (found.bytes.total() > budget_) {
        least = half + 1;
        continue;
      }
      needed = half;
      best_ = std::move(found);
    }
    for (std::size_t i = needed; i < group.nodes.size(); ++i) again_[at(group.nodes[i])] = false;
  }

  void report(std::size_t without) const {
    if (!log_enabled(LogLevel::info)) return;
    int count = 0;
    double extra = 0;
    double all = 0;
    for (int i = 0; i < static_cast<int>(again_.size()); ++i) {
      const Node& node = graph_.nodes()[at(i)];
      if (node.kind != NodeKind::op) continue;
      const double cost = seconds(node, graph_.nodes());
      all += cost;
      if (!again_[at(i)]) continue;
      ++count;
      extra += cost;
      log(LogLevel::debug,
          cat("memory budget: ", node.op->name(), " '", node.name, "' is computed a second time"));
    }
    log(LogLevel::info,
        cat("memory budget: ", best_->bytes.total(), " of ", budget_, " bytes, where ", without,
            " were needed; ", count, " nodes are computed a second time, about ", 100 * extra / all,
            " % more work"));
  }

  Graph& graph_;
  Ends& ends_;
  const Parameters& parameters_;
  PreparedKernels& kernels_;
  bool check_finite_;
  std::size_t budget_;
  int threads_;
  std::size_t arena_budget_ = 0;  // until the first attempt tells what the rest takes
  std::vector<bool> again_;
  std::vector<Group> groups_;
  std::optional<Attempt> best_;
};

}  // namespace

PlannedBytes planned_bytes(const Plan& plan, int threads) {
  return {.variables = bytes_in(plan, Place::variable),
          .arena = plan.arena_bytes,
          .scratch = plan.scratch_bytes * static_cast<std::size_t>(threads)};
}

GraphPlan place_within(Graph& graph, Ends& ends, const Parameters& parameters,
                       PreparedKernels& kernels, bool check_finite, std::size_t budget,
                       int threads) {
  return Search(graph, ends, parameters, kernels, check_finite, budget, threads).run();
}

}  // namespace gradmill
