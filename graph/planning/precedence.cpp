#include <gradmill/graph/planning/precedence.h>

#include <algorithm>
#include <limits>

namespace gradmill {

Precedence::Precedence(const std::vector<PlanStep>& steps) : Precedence(steps.size()) {
  for (std::size_t b = 0; b < steps.size(); ++b) {
    for (const int p : steps[b].predecessors) add(p, static_cast<int>(b));
  }
  find_spine(steps);
}

Precedence::Precedence(std::size_t steps)
    : words_(std::min<std::size_t>((steps + 63) / 64, kWindow / 64)), rows_(words_ * steps, 0) {}

void Precedence::add(int a, int b) {
  // Steps before `a` have smaller numbers, and so do not reach past its word.
  const std::size_t last = static_cast<std::size_t>(a) / 64;
  const std::size_t from = first_word(a);
  const std::size_t to = first_word(b);
  if (last < to) return;  // too far apart for the band
  const std::uint64_t* source = rows_.data() + static_cast<std::size_t>(a) * words_;
  std::uint64_t* row = rows_.data() + static_cast<std::size_t>(b) * words_;
  for (std::size_t word = std::max(from, to); word <= last; ++word) {
    row[word - to] |= source[word - from];
  }
  row[last - to] |= std::uint64_t{1} << (static_cast<unsigned>(a) % 64);
}

void Precedence::find_spine(const std::vector<PlanStep>& steps) {
  if (steps.size() <= kWindow) return;
  const auto at = [](int step) { return static_cast<std::size_t>(step); };
  const int count = static_cast<int>(steps.size());
  std::vector<int> depths(steps.size(), 0);
  std::vector<int> deepest(steps.size(), -1);  // predecessor
  int end = 0;
  for (int i = 0; i < count; ++i) {
    for (const int p : steps[at(i)].predecessors) {
      if (depths[at(p)] + 1 <= depths[at(i)]) continue;
      depths[at(i)] = depths[at(p)] + 1;
      deepest[at(i)] = p;
    }
    if (depths[at(i)] > depths[at(end)]) end = i;
  }
  std::vector<int> places(steps.size(), -1);  // on the longest path
  for (int i = end; i >= 0; i = deepest[at(i)]) places[at(i)] = depths[at(i)];

  leaves_.assign(steps.size(), -1);
  enters_.assign(steps.size(), std::numeric_limits<int>::max());
  for (int i = 0; i < count; ++i) {
    for (const int p : steps[at(i)].predecessors) {
      leaves_[at(i)] = std::max(leaves_[at(i)], leaves_[at(p)]);
    }
    if (places[at(i)] >= 0) leaves_[at(i)] = places[at(i)];
  }
  for (int i = count - 1; i >= 0; --i) {
    if (places[at(i)] >= 0) enters_[at(i)] = places[at(i)];
    for (const int p : steps[at(i)].predecessors) {
      enters_[at(p)] = std::min(enters_[at(p)], enters_[at(i)]);
    }
  }
}

bool Precedence::far_before(int a, int b) const {
  return !enters_.empty() &&
         enters_[static_cast<std::size_t>(a)] <= leaves_[static_cast<std::size_t>(b)];
}

}  // namespace gradmill
