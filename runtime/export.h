#pragma once

// Symbols marked GRADMILL_API are the library's public ones; everything else stays hidden in the
// shared library.
#define GRADMILL_API __attribute__((visibility("default")))
