#include "figures.h"
namespace gradmill::bench {
std::vector<Figure> measure_executor(int) { return {}; }
}  // namespace gradmill::bench
