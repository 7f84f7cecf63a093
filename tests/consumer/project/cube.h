#pragma once

#include <gradmill/graph/value.h>

/// x^3, element by element, f32: an op of the consumer's own.
gradmill::Value cube(gradmill::Value x);
