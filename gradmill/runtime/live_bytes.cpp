#include <gradmill/runtime/live_bytes.h>

#include <utility>

namespace gradmill {

LiveBytes::LiveBytes(const Plan& plan)
    : plan_(plan), uses_(plan.buffers.size(), 0), alive_(plan.buffers.size(), false) {
  std::vector<std::pair<int, int>> touched;
  std::vector<int> last(plan.buffers.size(), -1);
  for (int step = 0; step < static_cast<int>(plan.steps.size()); ++step) {
    const PlanStep& planned = plan.steps[static_cast<std::size_t>(step)];
    for (const auto* list : {&planned.inputs, &planned.writes}) {
      for (const int buffer : *list) {
        const auto index = static_cast<std::size_t>(buffer);
        if (plan.buffers[index].place != Place::arena) continue;
        if (std::exchange(last[index], step) == step) continue;
        touched.emplace_back(step, buffer);
        ++uses_[index];
      }
    }
  }
  touched_ = Lists(touched, plan.steps.size());
  reset();
}

void LiveBytes::reset() {
  left_ = uses_;
  alive_.assign(alive_.size(), false);
  bytes_ = 0;
}

void LiveBytes::begin(int step) {
  for (const int buffer : touched_[step]) {
    const auto index = static_cast<std::size_t>(buffer);
    if (alive_[index]) continue;
    alive_[index] = true;
    bytes_ += plan_.buffers[index].bytes;
  }
}

void LiveBytes::end(int step) {
  for (const int buffer : touched_[step]) {
    const auto index = static_cast<std::size_t>(buffer);
    if (--left_[index] > 0 || plan_.buffers[index].keep) continue;
    alive_[index] = false;
    bytes_ -= plan_.buffers[index].bytes;
  }
}

}  // namespace gradmill
