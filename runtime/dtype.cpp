#include <gradmill/runtime/dtype.h>

namespace gradmill {

std::size_t size_of(DType dtype) { return dtype == DType::f32 ? 4 : 8; }

std::string_view to_string(DType dtype) {
  switch (dtype) {
    case DType::f32: return "f32";
    case DType::f64: return "f64";
    case DType::i64: return "i64";
  }
  return "?";
}

}  // namespace gradmill
