#pragma once

#include <memory>

#include <gradmill/graph/optimizer.h>

namespace gradmill {

/// `torch.optim.SGD`: g += weight_decay p; buf = momentum buf + g (the first time buf = g, which
/// zeroed state gives as well since dampening is 0); g = nesterov ? g + momentum buf : buf; p -= lr
/// g. Without momentum there is no state. Converting throws Error for lr < 0, momentum < 0 or
/// weight_decay < 0, any of them not finite, or Nesterov without momentum.
struct SGD {
  double lr = 1e-3;
  double momentum = 0.0;
  double weight_decay = 0.0;
  bool nesterov = false;

  // NOLINTNEXTLINE(google-explicit-constructor): options read as the optimizer they describe
  GRADMILL_API operator std::shared_ptr<const Optimizer>() const;
};

/// `torch.optim.AdamW`: p -= lr weight_decay p; m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2;
/// p -= lr / (1 - b1^t) m / (sqrt(v) / sqrt(1 - b2^t) + eps), where t counts the AdamW updates of
/// each parameter from 1. I. Loshchilov and F. Hutter, "Decoupled weight decay regularization",
/// ICLR 2019. Converting throws Error for lr, eps or weight_decay < 0, a beta outside [0, 1), or
/// any of them not finite.
struct AdamW {
  double lr = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0.01;

  // NOLINTNEXTLINE(google-explicit-constructor): options read as the optimizer they describe
  GRADMILL_API operator std::shared_ptr<const Optimizer>() const;
};

}  // namespace gradmill
