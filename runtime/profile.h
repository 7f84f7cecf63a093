#pragma once

#include <string>

#include <gradmill/runtime/profile_result.h>

namespace gradmill {

/// Throws Error when the trace has no run that succeeded, or an option is out of range.
GRADMILL_API Profile make_profile(Trace trace, ProfileOptions options = {});

/// What a plan's arena holds while its steps run in plan order.
GRADMILL_API MemoryProfile memory_of(const Plan& plan);

/// Tables for a terminal; of the nodes, those with the most time.
GRADMILL_API std::string profile_text(const Profile& profile);
/// One JSON object with everything, each tile of the trace included.
GRADMILL_API std::string profile_json(const Profile& profile);

}  // namespace gradmill
