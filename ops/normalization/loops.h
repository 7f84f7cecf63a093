#pragma once

// The vector loops of layer_norm and rms_norm, over rows of n elements.

#include <cstdint>

namespace gradmill {

template <class T>
struct NormRows {
  std::int64_t rows;
  std::int64_t n;
  double eps;
  const T* x;
  const T* weight;  ///< n elements; null for ones
  const T* bias;    ///< n elements; null for zeros
  T* y;             ///< may be x
  T* mean;          ///< one per row; null for rms_norm, which takes it for 0
  T* rstd;          ///< one per row
};

void normalize_rows(const NormRows<float>& rows);
void normalize_rows(const NormRows<double>& rows);

template <class T>
struct NormBackwardRows {
  std::int64_t rows;
  std::int64_t n;
  const T* dy;
  const T* x;
  const T* mean;  ///< null for rms_norm
  const T* rstd;
  const T* weight;  ///< null for ones
  T* dx;            ///< may be dy or x; null where it is not wanted, as the two below
  T* dweight;       ///< n elements, to which the rows' sums are added
  T* dbias;
};

void normalize_rows_backward(const NormBackwardRows<float>& rows);
void normalize_rows_backward(const NormBackwardRows<double>& rows);

}  // namespace gradmill
