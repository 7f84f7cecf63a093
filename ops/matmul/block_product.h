#pragma once

// A matrix product inside a kernel that does more than that, on blocks of larger
// matrices.

#include <cstddef>
#include <cstdint>
#include <string>

#include <gradmill/ops/matmul/grid.h>
#include <gradmill/ops/matmul/problem.h>
#include <gradmill/ops/tiles/block_layout.h>
#include <gradmill/runtime/tuning.h>

namespace gradmill {

/// The operands of one use of a product. What is left out of `rows` and `depth` is at their ends.
template <class T>
struct BlockOperands {
  std::int64_t rows;   ///< at most the problem's m
  std::int64_t depth;  ///< at most its k
  const T* a;
  const T* b;
  bool add = false;  ///< C += A B
  T* c;
  std::int64_t c_stride;
  T* parts = nullptr;  ///< of parts_elements() numbers; where the sum is cut, it goes there first
};

/// C = A B without a batch, as fixed tiles that each run on one thread. Where the sum over k is
/// cut, `sum_parts` comes after the last tile and makes C.
class BlockProduct {
 public:
  /// `a_stride` is from one row of A, as it is stored, to the next; B is dense. Unless `may_cut`,
  /// the sum stays whole.
  BlockProduct(const Gemm& gemm, std::int64_t a_stride, bool may_cut, const Tuning* tuning);

  std::int64_t tiles(std::int64_t rows) const;
  std::size_t scratch_bytes() const { return scratch_.bytes(); }
  bool cut() const { return parts_ > 1; }
  std::size_t parts_elements() const;
  std::string description() const;

  /// Where a tile lies in C.
  struct Place {
    std::int64_t row = 0;
    std::int64_t column = 0;
    std::int64_t rows = 0;
    std::int64_t columns = 0;
  };
  template <class T>
  Place run(std::int64_t tile, const BlockOperands<T>& operands, std::byte* scratch) const;

  std::int64_t sum_tiles(std::int64_t rows) const;
  template <class T>
  void sum_parts(std::int64_t tile, const BlockOperands<T>& operands) const;

 private:
  Gemm gemm_;
  Gemm stored_;  // its sizes are the strides of the operands
  GemmGrid grid_;
  std::int64_t columns_;  // tiles side by side
  std::int64_t part_depth_;
  std::int64_t parts_;
  BlockLayout scratch_;
  BlockPart<std::byte> packed_a_;
  BlockPart<std::byte> packed_b_;
};

}  // namespace gradmill
