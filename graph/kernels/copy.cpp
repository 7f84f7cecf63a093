#include <gradmill/graph/kernels/copy.h>

#include <algorithm>
#include <cstring>

namespace gradmill {
namespace {

constexpr std::size_t kTileBytes = std::size_t{128} << 10;

class Copy : public Kernel {
 public:
  explicit Copy(std::size_t bytes) : bytes_(bytes) {}

  std::int64_t tiles(int) const override {
    return static_cast<std::int64_t>((bytes_ + kTileBytes - 1) / kTileBytes);
  }

  void run(int, std::int64_t tile, const KernelRun& run) const override {
    const std::size_t begin = static_cast<std::size_t>(tile) * kTileBytes;
    std::memcpy(run.output<std::byte>(0) + begin, run.input<std::byte>(0) + begin,
                std::min(kTileBytes, bytes_ - begin));
  }

  std::string description() const override { return "copy"; }

 private:
  std::size_t bytes_;
};

}  // namespace

std::unique_ptr<Kernel> make_copy(std::size_t bytes) { return std::make_unique<Copy>(bytes); }

}  // namespace gradmill
