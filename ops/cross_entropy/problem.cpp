#include <gradmill/ops/cross_entropy/problem.h>

#include <string_view>

#include <gradmill/runtime/error.h>

namespace gradmill {
namespace {

using Parts = CrossEntropyParts;

[[noreturn]] void refuse(Reduction reduction) {
  fail("reduction ", static_cast<int>(reduction), " is none of none, mean and sum");
}

[[noreturn]] void refuse(Parts parts) {
  fail("part ", static_cast<int>(parts), " of cross-entropy is none of those there are");
}

std::string_view name_of(Reduction reduction) {
  switch (reduction) {
    case Reduction::none: return "none";
    case Reduction::mean: return "mean";
    case Reduction::sum: return "sum";
  }
  refuse(reduction);
}

}  // namespace

std::string to_string(const CrossEntropySettings& settings) {
  return cat("reduction=", name_of(settings.reduction), " ignore_index=", settings.ignore_index,
             " label_smoothing=", settings.label_smoothing);
}

bool is_reduced(Reduction reduction) {
  switch (reduction) {
    case Reduction::none: return false;
    case Reduction::mean:
    case Reduction::sum: return true;
  }
  refuse(reduction);
}

double loss_divisor(const CrossEntropySettings& settings, std::int64_t lines,
                    std::span<const double> label_totals) {
  switch (settings.reduction) {
    case Reduction::none:
    case Reduction::sum: return 1;
    case Reduction::mean: break;
  }
  if (!settings.labels) return static_cast<double>(lines);
  double total = 0;
  for (const double part : label_totals) total += part;
  return total;
}

bool has_loss(Parts parts) {
  switch (parts) {
    case Parts::loss:
    case Parts::loss_and_gradient: return true;
    case Parts::gradient: return false;
  }
  refuse(parts);
}

bool has_gradient(Parts parts) {
  switch (parts) {
    case Parts::gradient:
    case Parts::loss_and_gradient: return true;
    case Parts::loss: return false;
  }
  refuse(parts);
}

std::string to_string(Parts parts) {
  switch (parts) {
    case Parts::loss: return "loss";
    case Parts::gradient: return "gradient";
    case Parts::loss_and_gradient: return "loss and gradient";
  }
  refuse(parts);
}

}  // namespace gradmill
