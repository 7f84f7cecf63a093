#include <gradmill/runtime/io/text_sink.h>

#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include <gradmill/runtime/error.h>

namespace gradmill {
namespace {

// Traces repeat themselves so much that more effort finds little more.
constexpr const char* kMode = "wb1";

}  // namespace

struct TextSink::Impl {
  std::string path;
  int descriptor = -1;
  gzFile zipped = nullptr;  // owns the descriptor

  [[noreturn]] void fail_with(const char* reason) const { throw Failure(cat(path, ": ", reason)); }

  void write(const char* data, std::size_t bytes) const {
    while (bytes > 0) {
      const ssize_t written = ::write(descriptor, data, bytes);
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) fail_with(std::strerror(errno));
      data += written;
      bytes -= static_cast<std::size_t>(written);
    }
  }

  [[noreturn]] void fail_zipped() const {
    int code = Z_OK;
    const char* reason = gzerror(zipped, &code);
    fail_with(code == Z_ERRNO ? std::strerror(errno) : reason);
  }
};

TextSink::TextSink(const std::string& path) : impl_(std::make_unique<Impl>()) {
  impl_->path = path;
  impl_->descriptor = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  check(impl_->descriptor >= 0, path, ": cannot be written: ", std::strerror(errno));
  if (!path.ends_with(".gz")) return;
  impl_->zipped = gzdopen(impl_->descriptor, kMode);
  if (impl_->zipped != nullptr) return;
  ::close(impl_->descriptor);
  throw Failure(cat(path, ": out of memory"));
}

TextSink::~TextSink() {
  if (impl_->zipped != nullptr) {
    gzclose(impl_->zipped);
  } else if (impl_->descriptor >= 0) {
    ::close(impl_->descriptor);
  }
}

void TextSink::write(std::string_view text) {
  if (impl_->zipped == nullptr) return impl_->write(text.data(), text.size());
  constexpr std::size_t kMaxPart = std::size_t{1} << 30U;
  while (!text.empty()) {
    const std::string_view part = text.substr(0, kMaxPart);
    if (gzwrite(impl_->zipped, part.data(), static_cast<unsigned>(part.size())) <= 0) {
      impl_->fail_zipped();
    }
    text.remove_prefix(part.size());
  }
}

void TextSink::flush() {
  if (impl_->zipped != nullptr && gzflush(impl_->zipped, Z_SYNC_FLUSH) != Z_OK) {
    impl_->fail_zipped();
  }
}

void TextSink::close() {
  if (impl_->zipped != nullptr) {
    const int code = gzclose(std::exchange(impl_->zipped, nullptr));
    impl_->descriptor = -1;
    if (code != Z_OK) impl_->fail_with(code == Z_ERRNO ? std::strerror(errno) : "gzip failed");
  } else if (impl_->descriptor >= 0 && ::close(std::exchange(impl_->descriptor, -1)) != 0) {
    impl_->fail_with(std::strerror(errno));
  }
}

}  // namespace gradmill
