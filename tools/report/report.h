#pragma once

#include <string>

#include <gradmill/runtime/profile.h>

namespace gradmill {

/// The profile as an HTML page, in one file that needs no network.
std::string profile_html(const Profile& profile);

}  // namespace gradmill
