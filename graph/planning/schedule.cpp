#include <gradmill/graph/planning/schedule.h>

#include <algorithm>
#include <queue>
#include <utility>

#include <gradmill/runtime/error.h>
#include <gradmill/runtime/support/lists.h>

namespace gradmill {

Precedence derive_predecessors(Plan& plan) {
  struct Uses {
    int writer = -1;
    ShortList<int, 4> readers;  // since the last write
  };
  std::vector<Uses> uses(plan.buffers.size());
  std::vector<int> fallible;  // those that no other fallible step follows
  std::vector<int> candidates;
  Precedence precedence(plan.steps.size());
  for (int index = 0; index < static_cast<int>(plan.steps.size()); ++index) {
    PlanStep& step = plan.steps[static_cast<std::size_t>(index)];
    candidates.clear();
    const auto writes = [&](int buffer) {
      return std::ranges::find(step.writes, buffer) != step.writes.end();
    };
    const auto follow = [&](int before) {
      if (before >= 0) candidates.push_back(before);
    };
    for (const int buffer : step.inputs) {
      Uses& use = uses[static_cast<std::size_t>(buffer)];
      follow(use.writer);
      if (!writes(buffer)) use.readers.push_back(index);
    }
    bool updates = false;
    for (const int buffer : step.writes) {
      Uses& use = uses[static_cast<std::size_t>(buffer)];
      follow(use.writer);
      for (const int reader : use.readers) follow(reader);
      use.writer = index;
      use.readers.clear();
      updates = updates || plan.buffers[static_cast<std::size_t>(buffer)].place == Place::variable;
    }
    if (updates) candidates.insert(candidates.end(), fallible.begin(), fallible.end());

    std::ranges::sort(candidates, std::greater<>());
    step.predecessors.clear();
    for (const int candidate : candidates) {
      if (candidate == index || precedence.before(candidate, index)) continue;
      precedence.add(candidate, index);
      step.predecessors.push_back(candidate);
    }
    std::ranges::reverse(step.predecessors);
    if (step.fallible) {
      std::erase_if(fallible, [&](int earlier) { return precedence.before(earlier, index); });
      fallible.push_back(index);
    }
  }
  precedence.find_spine(plan.steps);
  return precedence;
}

namespace {

// One per node: the node whose bytes its value is, seen through ops that only rename.
std::vector<int> owners_of(const Nodes& nodes) {
  std::vector<int> owners(nodes.size());
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const int input = nodes[i].op != nullptr ? nodes[i].op->aliases() : -1;
    owners[i] = input < 0 ? static_cast<int>(i)
                          : owners[static_cast<std::size_t>(
                                nodes[i].inputs[static_cast<std::size_t>(input)].node)];
  }
  return owners;
}

// One per node: whether an update writes it.
std::vector<bool> updated_in(const Nodes& nodes) {
  std::vector<bool> updated(nodes.size(), false);
  for (const Node& node : nodes) {
    if (!node.updates) continue;
    for (const int input : node.op->mutates()) {
      updated[static_cast<std::size_t>(node.inputs[static_cast<std::size_t>(input)].node)] = true;
    }
  }
  return updated;
}

}  // namespace

std::vector<int> execution_order(const Nodes& nodes, bool all_fallible) {
  const std::size_t count = nodes.size();
  // The last stands between what may fail and the updates.
  const int gate = static_cast<int>(count);
  std::vector<std::pair<int, int>> edges;
  edges.reserve(2 * count);
  std::vector<int> waiting(count + 1, 0);
  const auto order = [&](int before, int after) {
    edges.emplace_back(before, after);
    ++waiting[static_cast<std::size_t>(after)];
  };
  const std::vector<int> owners = owners_of(nodes);
  const std::vector<bool> updated = updated_in(nodes);
  std::vector<std::pair<int, int>> reads;  // of the bytes of what is updated
  for (int i = 0; i < static_cast<int>(count); ++i) {
    const Node& node = nodes[static_cast<std::size_t>(i)];
    for (const Node::Edge& edge : node.inputs) {
      order(edge.node, i);
      const int owner = owners[static_cast<std::size_t>(edge.node)];
      if (updated[static_cast<std::size_t>(owner)] && !node.updates) reads.emplace_back(owner, i);
    }
    if (node.op != nullptr && !node.updates && (all_fallible || node.op->fallible())) {
      order(i, gate);
    }
  }
  const Lists readers(reads, count);
  for (int i = 0; i < static_cast<int>(count); ++i) {
    const Node& node = nodes[static_cast<std::size_t>(i)];
    if (!node.updates) continue;
    for (const int input : node.op->mutates()) {
      const int variable = node.inputs[static_cast<std::size_t>(input)].node;
      for (const int reader : readers[variable]) order(reader, i);
    }
    if (waiting[count] > 0) order(gate, i);
  }

  const Lists successors(edges, count + 1);

  // Sources cost nothing and go first; then updates, which read their gradients while still in
  // cache.
  const auto rank = [&](int index) {
    const Node& node = nodes[static_cast<std::size_t>(index)];
    return node.kind != NodeKind::op ? 0 : node.updates ? 1 : 2;
  };
  using Ranked = std::pair<int, int>;
  std::priority_queue<Ranked, std::vector<Ranked>, std::greater<>> ready;
  for (int i = 0; i < static_cast<int>(count); ++i) {
    if (waiting[static_cast<std::size_t>(i)] == 0) ready.emplace(rank(i), i);
  }
  std::vector<int> result;
  result.reserve(count);
  const auto release = [&](int successor) {
    if (--waiting[static_cast<std::size_t>(successor)] == 0) {
      ready.emplace(rank(successor), successor);
    }
  };
  while (!ready.empty()) {
    const int index = ready.top().second;
    ready.pop();
    result.push_back(index);
    for (const int successor : successors[index]) {
      if (successor != gate) {
        release(successor);
      } else if (--waiting[count] == 0) {
        std::ranges::for_each(successors[gate], release);
      }
    }
  }
  check(result.size() == count,
        "the graph has a cycle: an update must follow what reads the "
        "updated value, which in turn needs the update");
  return result;
}

}  // namespace gradmill
