#include "commands/check_gradients.h"

#include <iostream>

#include <gradmill/runtime/error.h>

namespace gradmill {

int check_gradients(const Graph& graph, Value value, std::span<const Feed> feeds,
                    const GradcheckOptions& options) {
  const GradcheckReport report = gradcheck(graph, value, feeds, options);
  std::cout << report.table();
  if (!report.ok()) throw Failure(report.message());
  return 0;
}

}  // namespace gradmill
