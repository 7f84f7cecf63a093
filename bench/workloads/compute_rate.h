#pragma once

namespace gradmill::bench {

/// GFLOP/s of `threads` threads together, each of which does f32 products of 256 x 256 x 256 of its
/// own for about `seconds`, sequentially, just out of the nearest cache: what the processor has for
/// tiles when so many run at once. By the median of single products, as tiles are timed too: a
/// product that waits for its core counts as one of many. Throws Failure when oneDNN fails.
double measure_compute_rate(int threads, double seconds);

}  // namespace gradmill::bench
