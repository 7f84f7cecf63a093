#include "step_progress.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "terminal.h"

namespace gradmill {
namespace {

double rate(const StepCount& count, double seconds) {
  const auto tokens = static_cast<double>((count.done - count.first) * count.tokens_per_step);
  return seconds > 0 ? tokens / seconds : 0;
}

}  // namespace

std::string step_line(const StepCount& count, double loss, double seconds, int columns) {
  const double speed = rate(count, seconds);
  const auto tokens_left = static_cast<double>((count.all - count.done) * count.tokens_per_step);
  const auto left = speed > 0 ? static_cast<long long>(std::ceil(tokens_left / speed)) : 0;
  const std::string head = format("step %lld/%lld ", static_cast<long long>(count.done),
                                  static_cast<long long>(count.all));
  const std::string tail =
      format("  loss %.4f  %.0f tokens/s  %.0f MiB  %lld:%02lld left", loss, speed,
             static_cast<double>(count.planned_bytes) / (1 << 20), left / 60, left % 60);
  const double share = static_cast<double>(count.done) / static_cast<double>(count.all);
  return with_bar(head, share, tail, columns);
}

StepProgress::StepProgress(const StepCount& count)
    : count_(count), terminal_(isatty(STDERR_FILENO) == 1) {}

double StepProgress::seconds() const {
  return std::chrono::duration<double>(Clock::now() - start_).count();
}

double StepProgress::tokens_per_second(std::int64_t done) const {
  StepCount count = count_;
  count.done = done;
  return rate(count, seconds());
}

void StepProgress::step(std::int64_t done, double loss) {
  if (!terminal_) return;
  const Clock::time_point now = Clock::now();
  if (now - drawn_ < std::chrono::milliseconds(100) && done < count_.all) return;
  drawn_ = now;
  visible_ = true;
  count_.done = done;
  std::fprintf(stderr, "\r%s\x1b[K",
               step_line(count_, loss, seconds(), terminal_columns()).c_str());
  std::fflush(stderr);
}

void StepProgress::evaluation(std::int64_t done, double train_loss, double validation_loss) {
  clear();
  std::fprintf(stderr, "step %lld/%lld  train loss %.4f  validation loss %.4f  %.0f tokens/s\n",
               static_cast<long long>(done), static_cast<long long>(count_.all), train_loss,
               validation_loss, tokens_per_second(done));
}

void StepProgress::clear() {
  if (visible_) std::fputs("\r\x1b[K", stderr);
  visible_ = false;
}

}  // namespace gradmill
