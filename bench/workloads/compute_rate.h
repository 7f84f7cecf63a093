#pragma once

namespace gradmill::bench {

/// GFLOP/s of `threads` threads together, each of which computes f32 products of 256 x 256 x 256 of
/// its own for about `seconds`, one after the other, from beyond the nearest cache: what the
/// processor has for tiles when that many run at once. It is the median over single products,
/// because tiles are timed that way, too: a product that waits for its core counts as one of many.
/// Throws Failure when oneDNN fails.
double measure_compute_rate(int threads, double seconds);

}  // namespace gradmill::bench
