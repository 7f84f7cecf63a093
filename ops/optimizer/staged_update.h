#pragma once

// Internal: an optimizer's arithmetic on a gradient that is not yet the one it should follow.

#include <memory>

#include <gradmill/graph/optimizer.h>
#include <gradmill/ops/optimizer/element_update.h>

namespace gradmill {

/// `update` on a gradient that is the mean over the micro-batches of a step, or that is to be
/// scaled, as `form` says; `update` itself when it says neither. `counts` tells whether the
/// update's inputs end with a count, behind which the form's own stand.
///
/// Of micro-batch k out of n, gradient g and accumulator a: a = g / n for k = 0, else a += g / n;
/// with the last, a *= scale, and the update follows a.
std::shared_ptr<const ElementUpdate> staged(std::shared_ptr<const ElementUpdate> update,
                                            const UpdateForm& form, bool counts);

}  // namespace gradmill
