#pragma once

#include <span>
#include <vector>

#include <gradmill/graph/planning/schedule.h>
#include <gradmill/runtime/plan.h>

namespace gradmill {

/// An output that a node could write over one of its inputs.
struct InPlaceWish {
  int first_step;  ///< of the node
  int steps;
  int input;   ///< buffer
  int output;  ///< buffer
};

/// Grants the wishes where all other uses of the input come before the node under every legal
/// schedule and the input is neither kept nor the caller's. Outputs then have their inputs'
/// buffers; those left over go out of the plan. Returns the new number of each buffer.
std::vector<int> write_in_place(Plan& plan, const Precedence& precedence,
                                std::span<const InPlaceWish> wishes);

}  // namespace gradmill
