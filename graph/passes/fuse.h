#pragma once

#include <gradmill/graph/passes/rewriting.h>

namespace gradmill {

/// Lets producers absorb their consumers, as `Op::absorb` offers; updates too, with `updates`. What
/// is done to one node costs as much as the node has neighbours.
void fuse(Rewriting& rewriting, bool updates);

}  // namespace gradmill
