#pragma once

#include <deque>
#include <memory>

#include <gradmill/runtime/plan.h>
#include <tbb/flow_graph.h>
#include <tbb/task_arena.h>

namespace gradmill::bench {

/// A plan on nothing but oneTBB: one continue_node per step, with the plan's edges, whose body
/// calls the kernel. For kernels of one tile that need no buffers.
class BareFlow {
 public:
  BareFlow(const Plan& plan, int threads) : arena_(threads, 1) {
    // A flow graph belongs to the arena in which it is created.
    arena_.execute([&] {
      graph_ = std::make_unique<tbb::flow::graph>();
      start_ = std::make_unique<tbb::flow::broadcast_node<Message>>(*graph_);
      for (const PlanStep& step : plan.steps) {
        Node& node = nodes_.emplace_back(*graph_, [kernel = step.kernel.get()](const Message&) {
          kernel->run(0, 0, KernelRun(nullptr, nullptr, nullptr, nullptr, nullptr));
          return Message();
        });
        if (step.predecessors.empty()) tbb::flow::make_edge(*start_, node);
        for (const int p : step.predecessors) {
          tbb::flow::make_edge(nodes_[static_cast<std::size_t>(p)], node);
        }
      }
    });
  }
  ~BareFlow() {
    arena_.execute([&] {
      nodes_.clear();
      start_.reset();
      graph_.reset();
    });
  }
  BareFlow(const BareFlow&) = delete;
  BareFlow& operator=(const BareFlow&) = delete;

  void run() {
    arena_.execute([&] {
      start_->try_put(Message());
      graph_->wait_for_all();
    });
  }

 private:
  using Message = tbb::flow::continue_msg;
  using Node = tbb::flow::continue_node<Message>;

  tbb::task_arena arena_;
  std::unique_ptr<tbb::flow::graph> graph_;
  std::unique_ptr<tbb::flow::broadcast_node<Message>> start_;
  std::deque<Node> nodes_;
};

}  // namespace gradmill::bench
