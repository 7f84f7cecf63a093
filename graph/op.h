#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <gradmill/graph/value.h>
#include <gradmill/runtime/kernel.h>
#include <gradmill/runtime/short_list.h>
#include <gradmill/runtime/tensor.h>
#include <gradmill/runtime/tuning.h>

namespace gradmill {

/// Arithmetic and memory traffic of one execution, for scheduling and reports.
struct Cost {
  double flops = 0;  ///< floating point operations
  double bytes = 0;  ///< read plus written
};

/// The forward node as an op's gradient sees it. All values live in the same graph, which the
/// gradient extends by calling ops.
struct GradientContext {
  std::span<const Value> inputs;
  std::span<const Value> outputs;
  std::span<const Value> upstream;  ///< one per output; null where nothing flows back into it
  std::span<const bool> needed;     ///< one per input; whether its gradient is wanted
};

/// The types of a node at the moment its kernel is made.
struct PrepareContext {
  std::span<const Type> inputs;
  std::span<const Type> outputs;
  const Tuning* tuning = nullptr;  ///< what was measured on this machine, if anything
};

/// A consumer offered to the producer of some of its inputs; see `Op::absorb`.
struct Absorption {
  const class Op& consumer;
  std::span<const Type> producer_inputs;
  std::span<const Type> producer_outputs;
  std::span<const Type> consumer_inputs;
  std::span<const Type> consumer_outputs;
  /// One per consumer input: the producer's output it reads, or -1 when it comes from elsewhere.
  std::span<const int> from_producer;
};

/// One op that does the work of producer and consumer.
struct Absorbed {
  std::shared_ptr<const Op> op;
  /// Consumer inputs that the new op takes after all of the producer's.
  ShortList<int, 4> extra_inputs;
  /// What the new op's outputs are: an output k of the producer as k, of the consumer as -1 - k.
  /// A producer output that is not listed must have no other reader.
  ShortList<int, 4> outputs;
};

/// The extension point: what a node computes. An Op is immutable and may be shared by nodes.
///
/// A user's own op derives from this, and is added to a graph with `Graph::add`.
class GRADMILL_API Op {
 public:
  virtual ~Op();

  /// "matmul": the same for all ops of a class.
  virtual std::string_view name() const = 0;

  /// Everything besides the inputs that decides the result, as text: "transpose_b=1", or "" for an
  /// op without options. Two nodes whose ops have the same class, name and attributes, and which
  /// read the same inputs, compute the same and are merged. By default there is no such text: the
  /// node is never merged with another.
  virtual std::optional<std::string> attributes() const { return std::nullopt; }

  /// The types of the outputs. Throws Error for inputs that do not fit, naming both shapes; the
  /// graph puts op and node name in front of the message.
  virtual std::vector<Type> infer(std::span<const Type> inputs) const = 0;

  /// The gradient for each input as values built from other ops; null for an input that has none or
  /// is not needed. Each has exactly its input's type. Accumulation is not its business.
  /// The default throws Error: the op has no gradient.
  virtual std::vector<Value> gradient(const GradientContext& context) const;

  /// Whether a gradient flows from any output into input `i`; labels have none.
  virtual bool differentiable(int /*input*/) const { return true; }

  /// Makes the kernel; everything slow happens here.
  virtual std::unique_ptr<Kernel> prepare(const PrepareContext& context) const = 0;

  /// The default counts one operation per output element, and all inputs and outputs once as
  /// traffic.
  virtual Cost cost(std::span<const Type> inputs, std::span<const Type> outputs) const;

  /// Whether `Kernel::run` may throw. Every fallible node runs before the first update.
  virtual bool fallible() const { return false; }

  /// Inputs that the kernel writes: parameters or optimizer state. Such a node is an update. What
  /// the span shows lives as long as the op.
  virtual std::span<const int> mutates() const { return {}; }

  /// The input whose bytes output 0 is, so that there is nothing to run; -1 for none.
  virtual int aliases() const { return -1; }

  /// Whether output `output` may be written over input `input`: the kernel then reads each element
  /// of that input in the same tile that writes it, before it does. Both have the same number of
  /// bytes.
  virtual bool in_place(int /*input*/, int /*output*/, std::span<const Type> /*inputs*/) const {
    return false;
  }

  /// Offers a consumer of this op's outputs; returns the fused op, or nothing.
  virtual std::optional<Absorbed> absorb(const Absorption& offer) const;
};

}  // namespace gradmill
