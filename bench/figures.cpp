// Prints what is measured besides training steps: usage: figures executor THREADS | figures compile

#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "workloads/figures.h"

int main(int argc, char** argv) {
  const std::string_view what = argc > 1 ? argv[1] : "";
  std::vector<gradmill::bench::Figure> figures;
  if (what == "compile" && argc == 2) {
    figures = gradmill::bench::measure_compile();
  } else if (what == "executor" && argc == 3 && std::atoi(argv[2]) > 0) {
    figures = gradmill::bench::measure_executor(std::atoi(argv[2]));
  } else {
    std::fprintf(stderr, "usage: %s executor THREADS | compile\n", argv[0]);
    return 2;
  }
  for (const auto& [name, value, unit, target] : figures) {
    std::printf("%-48s %10.2f %-8s %s\n", name.c_str(), value, unit.c_str(), target.c_str());
  }
}
