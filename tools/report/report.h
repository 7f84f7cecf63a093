#pragma once

#include <string>

#include <gradmill/runtime/profile.h>

namespace gradmill {

/// The profile as a page that shows it, in one file that needs no network.
std::string profile_html(const Profile& profile);

}  // namespace gradmill
