#include <gradmill/runtime/io/files.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include <gradmill/runtime/error.h>

namespace gradmill {
namespace {

namespace fs = std::filesystem;

std::string reason(int error) { return std::generic_category().message(error); }

int close_on_exec_open(const std::string& path, int flags, mode_t mode = 0) {
  int descriptor = -1;
  do {
    descriptor = open(path.c_str(), flags | O_CLOEXEC, mode);
  } while (descriptor < 0 && errno == EINTR);
  return descriptor;
}

// The file that `path` stands for and the folder it is in. Throws Error when it cannot be replaced.
struct Target {
  fs::path file;
  fs::path folder;
};

Target resolve(const std::string& path) {
  check(!path.empty(), "cannot write to '': the path is empty");
  struct stat info {};
  Target target{path, {}};
  if (stat(path.c_str(), &info) == 0) {
    check(!S_ISDIR(info.st_mode), path, ": cannot be written: it is a folder");
    // Renaming would put a plain file in the place of a device or a pipe.
    check(S_ISREG(info.st_mode), path, ": cannot be written: it is not a regular file");
    std::error_code ignored;
    if (auto real = fs::canonical(path, ignored); !ignored) target.file = std::move(real);
  } else {
    check(errno == ENOENT, path, ": cannot be written: ", reason(errno));
    check(target.file.has_filename(), path, ": cannot be written: it names a folder");
  }
  target.folder = target.file.parent_path();
  if (target.folder.empty()) target.folder = ".";
  check(stat(target.folder.c_str(), &info) == 0, path,
        ": cannot be written: its folder: ", reason(errno));
  check(S_ISDIR(info.st_mode), path, ": cannot be written: ", target.folder.string(),
        " is not a folder");
  return target;
}

// A new file under a name of its own, removed again unless it was renamed.
class Temporary {
 public:
  explicit Temporary(const fs::path& folder) {
    static std::atomic<unsigned> counter{0};
    do {
      name_ = (folder / cat(".gradmill-", getpid(), "-", ++counter, ".tmp")).string();
      // As for any new file, the umask decides who may read it.
      descriptor_ = close_on_exec_open(name_, O_WRONLY | O_CREAT | O_EXCL, 0666);
    } while (descriptor_ < 0 && errno == EEXIST);
    if (descriptor_ < 0) throw std::system_error(errno, std::generic_category());
  }
  ~Temporary() {
    if (descriptor_ >= 0) close(descriptor_);
    if (!name_.empty()) unlink(name_.c_str());
  }
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;

  void write(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const ssize_t count = ::write(descriptor_, bytes.data(), bytes.size());
      if (count < 0 && errno == EINTR) continue;
      ensure(count >= 0);
      bytes = bytes.subspan(static_cast<std::size_t>(count));
    }
  }

  void rename_to(const fs::path& target) {
    ensure(fsync(descriptor_) == 0);
    // Some file systems report a full disk only here.
    ensure(close(std::exchange(descriptor_, -1)) == 0);
    ensure(rename(name_.c_str(), target.c_str()) == 0);
    name_.clear();
  }

 private:
  static void ensure(bool ok) {
    if (!ok) throw std::system_error(errno, std::generic_category());
  }

  std::string name_;
  int descriptor_ = -1;
};

// The new content is in place already, so a folder that cannot be synced is no failure.
void sync_folder(const fs::path& folder) {
  const int descriptor = close_on_exec_open(folder.string(), O_RDONLY | O_DIRECTORY);
  if (descriptor < 0) return;
  fsync(descriptor);
  close(descriptor);
}

}  // namespace

InputFile::InputFile(const std::string& path)
    : descriptor_(close_on_exec_open(path, O_RDONLY | O_NONBLOCK)) {
  check(descriptor_ >= 0, path, ": cannot be read: ", reason(errno));
  struct stat info {};
  const bool known = fstat(descriptor_, &info) == 0;
  if (!known || !S_ISREG(info.st_mode)) {
    close(descriptor_);
    fail(path,
         ": cannot be read: ", S_ISDIR(info.st_mode) ? "it is a folder" : "not a regular file");
  }
  size_ = static_cast<std::uint64_t>(info.st_size);
}

InputFile::~InputFile() { close(descriptor_); }

void InputFile::read(void* data, std::size_t bytes) {
  auto* out = static_cast<std::byte*>(data);
  while (bytes > 0) {
    const ssize_t count = ::read(descriptor_, out, bytes);
    if (count < 0 && errno == EINTR) continue;
    check(count >= 0, "cannot be read: ", reason(errno));
    check(count > 0, "truncated while it was read");
    out += count;
    bytes -= static_cast<std::size_t>(count);
  }
}

void write_file_atomically(const std::string& path,
                           std::span<const std::span<const std::byte>> parts) {
  try {
    const Target target = resolve(path);
    Temporary file(target.folder);
    for (const auto& part : parts) file.write(part);
    file.rename_to(target.file);
    sync_folder(target.folder);
  } catch (const Error& error) {
    throw Failure(error.what());
  } catch (const std::system_error& error) {
    throw Failure(cat(path, ": cannot be written: ", error.code().message()));
  }
}

void check_replaceable(const std::string& path) {
  const Target target = resolve(path);
  try {
    const Temporary probe(target.folder);
  } catch (const std::system_error& error) {
    fail(path, ": cannot be written: its folder: ", error.code().message());
  }
}

}  // namespace gradmill
