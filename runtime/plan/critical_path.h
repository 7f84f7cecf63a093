#pragma once

// The longest way through steps that wait for each other, whatever a step's weight is: seconds,
// FLOPs or one. A step is anything that lists its `predecessors`, each before it.

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

namespace gradmill {

/// A chain of steps, each of which waits for the one before it.
struct CriticalPath {
  double length = 0;       ///< the weights of its steps together
  std::vector<int> steps;  ///< in the order in which they run
};

/// The chain of the largest weight. Among equal ones that which ends first, and from there back the
/// predecessor that is listed first.
template <class Step>
CriticalPath critical_path(const std::vector<Step>& steps, std::span<const double> weights) {
  const auto at = [](int index) { return static_cast<std::size_t>(index); };
  std::vector<double> length(steps.size());  // of the longest chain that ends with the step
  std::vector<int> before(steps.size(), -1);
  int last = -1;
  for (int i = 0; i < static_cast<int>(steps.size()); ++i) {
    for (const int p : steps[at(i)].predecessors) {
      if (before[at(i)] < 0 || length[at(p)] > length[at(before[at(i)])]) before[at(i)] = p;
    }
    length[at(i)] = weights[at(i)] + (before[at(i)] < 0 ? 0 : length[at(before[at(i)])]);
    if (last < 0 || length[at(i)] > length[at(last)]) last = i;
  }
  CriticalPath path;
  if (last >= 0) path.length = length[at(last)];
  for (int i = last; i >= 0; i = before[at(i)]) path.steps.push_back(i);
  std::ranges::reverse(path.steps);
  return path;
}

/// For each step, the weight of the largest chain that starts with it.
template <class Step>
std::vector<double> lengths_to_end(const std::vector<Step>& steps,
                                   std::span<const double> weights) {
  std::vector<double> lengths(steps.size());
  for (std::size_t i = steps.size(); i-- > 0;) {
    lengths[i] += weights[i];  // so far what follows it
    for (const int p : steps[i].predecessors) {
      double& after = lengths[static_cast<std::size_t>(p)];
      after = std::max(after, lengths[i]);
    }
  }
  return lengths;
}

}  // namespace gradmill
