#pragma once

#include <string>
#include <vector>

namespace gradmill::bench {

/// One measured value of something that is not a training step.
struct Figure {
  std::string name;    ///< "grid, flow graph vs bare tbb::flow"
  double value;        ///< 1.04
  std::string unit;    ///< "x"
  std::string target;  ///< "<= 1.1"; empty for none
};

/// The executor alone, on plans of 10,000 nodes.
std::vector<Figure> measure_executor(int threads);

/// From a graph to its plan.
std::vector<Figure> measure_compile();

}  // namespace gradmill::bench
