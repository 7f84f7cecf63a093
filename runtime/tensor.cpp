#include <gradmill/runtime/tensor.h>

#include <ostream>

namespace gradmill {

std::string to_string(const Type& type) { return cat(to_string(type.dtype), ' ', type.shape); }

std::ostream& operator<<(std::ostream& out, const Type& type) { return out << to_string(type); }

}  // namespace gradmill
