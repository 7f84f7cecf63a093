#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <gradmill/graph/graph.h>

namespace gradmill {

/// The inputs of a session's graph, and which of them a run has been fed.
class FedInputs {
 public:
  explicit FedInputs(const Graph& graph);

  /// The inputs as values of a copy of the graph, in their order.
  std::vector<Value> in(Graph& copy) const;
  /// One per input: its buffer in the plan, or -1 when no step reads it.
  void set_buffers(const std::vector<int>& buffers);

  void start_run() { ++runs_; }
  /// Notes that the run has been fed an input, and returns its buffer. Throws Error when it is no
  /// input of the graph, was fed already, or the memory does not fit; a `count` below 0 is unknown.
  int feed(const Value& value, DType dtype, const void* data, std::int64_t count);
  /// Throws Error when an input that some step reads was not fed in this run.
  void check_complete() const;

 private:
  struct Input {
    int node;
    std::string name;
    Type type;
    int buffer = -1;
    std::uint64_t fed_in = 0;  // the last run that fed it
  };

  const Graph* graph_;  // an identity to compare with; never followed after construction
  std::vector<Input> inputs_;
  std::vector<int> input_of_;  // one per node of the graph: index into inputs_, or -1
  std::uint64_t runs_ = 0;
};

}  // namespace gradmill
