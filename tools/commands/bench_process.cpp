#include "commands/bench_process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include <gradmill/runtime/error.h>

namespace gradmill {
namespace {

constexpr std::size_t kKept = std::size_t{1} << 20U;
constexpr int kCannotRun = 127;  // as shells report it

/// A pipe; the destructor closes the ends that are still open.
class Pipe {
 public:
  Pipe() {
    if (pipe2(ends_.data(), O_CLOEXEC) != 0) throw Failure(cat("a pipe: ", std::strerror(errno)));
  }
  ~Pipe() {
    close_end(0);
    close_end(1);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  int read_end() const { return ends_[0]; }
  int write_end() const { return ends_[1]; }
  void close_end(std::size_t end) {
    if (ends_[end] >= 0) close(ends_[end]);
    ends_[end] = -1;
  }

 private:
  std::array<int, 2> ends_ = {-1, -1};
};

/// Reads what is available; false at the end of the stream.
bool take(int descriptor, std::string& text) {
  std::array<char, 4096> bytes;
  const ssize_t count = read(descriptor, bytes.data(), bytes.size());
  if (count <= 0) return count < 0 && errno == EINTR;
  text.append(bytes.data(), static_cast<std::size_t>(count));
  if (text.size() > 2 * kKept) text.erase(0, text.size() - kKept);
  return true;
}

/// The child's part between fork and exec: async-signal-safe calls only.
[[noreturn]] void become(char** arguments, char** environment, int out, int err, pid_t parent) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(kCannotRun);
  const int nothing = open("/dev/null", O_RDONLY);
  dup2(nothing, STDIN_FILENO);
  dup2(out, STDOUT_FILENO);
  dup2(err, STDERR_FILENO);
  execve(arguments[0], arguments, environment);
  const char* why = std::strerror(errno);
  const ssize_t written = write(STDERR_FILENO, why, std::strlen(why));
  _exit(written < 0 ? kCannotRun + 1 : kCannotRun);
}

std::vector<std::string> environment_with(const std::map<std::string, std::string>& additions) {
  std::vector<std::string> result;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    if (!additions.contains(text.substr(0, text.find('=')))) result.push_back(text);
  }
  for (const auto& [name, value] : additions) result.push_back(name + "=" + value);
  return result;
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> result;
  for (std::string& text : strings) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

}  // namespace

ProcessResult run_process(const std::vector<std::string>& command,
                          const std::map<std::string, std::string>& environment, double seconds) {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  std::vector<std::string> arguments = command;
  std::vector<std::string> variables = environment_with(environment);
  const std::vector<char*> argument_pointers = pointers(arguments);
  const std::vector<char*> variable_pointers = pointers(variables);
  Pipe out;
  Pipe err;
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child < 0) throw Failure(cat(command.front(), ": ", std::strerror(errno)));
  if (child == 0) {
    become(const_cast<char**>(argument_pointers.data()),
           const_cast<char**>(variable_pointers.data()), out.write_end(), err.write_end(), parent);
  }
  out.close_end(1);
  err.close_end(1);

  // Something that the process started may keep the streams open: what counts is that the process
  // has ended.
  ProcessResult result;
  std::array<pollfd, 2> streams = {pollfd{out.read_end(), POLLIN, 0},
                                   pollfd{err.read_end(), POLLIN, 0}};
  bool ended = false;
  int status = 0;
  while (true) {
    const int ready = poll(streams.data(), streams.size(), ended ? 0 : 20);
    for (pollfd& stream : streams) {
      if (stream.fd < 0 || stream.revents == 0) continue;
      if (!take(stream.fd, stream.fd == out.read_end() ? result.out : result.err)) stream.fd = -1;
    }
    if (ended && ready <= 0) break;
    if (!ended) ended = waitpid(child, &status, WNOHANG) == child;
    if (!ended && Clock::now() > end) {
      result.timed_out = true;
      kill(-child, SIGKILL);
      kill(child, SIGKILL);  // in case it does not have a group of its own yet
      ended = waitpid(child, &status, 0) == child;
    }
  }
  kill(-child, SIGKILL);
  result.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

std::string last_line(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text.substr(text.rfind('\n') + 1);
}

}  // namespace gradmill
