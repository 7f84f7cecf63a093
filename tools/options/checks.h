#pragma once

// What options may be: validators for the command line's parser.

#include <cstdint>

#include <CLI/CLI.hpp>

namespace gradmill {

inline constexpr int kMaxEpochs = 1'000'000;
inline constexpr int kMaxThreads = 1024;
inline constexpr int kMaxRounds = 1000;
inline constexpr int kMaxSteps = 1'000'000;
inline constexpr double kMaxSeconds = 1e5;
inline constexpr double kMaxTuneSeconds = 100;

/// Whole numbers from 1 up to the largest that the parser can distinguish from larger ones.
extern const CLI::Range kPositive;
/// A transformation: decimal digits alone.
extern const CLI::Validator kWhole;
/// Anything but an empty text: an unset variable of a script must not pass for "no file".
extern const CLI::Validator kPath;
/// Starts with a digit, as a number of bytes does.
extern const CLI::Validator kBytes;
/// GB/s above 0, finite.
extern const CLI::Validator kBandwidth;
/// A finite number of at least 0.
extern const CLI::Validator kAtLeastZero;
/// Seconds from a thousandth to `max`.
CLI::Validator seconds_to(double max);
/// Whole numbers from 0 up to the same limit.
extern const CLI::Range kSeed;

}  // namespace gradmill
