#pragma once

// Internal: the data of a report.

#include <cstddef>
#include <string>

#include <gradmill/profile/profile.h>

namespace gradmill {

/// What `profile_json` gives, with whole runs of at most `max_tiles` tiles together, that of the
/// critical path among them.
std::string profile_json(const Profile& profile, std::size_t max_tiles);

}  // namespace gradmill
