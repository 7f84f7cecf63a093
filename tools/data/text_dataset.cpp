#include "data/text_dataset.h"

#include <cstddef>

#include <gradmill/runtime/error.h>
#include <gradmill/runtime/support/random.h>

#include "text/read_file.h"

namespace gradmill {

TextDataset::TextDataset(const std::vector<std::string>& paths, std::int64_t context,
                         double validation_fraction)
    : context_(context) {
  check(!paths.empty(), "text to train on: no file is given");
  check(context >= 1, "the context must be at least 1 byte, got ", context);
  check(validation_fraction > 0 && validation_fraction < 1,
        "the fraction for validation must lie between 0 and 1, got ", validation_fraction);
  std::string names;
  for (const std::string& path : paths) {
    const std::string text = read_file(path);
    check(!text.empty(), path, ": is empty");
    bytes_ += text;
    names += (names.empty() ? "" : ", ") + path;
  }
  const auto size = static_cast<std::int64_t>(bytes_.size());
  split_ = size - static_cast<std::int64_t>(static_cast<double>(size) * validation_fraction);
  for (const auto& [part, part_size] :
       {std::pair("training", training_bytes()), std::pair("validation", validation_bytes())}) {
    check(part_size > context, names, ": ", size, " bytes leave ", part_size, " for ", part,
          ", fewer than the context of ", context, " and one more");
  }
}

void TextDataset::draw(std::uint64_t seed, std::uint64_t step, std::uint64_t micro_batch,
                       std::span<std::int64_t> inputs, std::span<std::int64_t> targets) const {
  constexpr std::uint64_t kTextStream = 0x74657874'00000000;
  const std::int64_t count = rows(inputs, targets);
  const Philox random(seed, kTextStream + step);
  const std::uint64_t first = micro_batch * static_cast<std::uint64_t>(count);
  const auto places = static_cast<double>(training_bytes() - context_);
  for (std::int64_t row = 0; row < count; ++row) {
    // The product is below `places`, also when rounded: uniform is at most 1 - 2^-53.
    const double place = random.uniform(first + static_cast<std::uint64_t>(row)) * places;
    copy_row(static_cast<std::int64_t>(place), row, inputs, targets);
  }
}

void TextDataset::validation(std::int64_t first, std::span<std::int64_t> inputs,
                             std::span<std::int64_t> targets) const {
  const std::int64_t count = rows(inputs, targets);
  check(first >= 0 && first <= validation_windows() - count, "pieces ", first, " to ",
        first + count - 1, " of the validation text, which has ", validation_windows());
  for (std::int64_t row = 0; row < count; ++row) {
    copy_row(split_ + (first + row) * context_, row, inputs, targets);
  }
}

std::int64_t TextDataset::rows(std::span<const std::int64_t> inputs,
                               std::span<const std::int64_t> targets) const {
  const auto size = static_cast<std::int64_t>(inputs.size());
  check(inputs.size() == targets.size() && size > 0 && size % context_ == 0,
        "a batch of text with context ", context_, ": ", inputs.size(), " inputs and ",
        targets.size(), " targets");
  return size / context_;
}

void TextDataset::copy_row(std::int64_t from, std::int64_t row, std::span<std::int64_t> inputs,
                           std::span<std::int64_t> targets) const {
  const auto byte = [&](std::int64_t at) {
    return std::int64_t{static_cast<unsigned char>(bytes_[static_cast<std::size_t>(at)])};
  };
  for (std::int64_t k = 0; k < context_; ++k) {
    const auto to = static_cast<std::size_t>(row * context_ + k);
    inputs[to] = byte(from + k);
    targets[to] = byte(from + k + 1);
  }
}

}  // namespace gradmill
