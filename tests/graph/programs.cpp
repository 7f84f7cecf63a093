#include "programs.h"

#include <gradmill/runtime/support/random.h>

#include <algorithm>
#include <random>
#include <utility>

namespace gradmill {

Value Program::input(const std::string& name, const Shape& shape, DType dtype, std::uint64_t seed) {
  const Value value = graph.input(name, shape, dtype);
  const Philox random(seed, data.size());
  const auto fill = [&](auto values) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = static_cast<typename decltype(values)::value_type>(2 * random.uniform(i) - 1);
    }
    data.emplace_back(std::move(values));
    feeds.emplace_back(value, std::get<decltype(values)>(data.back()));
  };
  const auto count = static_cast<std::size_t>(shape.elements());
  if (dtype == DType::f32) fill(std::vector<float>(count));
  if (dtype == DType::f64) fill(std::vector<double>(count));
  return value;
}

Value Program::labels(const std::string& name, std::int64_t rows, std::int64_t classes) {
  const Value value = graph.input(name, {rows}, DType::i64);
  std::vector<std::int64_t> values(static_cast<std::size_t>(rows));
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<std::int64_t>(i * 7 + 3) % classes;
  }
  data.emplace_back(std::move(values));
  feeds.emplace_back(value, std::get<std::vector<std::int64_t>>(data.back()));
  return value;
}

void Program::collect_parameters() {
  for (const Node& node : graph.nodes()) {
    if (node.kind == NodeKind::parameter) parameters.push_back(graph.find(node.name));
  }
}

std::unique_ptr<Program> mlp(DType dtype, std::int64_t batch, std::vector<std::int64_t> sizes,
                             const std::function<Value(Value)>& activation) {
  auto program = std::make_unique<Program>();
  Value x = program->input("images", {batch, sizes.front()}, dtype);
  for (std::size_t i = 1; i < sizes.size(); ++i) {
    x = linear(x, sizes[i], cat("fc", i));
    if (i + 1 < sizes.size()) x = activation ? activation(x) : relu(x);
    if (i == 1 && sizes.size() > 2) program->fetches.push_back(x);
  }
  program->fetches.push_back(x);
  program->loss = cross_entropy(x, program->labels("labels", batch, sizes.back()));
  program->collect_parameters();
  return program;
}

std::unique_ptr<Program> branches(DType dtype, int count, std::int64_t rows, std::int64_t columns) {
  auto program = std::make_unique<Program>();
  const Value x = program->input("x", {rows, columns}, dtype);
  Value total;
  for (int i = 0; i < count; ++i) {
    const std::string name = cat("branch", i);
    const Value y = tanh(linear(x, columns, name));
    total = total ? total + y : y;
  }
  program->fetches.push_back(total);
  program->loss = mean(total * total);
  program->collect_parameters();
  return program;
}

std::unique_ptr<Program> random_program(DType dtype, std::uint64_t seed, int ops) {
  auto program = std::make_unique<Program>();
  std::mt19937_64 random(seed);
  const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
  const auto size = [&] { return static_cast<std::int64_t>(1 + random() % 9); };
  const std::int64_t rows = size();
  const std::int64_t columns = size();

  std::vector<Value> values = {program->input("x", {rows, columns}, dtype, seed + 1),
                               program->input("y", {rows, columns}, dtype, seed + 2)};
  // Every result is [rows, columns] again and bounded, so that any two may meet.
  for (int i = 0; i < ops; ++i) {
    const Value a = values[below(values.size())];
    const Value b = values[below(values.size())];
    const std::string name = cat("p", i);
    Value result;
    switch (below(12)) {
      case 0: result = relu(a); break;
      case 1: result = tanh(a); break;
      case 2: result = sigmoid(a - b); break;
      case 3: result = tanh(a * b); break;
      case 4: result = softmax(a, static_cast<int>(below(2))); break;
      case 5: result = tanh(linear(a, columns, name)); break;
      case 6: result = relu(linear(a, columns, name, {.bias = below(2) == 0})); break;
      case 7: result = tanh(a + mean(b, {static_cast<int>(below(2))}, true)); break;
      case 8: result = transpose(reshape(transpose(a, 0, 1), {columns, rows}), 0, 1); break;
      case 9: {
        const Value p = program->graph.parameter(name, {columns}, Initializer::normal(), dtype);
        result = tanh(a * p + b);
        break;
      }
      case 10: result = tanh(matmul(matmul(a, b, {.transpose_b = true}), a)); break;
      default: result = sigmoid(exp(tanh(a)) / 3.0); break;
    }
    values.push_back(result);
    if (below(4) == 0) program->fetches.push_back(result);
  }
  Value loss;
  for (const Value& value : values) {
    const Value term = mean(value * value);
    loss = loss ? loss + term : term;
  }
  program->graph.parameter("unused", {3}, Initializer::zeros(), dtype);
  program->loss = loss;
  program->collect_parameters();
  program->parameters.pop_back();
  return program;
}

Bytes bytes_of(const TensorView& tensor) {
  const auto* begin = static_cast<const std::byte*>(tensor.data);
  return {{begin, begin + tensor.type.bytes()}};
}

std::ostream& operator<<(std::ostream& out, const Bytes& bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.content.data()),
                              bytes.content.size());
  return out << bytes.content.size() << " bytes #" << std::hash<std::string_view>()(text);
}

std::map<std::string, Bytes> bytes_of(const Parameters& parameters) {
  std::map<std::string, Bytes> result;
  for (const std::string& name : parameters.names()) result[name] = bytes_of(parameters.view(name));
  return result;
}

std::map<std::string, Bytes> outcome(const Program& program, SessionOptions options, int steps) {
  options.loss = program.loss;
  options.fetches = program.fetches;
  options.gradients = program.parameters;
  Session session(program.graph, options);
  std::map<std::string, Bytes> result;
  for (int step = 0; step < steps; ++step) {
    session.run(program.feeds);
    const std::string at = " of step " + std::to_string(step);
    result["loss" + at] = bytes_of(session.view(program.loss));
    for (std::size_t i = 0; i < program.fetches.size(); ++i) {
      result["fetch " + std::to_string(i) + at] = bytes_of(session.view(program.fetches[i]));
    }
    for (const Value& parameter : program.parameters) {
      result["gradient of " + parameter.name() + at] = bytes_of(session.view_gradient(parameter));
    }
  }
  for (const std::string& name : session.parameters()->names()) {
    result[name] = bytes_of(session.parameters()->view(name));
  }
  return result;
}

std::string refusal_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    return error.what();
  }
  ADD_FAILURE() << "no Error was thrown";
  return {};
}

testing::AssertionResult mentions(const std::string& text,
                                  std::initializer_list<std::string_view> parts) {
  for (const std::string_view part : parts) {
    if (text.find(part) == std::string::npos) {
      return testing::AssertionFailure() << "no \"" << part << "\" in: " << text;
    }
  }
  return testing::AssertionSuccess();
}

}  // namespace gradmill
