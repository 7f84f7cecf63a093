#pragma once

#include <gradmill/gradmill.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <ostream>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace gradmill {

/// A graph with a loss and data to feed it: what tests of whole sessions train.
struct Program {
  Graph graph;
  Value loss;
  std::vector<Value> parameters;
  std::vector<Value> fetches;  ///< intermediates to keep
  std::vector<Feed> feeds;

  /// Declares an input (f32 or f64) and feeds it numbers in [-1, 1].
  Value input(const std::string& name, const Shape& shape, DType dtype, std::uint64_t seed = 1);
  /// Declares labels and feeds them numbers in [0, classes).
  Value labels(const std::string& name, std::int64_t rows, std::int64_t classes);
  /// All parameters of the graph, in order.
  void collect_parameters();

  /// Where a test may change what is fed.
  std::int64_t* label_data() { return std::get<std::vector<std::int64_t>>(data.back()).data(); }

  std::deque<std::variant<std::vector<float>, std::vector<double>, std::vector<std::int64_t>>> data;
};

/// A perceptron with the given sizes, and `activation` between its layers (relu by default); its
/// logits and first hidden layer are among the fetches.
std::unique_ptr<Program> mlp(DType dtype, std::int64_t batch, std::vector<std::int64_t> sizes,
                             const std::function<Value(Value)>& activation = {});

/// `count` products of one input with weights of their own, added up: as many parallel branches.
std::unique_ptr<Program> branches(DType dtype, int count, std::int64_t rows, std::int64_t columns);

/// Ops drawn at random, values used again at random; everything is part of the loss.
std::unique_ptr<Program> random_program(DType dtype, std::uint64_t seed, int ops);

/// A tensor's content, to be compared; prints as its size and a hash.
struct Bytes {
  std::vector<std::byte> content;
  friend bool operator==(const Bytes&, const Bytes&) = default;
  friend std::ostream& operator<<(std::ostream& out, const Bytes& bytes);
};
Bytes bytes_of(const TensorView& tensor);

/// Everything that `steps` steps produce, bit for bit, by name: losses, fetches and gradients of
/// each step, and the parameters at the end. `options` gets the program's loss, fetches and
/// gradients.
std::map<std::string, Bytes> outcome(const Program& program, SessionOptions options, int steps = 3);

/// The message of the Error that `work` throws; a failure in the test and "" when it throws none.
std::string refusal_of(const std::function<void()>& work);

/// Whether `text` has all of `parts`.
testing::AssertionResult mentions(const std::string& text,
                                  std::initializer_list<std::string_view> parts);

/// `program`'s parameters, bit for bit.
std::map<std::string, Bytes> bytes_of(const Parameters& parameters);

}  // namespace gradmill
