#include <gradmill/runtime/flow.h>

#include <deque>

#include <tbb/flow_graph.h>

#include <gradmill/runtime/workers.h>

namespace gradmill {
namespace {

using Message = tbb::flow::continue_msg;
using TaskNode = tbb::flow::continue_node<Message>;
// Runs on the thread that ends the last runner: a join is too small for a task of its own.
using JoinNode = tbb::flow::continue_node<Message, tbb::flow::lightweight>;

}  // namespace

struct Flow::Impl {
  explicit Impl(int threads) : workers(threads) {}

  void build(const std::vector<FlowTask>& tasks, FlowBody& body) {
    graph = std::make_unique<tbb::flow::graph>();
    start = std::make_unique<JoinNode>(*graph, [](const Message&) noexcept { return Message(); });
    // What a successor listens to: the task itself, or the join of its runners.
    std::vector<tbb::flow::sender<Message>*> ends;
    ends.reserve(tasks.size());
    for (int index = 0; index < static_cast<int>(tasks.size()); ++index) {
      const FlowTask& task = tasks[static_cast<std::size_t>(index)];
      JoinNode* join = nullptr;
      if (task.runners > 1) {
        join = &joins.emplace_back(*graph, [index, &body](const Message&) noexcept {
          body.finish(index);
          return Message();
        });
      }
      for (int runner = 0; runner < task.runners; ++runner) {
        TaskNode& node = nodes.emplace_back(*graph, [index, &body](const Message&) noexcept {
          body.run(index, tbb::this_task_arena::current_thread_index());
          return Message();
        });
        if (task.predecessors.empty()) tbb::flow::make_edge(*start, node);
        for (const int predecessor : task.predecessors) {
          tbb::flow::make_edge(*ends[static_cast<std::size_t>(predecessor)], node);
        }
        if (join != nullptr) tbb::flow::make_edge(node, *join);
      }
      if (join != nullptr) {
        ends.push_back(join);
      } else {
        ends.push_back(&nodes.back());
      }
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
