#include <gradmill/runtime/dtype.h>

#include <gradmill/runtime/error.h>

namespace gradmill {

std::size_t size_of(DType dtype) {
  return visit_dtype(dtype, [](auto element) { return sizeof(element); });
}

std::string to_string(DType dtype) {
  switch (dtype) {
    case DType::f32: return "f32";
    case DType::f64: return "f64";
    case DType::i64: return "i64";
  }
  return cat("dtype ", static_cast<int>(dtype));
}

void refuse_unknown(DType dtype) { fail(to_string(dtype), " is none of f32, f64 and i64"); }

void refuse_not_floating(DType dtype) {
  if (!is_known(dtype)) refuse_unknown(dtype);
  fail("needs f32 or f64, got ", to_string(dtype));
}

}  // namespace gradmill
