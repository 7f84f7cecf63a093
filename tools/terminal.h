#pragma once

#include <string>

namespace gradmill {

/// The width of the terminal that stderr is; 80 if it is not known.
int terminal_columns();

/// As printf, cut to 255 characters.
[[gnu::format(printf, 1, 2)]] std::string format(const char* pattern, ...);

/// `head`, a bar of which `share` (0 to 1) is full, if there is room for one, and `tail`; less than
/// `columns` wide.
std::string with_bar(const std::string& head, double share, const std::string& tail, int columns);

}  // namespace gradmill
