#include "progress.h"

#include <unistd.h>

#include <cmath>
#include <cstdio>

#include "terminal.h"

namespace gradmill {
std::string progress_line(int epoch, int epochs, double share, double loss, double done,
                          double total, double seconds, int columns) {
  const double rate = seconds > 0 ? done / seconds : 0;
  const auto left = rate > 0 ? static_cast<long long>(std::ceil((total - done) / rate)) : 0;
  const std::string head = format("epoch %d/%d ", epoch, epochs);
  const std::string tail = format(" %3.0f%%  loss %.4f  %.0f samples/s  %lld:%02lld left",
                                  100 * share, loss, rate, left / 60, left % 60);
  return with_bar(head, share, tail, columns);
}

Progress::Progress(int epochs, std::int64_t images)
    : terminal_(isatty(STDERR_FILENO) == 1), epochs_(epochs), images_(images) {}

void Progress::step(int epoch, std::int64_t images, double loss) {
  if (!terminal_) return;
  const Clock::time_point now = Clock::now();
  if (now - drawn_ < std::chrono::milliseconds(100) && images < images_) return;
  drawn_ = now;
  visible_ = true;
  const auto per_epoch = static_cast<double>(images_);
  const double seconds = std::chrono::duration<double>(now - start_).count();
  const std::string line =
      progress_line(epoch, epochs_, static_cast<double>(images) / per_epoch, loss,
                    (epoch - 1) * per_epoch + static_cast<double>(images), epochs_ * per_epoch,
                    seconds, terminal_columns());
  std::fprintf(stderr, "\r%s\x1b[K", line.c_str());
  std::fflush(stderr);
}

void Progress::epoch(const EpochMetrics& metrics) {
  clear();
  std::fprintf(stderr,
               "epoch %d/%d  train loss %.4f  test loss %.4f  test accuracy %.4f  %.0f samples/s\n",
               metrics.epoch, epochs_, metrics.train_loss, metrics.test_loss, metrics.test_accuracy,
               metrics.samples_per_second);
}

void Progress::clear() {
  if (visible_) std::fputs("\r\x1b[K", stderr);
  visible_ = false;
}

}  // namespace gradmill
