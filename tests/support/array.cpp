#include "array.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace gradmill {

std::int64_t Random::integer(std::int64_t low, std::int64_t high) {
  return low + static_cast<std::int64_t>(engine_() % static_cast<std::uint64_t>(high - low + 1));
}

double Random::uniform(double low, double high) {
  return low + (high - low) * (static_cast<double>(engine_() >> 11) * 0x1p-53);
}

Shape Random::shape(int rank, std::int64_t most) {
  std::vector<std::int64_t> sizes;
  for (int k = 0; k < rank; ++k) sizes.push_back(integer(0, 3) == 0 ? 1 : integer(1, most));
  return Shape(sizes);
}

Array Random::array(const Shape& shape, double low, double high, double gap) {
  Array result(shape);
  for (double& value : result.data) {
    do value = uniform(low, high);
    while (std::abs(value) < gap);
  }
  return result;
}

Array Random::distinct(const Shape& shape) {
  Array result(shape);
  for (std::int64_t i = 0; i < result.size(); ++i) {
    result[i] = 2e-2 * (static_cast<double>(i) - static_cast<double>(result.size()) / 3);
  }
  std::shuffle(result.data.begin(), result.data.end(), engine_);
  return result;
}

Index index_of(std::int64_t flat, const Shape& shape) {
  Index index(static_cast<std::size_t>(shape.rank()));
  for (int k = shape.rank() - 1; k >= 0; --k) {
    index[static_cast<std::size_t>(k)] = flat % shape[k];
    flat /= shape[k];
  }
  return index;
}

std::int64_t flat_of(const Index& index, const Shape& shape) {
  std::int64_t flat = 0;
  for (int k = 0; k < shape.rank(); ++k)
    flat = flat * shape[k] + index[static_cast<std::size_t>(k)];
  return flat;
}

Array map(const Array& x, const std::function<double(double)>& f) {
  Array y = x;
  std::ranges::transform(x.data, y.data.begin(), f);
  return y;
}

Array broadcast(const Array& x, const Shape& shape) {
  Array y(shape);
  for (std::int64_t i = 0; i < y.size(); ++i) {
    Index index = index_of(i, shape);
    index.erase(index.begin(), index.begin() + (shape.rank() - x.shape.rank()));
    for (int k = 0; k < x.shape.rank(); ++k) {
      if (x.shape[k] == 1) index[static_cast<std::size_t>(k)] = 0;
    }
    y[i] = x[flat_of(index, x.shape)];
  }
  return y;
}

Array zip(const Array& a, const Array& b, const std::function<double(double, double)>& f) {
  std::vector<std::int64_t> sizes;
  for (int k = std::max(a.shape.rank(), b.shape.rank()); k >= 1; --k) {
    const std::int64_t size_a = k <= a.shape.rank() ? a.shape[a.shape.rank() - k] : 1;
    const std::int64_t size_b = k <= b.shape.rank() ? b.shape[b.shape.rank() - k] : 1;
    sizes.push_back(std::max(size_a, size_b));
  }
  const Shape shape(sizes);
  const Array wide_a = broadcast(a, shape);
  const Array wide_b = broadcast(b, shape);
  Array y(shape);
  for (std::int64_t i = 0; i < y.size(); ++i) y[i] = f(wide_a[i], wide_b[i]);
  return y;
}

Array reduce(const Array& x, const std::vector<int>& axes, bool keepdim,
             const std::function<double(const std::vector<double>&)>& f) {
  const auto reduced = [&](int k) {
    return axes.empty() || std::ranges::find(axes, k) != axes.end() ||
           std::ranges::find(axes, k - x.shape.rank()) != axes.end();
  };
  std::vector<std::int64_t> kept;
  std::vector<std::int64_t> dropped;
  for (int k = 0; k < x.shape.rank(); ++k) {
    kept.push_back(reduced(k) ? 1 : x.shape[k]);
    if (!reduced(k)) dropped.push_back(x.shape[k]);
  }
  const Shape kept_shape(kept);
  std::vector<std::vector<double>> groups(static_cast<std::size_t>(kept_shape.elements()));
  for (std::int64_t i = 0; i < x.size(); ++i) {
    Index index = index_of(i, x.shape);
    for (int k = 0; k < x.shape.rank(); ++k) {
      if (reduced(k)) index[static_cast<std::size_t>(k)] = 0;
    }
    groups[static_cast<std::size_t>(flat_of(index, kept_shape))].push_back(x[i]);
  }
  Array y(keepdim ? kept_shape : Shape(dropped));
  for (std::int64_t i = 0; i < y.size(); ++i) y[i] = f(groups[static_cast<std::size_t>(i)]);
  return y;
}

Array transpose(const Array& x, int dim0, int dim1) {
  const auto first = static_cast<std::size_t>(dim0 < 0 ? dim0 + x.shape.rank() : dim0);
  const auto second = static_cast<std::size_t>(dim1 < 0 ? dim1 + x.shape.rank() : dim1);
  std::vector<std::int64_t> sizes = x.shape.sizes();
  std::swap(sizes[first], sizes[second]);
  Array y{Shape(sizes)};
  for (std::int64_t i = 0; i < y.size(); ++i) {
    Index index = index_of(i, y.shape);
    std::swap(index[first], index[second]);
    y[i] = x[flat_of(index, x.shape)];
  }
  return y;
}

Array matmul(const Array& a, const Array& b) {
  // A vector is a row on the left and a column on the right, and that axis is dropped again.
  const bool row = a.shape.rank() == 1;
  const bool column = b.shape.rank() == 1;
  const Array left = row ? Array({1, a.size()}, a.data) : a;
  const Array right = column ? Array({b.size(), 1}, b.data) : b;
  const int rank_a = left.shape.rank();
  const int rank_b = right.shape.rank();
  const std::int64_t depth = left.shape[rank_a - 1];

  const Shape batch_a(std::vector(left.shape.begin(), left.shape.end() - 2));
  const Shape batch_b(std::vector(right.shape.begin(), right.shape.end() - 2));
  const Shape batch = zip(Array(batch_a), Array(batch_b), std::plus<>()).shape;
  std::vector<std::int64_t> sizes = batch.sizes();
  sizes.push_back(left.shape[rank_a - 2]);
  sizes.push_back(right.shape[rank_b - 1]);
  const auto wide = [&](const Array& x) {
    std::vector<std::int64_t> repeated = batch.sizes();
    repeated.insert(repeated.end(), x.shape.end() - 2, x.shape.end());
    return broadcast(x, Shape(repeated));
  };
  const Array wide_a = wide(left);
  const Array wide_b = wide(right);

  Array c{Shape(sizes)};
  for (std::int64_t at = 0; at < c.size(); ++at) {
    Index in_a = index_of(at, c.shape);
    Index in_b = in_a;
    for (std::int64_t k = 0; k < depth; ++k) {
      in_a.back() = k;
      *(in_b.end() - 2) = k;
      c[at] += wide_a[flat_of(in_a, wide_a.shape)] * wide_b[flat_of(in_b, wide_b.shape)];
    }
  }
  if (column) sizes.pop_back();
  if (row) sizes.erase(sizes.end() - (column ? 1 : 2));
  return {Shape(sizes), c.data};
}

Array softmax(const Array& x, int axis, bool logarithm) {
  const Array most =
      reduce(x, {axis}, true, [](const std::vector<double>& row) { return std::ranges::max(row); });
  const Array shifted = zip(x, most, std::minus<>());
  const Array sums = reduce(shifted, {axis}, true, [](const std::vector<double>& row) {
    double sum = 0;
    for (const double value : row) sum += std::exp(value);
    return sum;
  });
  return zip(shifted, sums, [&](double value, double sum) {
    return logarithm ? value - std::log(sum) : std::exp(value) / sum;
  });
}

double cross_entropy(const Array& logits, const std::vector<std::int64_t>& labels) {
  const Array logs = softmax(logits, 1, true);
  double sum = 0;
  for (std::int64_t i = 0; i < logs.shape[0]; ++i)
    sum -= logs(i, labels[static_cast<std::size_t>(i)]);
  return sum / static_cast<double>(logs.shape[0]);
}

}  // namespace gradmill
