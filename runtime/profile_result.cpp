#include <gradmill/runtime/profile_result.h>

namespace gradmill {

double Profile::path_waiting_ms() const {
  std::int64_t waited = 0;
  for (const PathStep& step : path) waited += step.wait_ns;
  return static_cast<double>(waited) * 1e-6;
}

std::string_view to_string(Spent spent) {
  switch (spent) {
    case Spent::busy: return "busy";
    case Spent::dispatch: return "dispatch";
    case Spent::nothing_ready: return "nothing_ready";
    case Spent::serial_section: return "serial_section";
    case Spent::too_few_tiles: return "too_few_tiles";
    case Spent::uneven_tiles: return "uneven_tiles";
  }
  return "?";
}

}  // namespace gradmill
