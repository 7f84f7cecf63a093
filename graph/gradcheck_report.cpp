#include <gradmill/graph/gradcheck_report.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>

#include <gradmill/runtime/error.h>
#include <gradmill/runtime/support/index.h>

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
    case GradcheckVerdict::outside:
      what =
          "at a kink, and outside of both slopes: several kinks at once, or wrong; try another "
          "point";
      break;
    case GradcheckVerdict::not_smooth: what = "no slope, the value is not smooth there"; break;
    case GradcheckVerdict::not_finite: what = "not finite"; break;
  }
  const bool flat = slope.verdict == GradcheckVerdict::wrong && slope.numeric == 0;
  return cat(what, format(": analytic %.10g", slope.analytic),
             format(", numeric %.10g", slope.numeric),
             flat ? " (does an op compute in float?)" : "", format(", error %.3g", slope.error),
             format(", tolerance %.3g", slope.tolerance));
}

std::string in_words(const GradcheckDirection& direction, const Shape& shape) {
  return cat("along a random direction through ", index_text(unravel_index(direction.begin, shape)),
             " to ", index_text(unravel_index(direction.end - 1, shape)));
}

bool meets_kinks(const GradcheckTensor& tensor) {
  return tensor.direction && tensor.direction->slope.verdict == GradcheckVerdict::kink;
}

bool only_kinks(const GradcheckTensor& tensor) {
  return !tensor.seen && tensor.kinks == tensor.checked;
}

// "'a', 'b'" of the tensors that are so.
std::string names_of(const std::vector<GradcheckTensor>& tensors,
                     bool (*so)(const GradcheckTensor&)) {
  std::string text;
  for (const GradcheckTensor& tensor : tensors) {
    if (so(tensor)) text += cat(text.empty() ? "'" : ", '", tensor.name, "'");
  }
  return text;
}

// What a report without a failure leaves open, each clause with a semicolon before it.
std::string open_ends(const GradcheckReport& report) {
  std::string text;
  const std::string kinks = names_of(report.tensors, meets_kinks);
  if (!kinks.empty()) {
    text += cat("; the direction through ", kinks,
                " meets kinks, so its elements that were not drawn are not checked");
  }
  const std::string all_kinks = names_of(report.tensors, only_kinks);
  if (!all_kinks.empty()) text += cat("; all elements checked of ", all_kinks, " are kinks");
  const std::string some_kinks = names_of(report.tensors, [](const GradcheckTensor& tensor) {
    return !tensor.seen && !only_kinks(tensor) && tensor.kinks > 0;
  });
  if (!some_kinks.empty()) {
    text += cat("; all slopes of ", some_kinks, " are kinks or below the tolerance");
  }
  const std::string unseen = names_of(report.tensors, [](const GradcheckTensor& tensor) {
    return !tensor.seen && !only_kinks(tensor) && tensor.kinks == 0;
  });
  if (!unseen.empty()) text += cat("; all slopes of ", unseen, " are below the tolerance");
  std::string blocked;
  for (const std::string& name : report.blocked) {
    blocked += cat(blocked.empty() ? "'" : ", '", name, "'");
  }
  if (!blocked.empty()) text += cat("; no gradient flows to ", blocked);
  return text;
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
             " elements checked", directions ? " and a random direction per tensor" : "");
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
  if (tensor.ok()) return tensor.seen ? "ok" : only_kinks(tensor) ? "all kinks" : "unseen";
  const bool element = tensor.worst && !tensor.worst->slope.ok();
  switch (element ? tensor.worst->slope.verdict : tensor.direction->slope.verdict) {
    case GradcheckVerdict::outside: return "KINK?";
    case GradcheckVerdict::not_smooth: return "NOT SMOOTH";
    case GradcheckVerdict::not_finite: return "NOT FINITE";
    case GradcheckVerdict::wrong: break;
    case GradcheckVerdict::fine:
    case GradcheckVerdict::kink: break;  // of neither, as the tensor is not ok
  }
  return "WRONG";
}

std::string direction_of(const GradcheckTensor& tensor) {
  if (!tensor.direction) return "-";
  if (meets_kinks(tensor)) return "kinks";
  const GradcheckSlope& slope = tensor.direction->slope;
  return cat(format("%.2g", slope.error), " of ", format("%.2g", slope.tolerance));
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
  row.push_back(direction_of(tensor));
  row.push_back(verdict_of(tensor, compared));
  return row;
}

}  // namespace

double GradcheckSlope::severity() const {
  if (verdict == GradcheckVerdict::kink) return -1;
  const double ratio = error == 0 ? 0 : error / tolerance;
  if (ok()) return std::min(ratio, 1.0);
  return std::isnan(ratio) ? std::numeric_limits<double>::infinity() : std::max(ratio, 2.0);
}

bool GradcheckReport::ok() const {
  return problem.empty() && !tensors.empty() &&
         std::ranges::all_of(tensors, [](const GradcheckTensor& tensor) { return tensor.ok(); });
}

std::string GradcheckReport::message() const {
  const std::string head = cat("gradcheck of '", value, "': ");
  if (!problem.empty()) return cat(head, problem, "; seed ", seed);
  const GradcheckTensor* worst = nullptr;
  double worst_severity = 0;
  const auto offer = [&](const GradcheckTensor& tensor, const GradcheckSlope& slope) {
    if (slope.ok() || slope.severity() <= worst_severity) return;
    worst_severity = slope.severity();
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
  return cat(head, "fine", open_ends(*this), "; ", sampling(*this));
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
