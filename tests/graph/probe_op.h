#pragma once

#include <gradmill/gradmill.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace gradmill {

/// y = x, in as many tiles as asked for, each of which calls back first.
class ProbeOp : public Op {
 public:
  using Callback = std::function<void(std::int64_t tile)>;
  ProbeOp(std::int64_t tiles, Callback callback, bool may_fail = false)
      : tiles_(tiles), callback_(std::move(callback)), may_fail_(may_fail) {}

  std::string_view name() const override { return "probe"; }
  std::vector<Type> infer(std::span<const Type> inputs) const override { return {inputs[0]}; }
  std::vector<Value> gradient(const GradientContext& context) const override {
    return {context.upstream[0]};
  }
  bool fallible() const override { return may_fail_; }

  // Enough to be worth every thread that there is.
  Cost cost(std::span<const Type>, std::span<const Type>) const override { return {1e10, 1e10}; }

  std::unique_ptr<Kernel> prepare(const PrepareContext& context) const override {
    return std::make_unique<ProbeKernel>(context.inputs[0].bytes(), tiles_, callback_);
  }

 private:
  class ProbeKernel : public Kernel {
   public:
    ProbeKernel(std::size_t bytes, std::int64_t tiles, Callback callback)
        : bytes_(bytes), tiles_(tiles), callback_(std::move(callback)) {}
    std::int64_t tiles(int) const override { return tiles_; }
    void run(int, std::int64_t tile, const KernelRun& run) const override {
      callback_(tile);
      const auto count = static_cast<std::size_t>(tiles_);
      const auto index = static_cast<std::size_t>(tile);
      const std::size_t begin = bytes_ * index / count;
      const std::size_t end = bytes_ * (index + 1) / count;
      std::memcpy(run.output<std::byte>(0) + begin, run.input<std::byte>(0) + begin, end - begin);
    }
    std::string description() const override { return "probe"; }

   private:
    std::size_t bytes_;
    std::int64_t tiles_;
    Callback callback_;
  };

  std::int64_t tiles_;
  Callback callback_;
  bool may_fail_;
};

inline Value probe(Value x, std::int64_t tiles, ProbeOp::Callback callback, bool may_fail = false,
                   std::string name = {}) {
  return x.graph().add(std::make_shared<ProbeOp>(tiles, std::move(callback), may_fail), {x},
                       std::move(name))[0];
}

}  // namespace gradmill
