#pragma once

namespace gradmill::bench {

/// GB/s (1e9 bytes read plus written) that `threads` threads move through memory together, in
/// arrays far larger than caches: the better of a copy and a triad, each the median of its passes
/// within `seconds` / 2. The method is STREAM's (J. McCalpin, "Memory bandwidth and machine
/// balance in current high performance computers", 1995).
double measure_bandwidth(int threads, double seconds);

}  // namespace gradmill::bench
