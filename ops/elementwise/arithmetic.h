#pragma once

// The functions behind + - * / and negation. Other kernels add up rows with them too, and a product
// knows by kAdd that what follows it is a bias.

#include <gradmill/ops/elementwise/function.h>

namespace gradmill {

extern const BinaryFunction kAdd;
extern const BinaryFunction kSub;
extern const BinaryFunction kMul;
extern const BinaryFunction kDiv;
extern const UnaryFunction kNeg;

}  // namespace gradmill
