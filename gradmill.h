#pragma once

// Everything that a program which builds and trains graphs needs.

#include <gradmill/graph/autodiff.h>
#include <gradmill/graph/gradcheck.h>
#include <gradmill/graph/graph.h>
#include <gradmill/graph/session.h>
#include <gradmill/ops/accuracy.h>
#include <gradmill/ops/activation.h>
#include <gradmill/ops/arithmetic.h>
#include <gradmill/ops/attention.h>
#include <gradmill/ops/broadcast.h>
#include <gradmill/ops/clip_grad_norm.h>
#include <gradmill/ops/concat.h>
#include <gradmill/ops/cross_entropy.h>
#include <gradmill/ops/dropout.h>
#include <gradmill/ops/embedding.h>
#include <gradmill/ops/layer_norm.h>
#include <gradmill/ops/learning_rate.h>
#include <gradmill/ops/linear.h>
#include <gradmill/ops/linear_cross_entropy.h>
#include <gradmill/ops/math.h>
#include <gradmill/ops/matmul.h>
#include <gradmill/ops/optimizer.h>
#include <gradmill/ops/reduce.h>
#include <gradmill/ops/reshape.h>
#include <gradmill/ops/slice.h>
#include <gradmill/ops/softmax.h>
#include <gradmill/ops/softplus.h>
#include <gradmill/runtime/error.h>
#include <gradmill/runtime/profile.h>
