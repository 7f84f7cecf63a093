#include <gradmill/ops/elementwise/function.h>
#include <gradmill/runtime/error.h>

namespace gradmill {
namespace {

std::string text(std::string_view name, const FunctionParameters& parameters) {
  const std::string own = to_string(parameters);
  return own.empty() ? std::string(name) : cat(name, '(', own, ')');
}

}  // namespace

std::string to_string(const FunctionParameters& parameters) {
  return parameters == FunctionParameters() ? ""
                                            : cat("parameters=", parameters[0], ',', parameters[1]);
}

std::string to_string(const UnaryFunction& function) {
  return text(function.name, function.parameters);
}

std::string to_string(const BinaryFunction& function) {
  return text(function.name, function.parameters);
}

}  // namespace gradmill
