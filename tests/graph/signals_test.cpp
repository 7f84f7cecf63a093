// A program's signal handlers while steps run: oneDNN's kernels use the stack register for other
// things, and a handler's frame must not land there.

#include <gradmill/gradmill.h>
#include <gtest/gtest.h>
#include <sys/time.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <memory>
#include <thread>
#include <vector>

namespace gradmill {
namespace {

std::atomic<int> signals = 0;
extern "C" void count_signal(int) { ++signals; }

// Counts SIGALRM, which a timer sends to the process, and some thread to the one that made this.
class Alarms {
 public:
  Alarms() : target_(pthread_self()) {
    signals = 0;
    struct sigaction action = {};
    action.sa_handler = count_signal;
    action.sa_flags = SA_RESTART;
    sigaction(SIGALRM, &action, &previous_);
    const itimerval every = {{0, 1000}, {0, 1000}};
    setitimer(ITIMER_REAL, &every, nullptr);
    sender_ = std::thread([this] {
      while (!done_) {
        pthread_kill(target_, SIGALRM);
        std::this_thread::sleep_for(std::chrono::microseconds(300));
      }
    });
  }
  ~Alarms() {
    done_ = true;
    sender_.join();
    const itimerval never = {};
    setitimer(ITIMER_REAL, &never, nullptr);
    sigaction(SIGALRM, &previous_, nullptr);
  }
  Alarms(const Alarms&) = delete;
  Alarms& operator=(const Alarms&) = delete;

 private:
  pthread_t target_;
  struct sigaction previous_ = {};
  std::atomic<bool> done_ = false;
  std::thread sender_;
};

TEST(Signals, HandlersLeaveTheHeapAlone) {
  for (const int threads : {1, 2}) {
    for (const std::int64_t depth : {64, 256, 784}) {
      SCOPED_TRACE(cat(threads, " threads, inner dimension ", depth));
      Graph graph;
      const Value x = graph.input("x", {512, depth});
      const Value w = graph.input("w", {depth, 192});
      const Value y = matmul(x, w);
      Session session(graph,
                      {.fetches = {y}, .threads = threads, .execution = Execution::flow_graph});
      const std::vector<float> ones(static_cast<std::size_t>(512 * depth), 1.0F);
      const std::vector<float> twos(static_cast<std::size_t>(192 * depth), 2.0F);
      const Alarms alarms;
      for (int step = 0; step < 400 || signals < 30; ++step) {
        session.run({{x, ones}, {w, twos}});
        // Checks the blocks of the heap beside those that the product took.
        const auto block =
            std::make_unique<char[]>(static_cast<std::size_t>(4096 + step % 512 * 64));
        block[0] = 1;
        for (const float element : session.view(y).as<float>()) {
          ASSERT_EQ(element, 2.0F * static_cast<float>(depth));
        }
      }
    }
  }
}

// A signal that came in meanwhile is not lost, and the mask is what it was.
TEST(Signals, ArriveWhenTheStepIsOver) {
  Graph graph;
  const Value x = graph.input("x", {256, 256});
  const Value y = matmul(x, x);
  Session session(graph, {.fetches = {y}, .threads = 1});
  const std::vector<float> data(256 * 256, 1.0F);
  sigset_t before;
  sigset_t after;
  pthread_sigmask(SIG_BLOCK, nullptr, &before);
  {
    const Alarms alarms;
    for (int step = 0; step < 50 || signals < 5; ++step) session.run({{x, data}});
  }
  pthread_sigmask(SIG_BLOCK, nullptr, &after);
  for (const int signal : {SIGALRM, SIGINT, SIGTERM, SIGUSR1, SIGPROF}) {
    EXPECT_EQ(sigismember(&before, signal), sigismember(&after, signal)) << signal;
  }
}

}  // namespace
}  // namespace gradmill
