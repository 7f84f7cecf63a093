#pragma once

#include <gradmill/runtime/error.h>

#include <string>

namespace gradmill {

/// The message of the Error (or of exactly E, where given) that `action` throws; a text that says
/// so when it throws none.
template <class E = Error, class Action>
std::string error_of(Action&& action) {
  try {
    action();
  } catch (const E& error) {
    return error.what();
  }
  return "(nothing was thrown)";
}

}  // namespace gradmill
