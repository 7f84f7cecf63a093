#include <gradmill/graph/gradcheck.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <string_view>

#include <gradmill/graph/tensor_check.h>
#include <gradmill/runtime/error.h>
#include <gradmill/runtime/index.h>

namespace gradmill {
namespace {

template <class... Args>
std::string format(const char* pattern, Args... args) {
  char text[64];
  std::snprintf(text, sizeof text, pattern, args...);
  return text;
}

std::string in_words(const GradcheckSlope& slope) {
  const char* what = "";
  switch (slope.verdict) {
    case GradcheckVerdict::fine: what = "fine"; break;
    case GradcheckVerdict::kink: what = "a kink"; break;
    case GradcheckVerdict::wrong: what = "wrong gradient"; break;
    case GradcheckVerdict::not_smooth: what = "no slope, the value is not smooth there"; break;
    case GradcheckVerdict::not_finite: what = "not finite"; break;
  }
  return cat(what, format(": analytic %.10g", slope.analytic),
             format(", numeric %.10g", slope.numeric), format(", error %.3g", slope.error),
             format(", tolerance %.3g", slope.tolerance));
}

std::string in_words(const GradcheckDirection& direction, const Shape& shape) {
  return cat("along a random direction through ", index_text(unravel_index(direction.begin, shape)),
             " to ", index_text(unravel_index(direction.end - 1, shape)));
}

std::string sampling(const GradcheckReport& report) {
  std::int64_t checked = 0;
  std::int64_t elements = 0;
  bool directions = false;
  for (const GradcheckTensor& tensor : report.tensors) {
    checked += tensor.checked;
    elements += tensor.type.shape.elements();
    directions = directions || tensor.direction;
  }
  return cat("seed ", report.seed, ", ",
             checked == elements ? cat("all ", elements) : cat(checked, " of ", elements),
             " elements checked", directions ? " and a random direction a tensor" : "");
}

// Columns as wide as their widest entry; the first two to the left, numbers to the right.
std::string aligned(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths(rows.front().size(), 0);
  for (const auto& row : rows) {
    for (std::size_t k = 0; k < row.size(); ++k) widths[k] = std::max(widths[k], row[k].size());
  }
  std::string text;
  for (const auto& row : rows) {
    for (std::size_t k = 0; k < row.size(); ++k) {
      const std::string space(widths[k] - row[k].size(), ' ');
      const bool last = k + 1 == row.size();
      if (k > 0) text += "  ";
      text += k < 2 || last ? row[k] + (last ? "" : space) : space + row[k];
    }
    text += '\n';
  }
  return text;
}

std::string verdict_of(const GradcheckTensor& tensor, bool compared) {
  if (!compared) return "not compared";
  if (tensor.ok()) return "ok";
  const bool element = tensor.worst && !tensor.worst->slope.ok();
  switch (element ? tensor.worst->slope.verdict : tensor.direction->slope.verdict) {
    case GradcheckVerdict::not_smooth: return "NOT SMOOTH";
    case GradcheckVerdict::not_finite: return "NOT FINITE";
    default: return "WRONG";
  }
}

std::vector<std::string> row_of(const GradcheckTensor& tensor, bool compared) {
  std::vector<std::string> row = {tensor.name, to_string(tensor.type),
                                  cat(tensor.checked, '/', tensor.type.shape.elements()),
                                  std::to_string(tensor.kinks)};
  if (tensor.worst) {
    const GradcheckSlope& slope = tensor.worst->slope;
    row.insert(row.end(), {index_text(tensor.worst->index), format("%.6g", slope.analytic),
                           format("%.6g", slope.numeric), format("%.2g", slope.error),
                           format("%.2g", slope.tolerance)});
  } else {
    row.insert(row.end(), 5, "-");
  }
  row.push_back(tensor.direction ? format("%.2g", tensor.direction->slope.error) : "-");
  row.push_back(verdict_of(tensor, compared));
  return row;
}

}  // namespace

bool GradcheckReport::ok() const {
  return problem.empty() && !tensors.empty() &&
         std::ranges::all_of(tensors, [](const GradcheckTensor& tensor) { return tensor.ok(); });
}

std::string GradcheckReport::message() const {
  const std::string head = cat("gradcheck of '", value, "': ");
  if (!problem.empty()) return cat(head, problem, "; seed ", seed);
  const GradcheckTensor* worst = nullptr;
  double most = 0;
  const auto offer = [&](const GradcheckTensor& tensor, const GradcheckSlope& slope) {
    if (slope.ok() || severity(slope) <= most) return;
    most = severity(slope);
    worst = &tensor;
  };
  for (const GradcheckTensor& tensor : tensors) {
    if (tensor.worst) offer(tensor, tensor.worst->slope);
  }
  if (worst != nullptr) {
    return cat(head, "'", worst->name, "' ", worst->type, " at ", index_text(worst->worst->index),
               ": ", in_words(worst->worst->slope), "; ", sampling(*this));
  }
  for (const GradcheckTensor& tensor : tensors) {
    if (tensor.direction) offer(tensor, tensor.direction->slope);
  }
  if (worst != nullptr) {
    return cat(head, "'", worst->name, "' ", worst->type, " ",
               in_words(*worst->direction, worst->type.shape), ": ",
               in_words(worst->direction->slope), "; ", sampling(*this));
  }
  return cat(head, "fine; ", sampling(*this));
}

std::string GradcheckReport::table() const {
  std::vector<std::vector<std::string>> rows = {{"tensor", "type", "checked", "kinks", "worst at",
                                                 "analytic", "numeric", "error", "tolerance",
                                                 "direction", "result"}};
  for (const GradcheckTensor& tensor : tensors) rows.push_back(row_of(tensor, problem.empty()));
  std::string text = aligned(rows);
  for (const std::string& name : left_out) text += cat("left out: ", name, '\n');
  return text + cat(sampling(*this), '\n');
}

}  // namespace gradmill
