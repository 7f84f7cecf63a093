// Who allocates, and who creates oneDNN primitives, inside Session::run. The C allocation functions
// are replaced in this program, and each call is put down to the innermost caller that is not the C
// or C++ library.

#include <dlfcn.h>
#include <execinfo.h>
#include <gradmill/gradmill.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "programs.h"

namespace {

constexpr int kDepth = 24;
constexpr std::size_t kMostRecords = 1 << 15;

struct Record {
  std::array<void*, kDepth> frames;
  int first;  // the caller of the function replaced here
  int count;
};

std::array<Record, kMostRecords> records;
std::atomic<std::size_t> record_count = 0;
std::atomic<bool> recording = false;
std::atomic<int> primitives_created = 0;
thread_local bool inside = false;

void record(void* caller) {
  if (!recording.load(std::memory_order_relaxed) || inside) return;
  inside = true;
  const std::size_t index = record_count.fetch_add(1);
  if (index < kMostRecords) {
    Record& entry = records[index];
    entry.count = backtrace(entry.frames.data(), kDepth);
    entry.first = 0;
    for (int i = 0; i < entry.count; ++i) {
      if (entry.frames[static_cast<std::size_t>(i)] == caller) entry.first = i;
    }
  }
  inside = false;
}

/// The file name of the shared object that asked for memory.
std::string culprit(const Record& entry) {
  for (int i = entry.first; i < entry.count; ++i) {
    Dl_info info;
    void* frame = entry.frames[static_cast<std::size_t>(i)];
    if (dladdr(frame, &info) == 0 || info.dli_fname == nullptr) continue;
    std::string file = info.dli_fname;
    file = file.substr(file.rfind('/') + 1);
    const auto is = [&](const char* name) { return file.rfind(name, 0) == 0; };
    if (is("libc.so") || is("libstdc++") || is("libgcc_s") || is("ld-linux")) continue;
    return file;
  }
  return "unknown";
}

}  // namespace

extern "C" {

// glibc's own names for what is replaced below.
// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming)
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* memory, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);
void __libc_free(void* memory);
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)

void* malloc(std::size_t size) {
  record(__builtin_return_address(0));
  return __libc_malloc(size);
}

void* calloc(std::size_t count, std::size_t size) {
  record(__builtin_return_address(0));
  return __libc_calloc(count, size);
}

void* realloc(void* memory, std::size_t size) {
  record(__builtin_return_address(0));
  return __libc_realloc(memory, size);
}

void* memalign(std::size_t alignment, std::size_t size) {
  record(__builtin_return_address(0));
  return __libc_memalign(alignment, size);
}

void* aligned_alloc(std::size_t alignment, std::size_t size) {
  record(__builtin_return_address(0));
  return __libc_memalign(alignment, size);
}

int posix_memalign(void** memory, std::size_t alignment, std::size_t size) {
  record(__builtin_return_address(0));
  *memory = __libc_memalign(alignment, size);
  return *memory == nullptr ? ENOMEM : 0;
}

void free(void* memory) { __libc_free(memory); }

void* mmap(void* address, std::size_t length, int protection, int flags, int file, off_t offset) {
  record(__builtin_return_address(0));
  return reinterpret_cast<void*>(
      syscall(SYS_mmap, address, length, protection, flags, file, offset));
}

// The library is linked into this program, so its calls come here first.
int dnnl_primitive_create(void* primitive, const void* descriptor) {
  if (recording) ++primitives_created;
  using Function = int (*)(void*, const void*);
  static const auto original =
      reinterpret_cast<Function>(dlsym(RTLD_NEXT, "dnnl_primitive_create"));
  return original(primitive, descriptor);
}

int dnnl_primitive_desc_create(void* descriptor, const void* operation, const void* attributes,
                               void* engine, const void* hint) {
  if (recording) ++primitives_created;
  using Function = int (*)(void*, const void*, const void*, void*, const void*);
  static const auto original =
      reinterpret_cast<Function>(dlsym(RTLD_NEXT, "dnnl_primitive_desc_create"));
  return original(descriptor, operation, attributes, engine, hint);
}

}  // extern "C"

namespace gradmill {
namespace {

using Counts = std::map<std::string, std::size_t>;

/// Who allocated how often while `work` ran, on any thread.
template <class Work>
Counts allocations(Work&& work) {
  record_count = 0;
  recording = true;
  work();
  recording = false;
  EXPECT_LE(record_count, kMostRecords);
  Counts counts;
  const std::size_t count = std::min<std::size_t>(record_count, kMostRecords);
  for (std::size_t i = 0; i < count; ++i) ++counts[culprit(records[i])];
  return counts;
}

std::string text(const Counts& counts) {
  std::string result;
  for (const auto& [file, count] : counts) result += cat(" ", file, " ", count);
  return result.empty() ? " none" : result;
}

class Allocation : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    // The unwinder allocates when it is first used.
    void* frames[2];
    backtrace(frames, 2);
  }
};

__attribute__((noinline)) void* allocate_here(std::size_t bytes) { return ::operator new(bytes); }

TEST_F(Allocation, OfThisProgramIsSeen) {
  void* memory = nullptr;
  const Counts counts = allocations([&] { memory = allocate_here(100); });
  ::operator delete(memory);
  std::size_t ours = 0;
  for (const auto& [file, count] : counts) {
    if (file.rfind("allocation_test", 0) == 0) ours += count;
  }
  EXPECT_EQ(ours, 1U) << text(counts);
}

void expect_no_allocations(const Program& program, SessionOptions options) {
  constexpr int kSteps = 40;
  options.loss = program.loss;
  Session session(program.graph, options);
  for (int i = 0; i < 20; ++i) session.run(program.feeds);

  const int created_before = primitives_created;
  std::array<std::size_t, 4> totals = {};
  for (std::size_t& total : totals) {
    const Counts counts = allocations([&] {
      for (int i = 0; i < kSteps; ++i) session.run(program.feeds);
    });
    for (const auto& [file, count] : counts) {
      const bool theirs = file.rfind("libtbb", 0) == 0 || file.rfind("libdnnl", 0) == 0 ||
                          file.rfind("libgomp", 0) == 0;
      EXPECT_TRUE(theirs) << count << " allocations in " << kSteps << " steps by " << file;
      total += count;
    }
    testing::Test::RecordProperty("allocations", text(counts));
    std::cout << "  " << session.threads() << " threads, " << kSteps << " steps:" << text(counts)
              << "\n";
  }
  // How tasks spread over threads varies a little; growth would show as a trend.
  EXPECT_LE(totals.back(), totals.front() + totals.front() / 2 + 2 * kSteps);
  EXPECT_EQ(primitives_created, created_before);
}

TEST_F(Allocation, NoneByOurCodeSerially) {
  for (const DType dtype : {DType::f32, DType::f64}) {
    const auto program = mlp(dtype, 64, {100, 120, 90, 10});
    expect_no_allocations(*program,
                          {.optimizer = AdamW{}, .threads = 1, .execution = Execution::serial});
  }
}

TEST_F(Allocation, NoneByOurCodeOnTheFlowGraph) {
  for (const DType dtype : {DType::f32, DType::f64}) {
    const auto program = mlp(dtype, 128, {300, 256, 256, 10});
    for (const int threads : {1, 2, 3}) {
      expect_no_allocations(*program, {.optimizer = AdamW{},
                                       .threads = threads,
                                       .check_finite = threads == 2,
                                       .execution = Execution::flow_graph});
    }
  }
}

TEST_F(Allocation, NoneByOurCodeWithEveryKindOfOp) {
  for (std::uint64_t seed = 0; seed < 4; ++seed) {
    const auto program = random_program(DType::f32, seed, 15);
    expect_no_allocations(*program, {.optimizer = SGD{.lr = 0.01, .momentum = 0.9},
                                     .threads = 2,
                                     .execution = Execution::flow_graph});
  }
}

// Products of long vectors, which Eigen would copy to the heap whole, and losses over columns.
TEST_F(Allocation, NoneByOurCodeWithLongVectorsAndColumns) {
  for (const DType dtype : {DType::f32, DType::f64}) {
    Program program;
    Graph& graph = program.graph;
    const Initializer uniform = Initializer::uniform(-1, 1);
    const Value a = graph.parameter("a", {8, 100'000}, uniform, dtype);
    const Value row = graph.parameter("row", {8}, uniform, dtype);
    const Value column = graph.parameter("column", {100'000}, uniform, dtype);
    const Value logits = graph.parameter("logits", {3, 5, 700}, uniform, dtype);
    const Value labels = graph.constant(2, {3, 700}, DType::i64);
    program.loss = mean(matmul(a, row, {.transpose_a = true})) + mean(matmul(a, column)) +
                   cross_entropy(logits, labels, {.label_smoothing = 0.1});
    expect_no_allocations(program,
                          {.optimizer = SGD{}, .threads = 2, .execution = Execution::flow_graph});
  }
}

}  // namespace
}  // namespace gradmill
