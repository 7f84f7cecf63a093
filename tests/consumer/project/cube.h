#pragma once

#include <gradmill/graph/value.h>

/// x^3, element by element, f32 or f64: an op of the consumer's own.
gradmill::Value cube(gradmill::Value x);

/// The same with a gradient that forgets the chain rule.
gradmill::Value forgetful_cube(gradmill::Value x);
