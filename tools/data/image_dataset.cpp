#include "data/image_dataset.h"

#include <algorithm>
#include <filesystem>
#include <numeric>
#include <system_error>
#include <utility>

#include <gradmill/runtime/error.h>
#include <gradmill/runtime/support/random.h>

#include "data/idx.h"

namespace gradmill {
namespace {

std::string find_file(const std::string& folder, const std::string& name) {
  std::error_code ignored;
  check(std::filesystem::is_directory(folder, ignored), folder, ": no such folder of data");
  const std::string plain = (std::filesystem::path(folder) / name).string();
  for (const std::string& path : {plain + ".gz", plain}) {
    if (std::filesystem::exists(path, ignored)) return path;
  }
  fail(plain, ": missing, and so is ", name, ".gz");
}

}  // namespace

ImageDataset::ImageDataset(const std::string& folder, const std::string& prefix) {
  const std::string images_path = find_file(folder, prefix + "-images-idx3-ubyte");
  const std::string labels_path = find_file(folder, prefix + "-labels-idx1-ubyte");
  IdxArray images = read_idx(images_path, 3);
  IdxArray labels = read_idx(labels_path, 1);
  check(images.sizes[0] == labels.sizes[0], labels_path, ": ", labels.sizes[0],
        " labels, but there are ", images.sizes[0], " images in ", images_path);
  const auto wrong =
      std::ranges::find_if(labels.bytes, [](int label) { return label >= kClasses; });
  check(wrong == labels.bytes.end(), labels_path, ": label ",
        wrong == labels.bytes.end() ? 0 : int{*wrong}, " at ", wrong - labels.bytes.begin(),
        ", labels are 0 to ", kClasses - 1);
  rows_ = images.sizes[1];
  columns_ = images.sizes[2];
  images_ = std::move(images.bytes);
  labels_ = std::move(labels.bytes);
}

void ImageDataset::gather(std::span<const std::uint32_t> indices, std::span<float> pixels,
                          std::span<std::int64_t> labels) const {
  const auto size = static_cast<std::size_t>(this->pixels());
  check(pixels.size() == indices.size() * size && labels.size() == indices.size(), "gather of ",
        indices.size(), " images of ", size, " pixels into ", pixels.size(), " pixels and ",
        labels.size(), " labels");
  for (std::size_t i = 0; i < indices.size(); ++i) {
    const std::uint8_t* from = images_.data() + indices[i] * size;
    float* to = pixels.data() + i * size;
    for (std::size_t k = 0; k < size; ++k) to[k] = static_cast<float>(from[k]) * (2.0F / 255) - 1;
    labels[i] = labels_[indices[i]];
  }
}

std::vector<std::uint32_t> in_order(std::int64_t count) {
  std::vector<std::uint32_t> order(static_cast<std::size_t>(count));
  std::iota(order.begin(), order.end(), 0U);
  return order;
}

std::vector<std::uint32_t> shuffled(std::int64_t count, std::uint64_t seed, int epoch) {
  constexpr std::uint64_t kShuffleStream = 0x73687566'666c6500;
  const Philox random(seed, kShuffleStream + static_cast<std::uint64_t>(epoch));
  std::vector<std::uint32_t> order = in_order(count);
  for (std::size_t i = order.size(); i > 1; --i) {
    // The product is below i, also when rounded: uniform is at most 1 - 2^-53.
    const auto j = static_cast<std::size_t>(random.uniform(i) * static_cast<double>(i));
    std::swap(order[i - 1], order[j]);
  }
  return order;
}

}  // namespace gradmill
