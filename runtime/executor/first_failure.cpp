#include <gradmill/runtime/executor/first_failure.h>

#include <typeinfo>

#include <gradmill/runtime/error.h>

namespace gradmill {

void rethrow_with_node(const PlanStep& step) {
  try {
    throw;
  } catch (const Error& error) {
    const bool is_error = typeid(error) == typeid(Error);
    const bool is_failure = typeid(error) == typeid(Failure);
    if (step.op.empty() || (!is_error && !is_failure)) throw;
    const std::string message = cat(step.op, " '", step.name, "': ", error.what());
    if (is_failure) throw Failure(message);
    throw Error(message);
  }
}

}  // namespace gradmill
