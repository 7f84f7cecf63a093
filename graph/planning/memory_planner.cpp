#include <gradmill/graph/planning/memory_planner.h>

#include <algorithm>
#include <iterator>
#include <limits>
#include <span>
#include <utility>
#include <vector>

#include <gradmill/runtime/support/alignment.h>
#include <gradmill/runtime/support/buffer_uses.h>
#include <gradmill/runtime/support/lists.h>

namespace gradmill {
namespace {

// The steps that touch a buffer, in plan order. The first writes it, and precedes the others.
Lists uses_of(const Plan& plan) {
  std::vector<std::pair<int, int>> uses;
  for_each_use(plan, [&](int step, int buffer) { uses.emplace_back(buffer, step); });
  return {uses, plan.buffers.size()};
}

// When a buffer is in use.
struct Life {
  int buffer;
  int first;  // the step that writes it
  int after;  // no step before this one follows all uses
};

constexpr int kNever = std::numeric_limits<int>::max();

// One per step: the first step that follows it.
std::vector<int> followers_of(const Plan& plan) {
  std::vector<int> followers(plan.steps.size(), kNever);
  for (int index = static_cast<int>(plan.steps.size()) - 1; index >= 0; --index) {
    for (const int p : plan.steps[static_cast<std::size_t>(index)].predecessors) {
      followers[static_cast<std::size_t>(p)] = index;
    }
  }
  return followers;
}

// A range of bytes that buffers have in turn. All lanes are looked through for every buffer, so
// that what is mostly looked at lies together.
struct Lane {
  std::size_t offset;
  std::size_t end;
  Life latest;  // the last of its lives
  int lives;    // where the others are
};

class Planner {
 public:
  Planner(Plan& plan, const Precedence& precedence)
      : plan_(plan),
        precedence_(precedence),
        uses_(uses_of(plan)),
        followers_(followers_of(plan)) {}

  void run() {
    std::vector<int> order;
    for (int i = 0; i < static_cast<int>(plan_.buffers.size()); ++i) {
      if (buffer(i).place == Place::arena) order.push_back(i);
    }
    std::ranges::stable_sort(order,
                             [&](int a, int b) { return buffer(a).bytes > buffer(b).bytes; });
    largest_ = order.empty() ? 0 : align_up(buffer(order.front()).bytes);
    plan_.arena_bytes = 0;
    for (const int index : order) place(index);
  }

 private:
  PlanBuffer& buffer(int index) { return plan_.buffers[static_cast<std::size_t>(index)]; }
  std::span<const int> uses(int index) const { return uses_[index]; }

  void place(int index) {
    const std::size_t size = align_up(buffer(index).bytes);
    std::size_t offset = 0;
    if (!uses(index).empty()) {  // what nobody uses may lie anywhere
      Life life{index, uses(index).front(), buffer(index).keep ? kNever : 0};
      for (const int use : uses(index)) {
        life.after = std::max(life.after, followers_[static_cast<std::size_t>(use)]);
      }
      offset = lowest_gap(life, size);
      add(life, offset, offset + size);
    }
    buffer(index).offset = offset;
    plan_.arena_bytes = std::max(plan_.arena_bytes, offset + size);
  }

  std::size_t lowest_gap(const Life& life, std::size_t size) const {
    std::size_t offset = 0;
    std::size_t begin = 0;
    if (lanes_.size() > kMaxLanes) {
      begin = lanes_.size() - kMaxLanes;
      offset = lanes_[begin].offset + largest_;
    }
    for (std::size_t i = begin; i < lanes_.size(); ++i) {
      const Lane& lane = lanes_[i];
      if (lane.end <= offset) continue;
      if (offset + size <= lane.offset) break;
      if (!has_room(lane, life)) offset = lane.end;
    }
    return offset;
  }

  bool has_room(const Lane& lane, const Life& life) const {
    if (lane.latest.first <= life.first) return done_before(lane.latest, life);
    const std::vector<Life>& lives = lives_[static_cast<std::size_t>(lane.lives)];
    const auto next = std::ranges::upper_bound(lives, life.first, {}, &Life::first);
    return (next == lives.begin() || done_before(*std::prev(next), life)) &&
           (next == lives.end() || done_before(life, *next));
  }

  // Whether `a` is done with for good before `b` starts.
  bool done_before(const Life& a, const Life& b) const {
    if (a.after > b.first) return false;
    const std::span<const int> steps = uses(a.buffer);
    return std::all_of(steps.rbegin(), steps.rend(),
                       [&](int use) { return precedence_.before(use, b.first); });
  }

  void add(const Life& life, std::size_t offset, std::size_t end) {
    const auto place =
        std::ranges::lower_bound(lanes_, std::pair(offset, end), {},
                                 [](const Lane& lane) { return std::pair(lane.offset, lane.end); });
    if (place != lanes_.end() && place->offset == offset && place->end == end) {
      std::vector<Life>& lives = lives_[static_cast<std::size_t>(place->lives)];
      lives.insert(std::ranges::upper_bound(lives, life.first, {}, &Life::first), life);
      place->latest = lives.back();
      return;
    }
    lanes_.insert(place, {offset, end, life, static_cast<int>(lives_.size())});
    lives_.push_back({life});
  }

  // Of more lanes than these only the last are searched, so that no plan takes quadratic time.
  static constexpr std::size_t kMaxLanes = 512;

  Plan& plan_;
  const Precedence& precedence_;
  Lists uses_;
  std::vector<int> followers_;
  std::vector<Lane> lanes_;               // by offset
  std::vector<std::vector<Life>> lives_;  // of one lane each; each done with before the next starts
  std::size_t largest_ = 0;
};

}  // namespace

void plan_memory(Plan& plan, const Precedence& precedence) { Planner(plan, precedence).run(); }

}  // namespace gradmill
