#pragma once

#include <gradmill/graph/value.h>

#include <string>

namespace gradmill {

/// In training, each element of `x`, f32 or f64 of any rank, is 0 with probability p, and otherwise
/// x / (1 - p); in evaluation (`StepInfo::training` is false) y = x. As
/// `torch.nn.functional.dropout`, with other random numbers, and with zeros in place of infinities
/// and NaN that are dropped. p = 0 is `x` itself, and adds nothing to the graph; p = 1 leaves
/// zeros.
///
/// Whether element i is kept depends on i, the dropout's id, and the step's seed, number and
/// micro-batch only, so the mask is the same on any machine with any number of threads, and is
/// stored nowhere: the gradient draws it again. The id is the number of nodes that the graph had
/// when `dropout` was called, hence its own in its graph. With K = Philox(seed, step).bits(2^64 -
/// 1) and b = i / 32 * 8 + i % 16 / 2, element i is kept if a word is at least 2^32 p: of the four
/// that Philox4x32-10 gives for the key K and the counter (b mod 2^32, b / 2^32, id, micro_batch),
/// words counted from 0, it is the one at i % 32 / 16 * 2 + i % 2. p is therefore rounded up to a
/// multiple of 2^-32.
///
/// Throws Error for a dtype that is not floating and p out of [0, 1].
GRADMILL_API Value dropout(Value x, double p = 0.5, std::string name = {});

}  // namespace gradmill
