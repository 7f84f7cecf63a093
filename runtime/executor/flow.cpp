#include <gradmill/runtime/executor/flow.h>

#include <algorithm>
#include <cstddef>
#include <deque>

#include <tbb/flow_graph.h>

#include <gradmill/runtime/threads/workers.h>

namespace gradmill {
namespace {

using Message = tbb::flow::continue_msg;
using TaskNode = tbb::flow::continue_node<Message>;
// Runs on the thread that ends the last runner: a join is too small for a task of its own.
using JoinNode = tbb::flow::continue_node<Message, tbb::flow::lightweight>;

// What one task releases, once for every runner, in the order of its edges. Of all that it
// releases, a thread runs the last first, and others steal the first: so the most urgent are at
// both ends, the least urgent in the middle. Equals are shared out in halves, each in plan order:
// so the runners of one task start on several threads.
std::vector<int> in_order_of_release(std::vector<int> released,
                                     const std::vector<FlowTask>& tasks) {
  const auto task = [&](int index) -> const FlowTask& {
    return tasks[static_cast<std::size_t>(index)];
  };
  std::ranges::sort(released, [&](int a, int b) {
    return task(a).urgency != task(b).urgency ? task(a).urgency > task(b).urgency : a < b;
  });
  std::vector<int> stolen;
  std::vector<int> kept;
  std::vector<int> equals;
  for (std::size_t i = 0; i < released.size();) {
    equals.clear();
    for (const double urgency = task(released[i]).urgency;
         i < released.size() && task(released[i]).urgency == urgency; ++i) {
      equals.insert(equals.end(), static_cast<std::size_t>(task(released[i]).runners), released[i]);
    }
    const std::size_t more =
        kept.size() <= stolen.size() ? (equals.size() + 1) / 2 : equals.size() / 2;
    const auto middle = equals.begin() + static_cast<std::ptrdiff_t>(more);
    kept.insert(kept.end(), equals.begin(), middle);
    stolen.insert(stolen.end(), middle, equals.end());
  }
  stolen.insert(stolen.end(), kept.rbegin(), kept.rend());
  return stolen;
}

}  // namespace

struct Flow::Impl {
  explicit Impl(int threads) : workers(threads) {}

  void build(const std::vector<FlowTask>& tasks, FlowBody& body) {
    graph = std::make_unique<tbb::flow::graph>();
    start = std::make_unique<JoinNode>(*graph, [](const Message&) noexcept { return Message(); });
    std::vector<std::vector<int>> successors(tasks.size());
    std::vector<int> roots;
    std::vector<std::size_t> next_runner;
    // What a successor listens to: the task itself, or the join of its runners.
    std::vector<tbb::flow::sender<Message>*> ends;
    for (std::size_t index = 0; index < tasks.size(); ++index) {
      const FlowTask& task = tasks[index];
      const int id = task.task;
      JoinNode* join = nullptr;
      if (task.runners > 1) {
        join = &joins.emplace_back(*graph, [id, &body](const Message&) noexcept {
          body.finish(id);
          return Message();
        });
      }
      next_runner.push_back(nodes.size());
      for (int runner = 0; runner < task.runners; ++runner) {
        TaskNode& node = nodes.emplace_back(*graph, [id, &body](const Message&) noexcept {
          body.run(id, tbb::this_task_arena::current_thread_index());
          return Message();
        });
        if (join != nullptr) tbb::flow::make_edge(node, *join);
      }
      if (join != nullptr) {
        ends.push_back(join);
      } else {
        ends.push_back(&nodes.back());
      }
      if (task.predecessors.empty()) roots.push_back(static_cast<int>(index));
      for (const int p : task.predecessors) {
        successors[static_cast<std::size_t>(p)].push_back(static_cast<int>(index));
      }
    }

    const auto release = [&](tbb::flow::sender<Message>& from, const std::vector<int>& released) {
      for (const int index : in_order_of_release(released, tasks)) {
        std::size_t& runner = next_runner[static_cast<std::size_t>(index)];
        tbb::flow::make_edge(from, nodes[runner++]);
      }
      for (const int index : released) {
        next_runner[static_cast<std::size_t>(index)] -=
            static_cast<std::size_t>(tasks[static_cast<std::size_t>(index)].runners);
      }
    };
    release(*start, roots);
    for (std::size_t index = 0; index < tasks.size(); ++index) {
      release(*ends[index], successors[index]);
    }
  }

  Workers workers;
  std::unique_ptr<tbb::flow::graph> graph;
  std::unique_ptr<JoinNode> start;
  std::deque<TaskNode> nodes;
  std::deque<JoinNode> joins;
};

Flow::Flow(int threads, const std::vector<FlowTask>& tasks, FlowBody& body)
    : impl_(std::make_unique<Impl>(threads)) {
  // A flow graph belongs to the arena in which it is made.
  impl_->workers.execute([&] { impl_->build(tasks, body); });
}

Flow::~Flow() {
  impl_->workers.execute([&] {
    impl_->nodes.clear();
    impl_->joins.clear();
    impl_->start.reset();
    impl_->graph.reset();
  });
}

void Flow::run() {
  impl_->workers.execute([&] {
    impl_->start->try_put(Message());
    impl_->graph->wait_for_all();
  });
}

}  // namespace gradmill
