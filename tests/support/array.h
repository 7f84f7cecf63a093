#pragma once

#include <gradmill/runtime/shape.h>

#include <cstdint>
#include <functional>
#include <ostream>
#include <random>
#include <vector>

namespace gradmill {

/// A dense row-major array of doubles: what the tests compute their references with, one obvious
/// loop an op.
struct Array {
  Shape shape;
  std::vector<double> data;

  Array() : data(1) {}
  explicit Array(Shape sizes, double value = 0)
      : shape(std::move(sizes)), data(static_cast<std::size_t>(shape.elements()), value) {}
  Array(Shape sizes, std::vector<double> values)
      : shape(std::move(sizes)), data(std::move(values)) {}

  std::int64_t size() const { return shape.elements(); }
  double& operator[](std::int64_t i) { return data[static_cast<std::size_t>(i)]; }
  double operator[](std::int64_t i) const { return data[static_cast<std::size_t>(i)]; }
  double& operator()(std::int64_t i, std::int64_t j) { return (*this)[i * shape[1] + j]; }
  double operator()(std::int64_t i, std::int64_t j) const { return (*this)[i * shape[1] + j]; }
};

/// Draws everything that a test draws; the seed is fixed, and printed with a failure.
class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}

  std::int64_t integer(std::int64_t low, std::int64_t high);  ///< in [low, high]
  double uniform(double low, double high);
  /// `rank` sizes, of which many are 1 or odd, of at most `most` each.
  Shape shape(int rank, std::int64_t most = 9);
  /// Numbers in [low, high), at least `gap` from zero: a kink there spoils difference quotients.
  Array array(const Shape& shape, double low = -2, double high = 2, double gap = 0);
  /// No two elements of these are closer than 1e-2.
  Array distinct(const Shape& shape);

 private:
  std::mt19937_64 engine_;
};

// References. Indices are vectors of one number an axis.

using Index = std::vector<std::int64_t>;
Index index_of(std::int64_t flat, const Shape& shape);
std::int64_t flat_of(const Index& index, const Shape& shape);

Array map(const Array& x, const std::function<double(double)>& f);
/// With NumPy broadcasting.
Array zip(const Array& a, const Array& b, const std::function<double(double, double)>& f);
Array broadcast(const Array& x, const Shape& shape);
/// `f` gets the elements that are reduced to one. Axes are sorted; keepdim leaves sizes of 1.
Array reduce(const Array& x, const std::vector<int>& axes, bool keepdim,
             const std::function<double(const std::vector<double>&)>& f);
Array transpose(const Array& x, int dim0, int dim1);
/// Of vectors, matrices and batches of matrices that broadcast, as torch.matmul.
Array matmul(const Array& a, const Array& b);
Array softmax(const Array& x, int axis, bool logarithm);
/// The mean over rows of -log softmax(logits)[label].
double cross_entropy(const Array& logits, const std::vector<std::int64_t>& labels);

}  // namespace gradmill
