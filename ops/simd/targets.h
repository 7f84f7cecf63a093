#pragma once

// Which instruction sets the vector kernels are compiled for. One is chosen at run time:
// AVX-512, AVX2, or the compiler's baseline for anything older. A kernel file includes this before
// hwy/foreach_target.h, and exports its functions with HWY_EXPORT.

#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SSE4 | HWY_AVX3_DL)

// Threads meet in the same places whatever the vectors' width: the sanitizer that watches them is
// spared the other instruction sets.
#if defined(__SANITIZE_THREAD__)
#define HWY_COMPILE_ONLY_STATIC
#endif
