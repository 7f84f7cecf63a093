#pragma once

#include <string>

#include <gradmill/runtime/profile_result.h>

namespace gradmill {

/// What `profile_text` gives.
std::string text_of(const Profile& profile);

}  // namespace gradmill
