#pragma once

#include <cstddef>
#include <string>

#include <gradmill/runtime/profile_result.h>

namespace gradmill {

/// What `profile_json` gives, without the end of the line, and with whole runs of at most
/// `max_tiles` tiles together, that of the critical path among them.
GRADMILL_API std::string json_of(const Profile& profile, std::size_t max_tiles);

}  // namespace gradmill
