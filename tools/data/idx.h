#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace gradmill {

/// A block of unsigned bytes with its sizes, as the IDX format stores it.
struct IdxArray {
  std::vector<std::int64_t> sizes;
  std::vector<std::uint8_t> bytes;  ///< row-major, the product of `sizes` long
};

/// Reads an IDX file of unsigned bytes and `rank` dimensions, plain or compressed by gzip.
///
/// Format: http://yann.lecun.com/exdb/mnist: two zero bytes, the element type (8: unsigned byte),
/// the number of dimensions, the sizes as big-endian 32-bit numbers, then the elements.
///
/// Throws Error naming the file when it cannot be read, is damaged, has another magic number, a
/// size of zero or more than 4 GiB of elements, or holds fewer or more bytes than its sizes say.
IdxArray read_idx(const std::string& path, int rank);

}  // namespace gradmill
