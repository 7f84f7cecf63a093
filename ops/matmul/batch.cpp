#include <gradmill/ops/matmul/batch.h>

#include <algorithm>
#include <utility>

#include <gradmill/runtime/support/index.h>

namespace gradmill {
namespace {

// Takes one shape's sizes from the last to the first.
class Strides {
 public:
  explicit Strides(const Shape& shape) : shape_(shape) {}

  std::int64_t size(int k) const { return size_from_end(shape_, k); }

  // In matrices; 0 for an axis that the shape lacks.
  std::int64_t next(int k) {
    if (size(k) == 1) return 0;
    return std::exchange(stride_, stride_ * size(k));
  }

 private:
  const Shape& shape_;
  std::int64_t stride_ = 1;
};

bool continues(const BatchAxis& outer, const BatchAxis& inner) {
  return outer.a == inner.a * inner.size && outer.b == inner.b * inner.size &&
         outer.c == inner.c * inner.size;
}

// A row of A is also a column: either way of storing it has the same bytes.
bool folds_into_rows(const Gemm& g, const BatchAxis& axis) {
  return axis.a == 1 && axis.b == 0 && axis.c == 1 && (!g.transpose_a || g.m == 1 || g.k == 1);
}

bool folds_into_depth(const Gemm& g, const BatchAxis& axis) {
  return axis.a == 1 && axis.b == 1 && axis.c == 0 && (g.transpose_a || g.m == 1 || g.k == 1) &&
         (!g.transpose_b || g.n == 1 || g.k == 1);
}

}  // namespace

std::vector<BatchAxis> batch_axes(const Shape& a, const Shape& b, const Shape& c) {
  Strides in_a(a);
  Strides in_b(b);
  Strides in_c(c);
  std::vector<BatchAxis> axes;  // from the last to the first
  for (int k = 1; k <= std::max({a.rank(), b.rank(), c.rank()}); ++k) {
    const std::int64_t size = std::max({in_a.size(k), in_b.size(k), in_c.size(k)});
    if (size == 1) continue;
    const BatchAxis axis{size, in_a.next(k), in_b.next(k), in_c.next(k)};
    if (!axes.empty() && continues(axis, axes.back())) {
      axes.back().size *= size;
    } else {
      axes.push_back(axis);
    }
  }
  std::reverse(axes.begin(), axes.end());
  return axes;
}

Gemm folded(Gemm g) {
  const auto fold = [&](const BatchAxis& axis) {
    if (folds_into_rows(g, axis)) {
      g.m *= axis.size;
      g.transpose_a = false;
    } else if (folds_into_depth(g, axis)) {
      g.k *= axis.size;
      g.transpose_a = true;
      g.transpose_b = false;
    } else {
      return false;
    }
    return true;
  };
  // Folding an axis makes the next one of the same tensors dense in its turn.
  for (auto at = g.batch.end(); at != g.batch.begin();) {
    const BatchAxis axis = *--at;
    if (!fold(axis)) continue;
    at = g.batch.erase(at);
    for (BatchAxis& rest : g.batch) {
      if (axis.a != 0) rest.a /= axis.size;
      if (axis.b != 0) rest.b /= axis.size;
      if (axis.c != 0) rest.c /= axis.size;
    }
    at = g.batch.end();
  }
  return g;
}

BatchWalk::BatchWalk(std::vector<BatchAxis> axes) : axes_(std::move(axes)) {
  std::reverse(axes_.begin(), axes_.end());
  for (const BatchAxis& axis : axes_) size_ *= axis.size;
}

BatchWalk::Place BatchWalk::at(std::int64_t index) const {
  Place place;
  for (const BatchAxis& axis : axes_) {
    const std::int64_t step = index % axis.size;
    index /= axis.size;
    place.a += step * axis.a;
    place.b += step * axis.b;
  }
  return place;
}

}  // namespace gradmill
