#pragma once

// An optimizer's arithmetic on a gradient that is not yet the one it should follow.

#include <memory>

#include <gradmill/ops/optimizer/element_update.h>

namespace gradmill {

/// `update` on a gradient that is the mean over the micro-batches of a step, where its inputs have
/// an accumulator, or that is to be scaled, where they have a scale; `update` itself where they
/// have neither.
///
/// Of micro-batch k out of n, gradient g and accumulator a: a = g / n for k = 0, else a += g / n;
/// with the last, a *= scale, and the update follows a.
std::shared_ptr<const ElementUpdate> staged(std::shared_ptr<const ElementUpdate> update);

}  // namespace gradmill
