#pragma once

// The files of page/, as text. CMake generates the source.

#include <string_view>

namespace gradmill::report {

extern const std::string_view kPage;    ///< report.html
extern const std::string_view kStyle;   ///< report.css
extern const std::string_view kScript;  ///< the scripts, one after the other

}  // namespace gradmill::report
