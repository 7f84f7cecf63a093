#include <gradmill/runtime/trace/live_bytes.h>

#include <utility>

#include <gradmill/runtime/support/buffer_uses.h>

namespace gradmill {

LiveBytes::LiveBytes(const Plan& plan)
    : plan_(plan), uses_(plan.buffers.size(), 0), alive_(plan.buffers.size(), false) {
  std::vector<std::pair<int, int>> touched;
  for_each_use(plan, [&](int step, int buffer) {
    const auto index = static_cast<std::size_t>(buffer);
    if (plan.buffers[index].place != Place::arena) return;
    touched.emplace_back(step, buffer);
    ++uses_[index];
  });
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
