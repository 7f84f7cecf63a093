#include <gradmill/runtime/shape.h>

#include <limits>
#include <ostream>

#include <gradmill/runtime/error.h>

namespace gradmill {
namespace {

// Bytes must stay addressable for the widest element type.
constexpr std::int64_t kMaxElements = std::numeric_limits<std::int64_t>::max() / 8;

std::string join(std::span<const std::int64_t> sizes) {
  std::string text = "[";
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    if (i > 0) text += ", ";
    text += std::to_string(sizes[i]);
  }
  return text + "]";
}

}  // namespace

Shape::Shape(std::initializer_list<std::int64_t> sizes)
    : Shape(std::span(sizes.begin(), sizes.size())) {}

Shape::Shape(std::span<const std::int64_t> sizes) : sizes_(sizes.begin(), sizes.end()) {
  for (const std::int64_t size : sizes) {
    if (size <= 0) {
      fail("shape ", join(sizes), ": every size must be at least 1, got ", size);
    }
    if (elements_ > kMaxElements / size) {
      fail("shape ", join(sizes), ": the product of the sizes overflows (at most ", kMaxElements,
           " elements)");
    }
    elements_ *= size;
  }
}

std::string to_string(const Shape& shape) { return join({shape.begin(), shape.end()}); }

std::ostream& operator<<(std::ostream& out, const Shape& shape) { return out << to_string(shape); }

int normalize_axis(int axis, const Shape& shape) {
  const int rank = shape.rank();
  check(axis >= -rank && axis < rank, "axis ", axis, " is out of range for shape ", shape,
        ": it must be in [", -rank, ", ", rank, ")");
  return axis < 0 ? axis + rank : axis;
}

}  // namespace gradmill
