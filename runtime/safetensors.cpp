#include <gradmill/runtime/error.h>
#include <gradmill/runtime/io/files.h>
#include <gradmill/runtime/safetensors.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <new>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>

// The format: https://huggingface.co/docs/safetensors. A little-endian 64-bit header length, a JSON
// header, then the tensors' bytes.

namespace gradmill {
namespace {

static_assert(std::endian::native == std::endian::little, "the format is little-endian");

constexpr std::uint64_t kMaxHeader = 100'000'000;
constexpr std::size_t kAlignment = 8;
constexpr const char* kMetadata = "__metadata__";

std::string_view format_name(DType dtype) {
  switch (dtype) {
    case DType::f32: return "F32";
    case DType::f64: return "F64";
    case DType::i64: return "I64";
  }
  return "?";
}

std::optional<DType> parse_dtype(std::string_view name) {
  for (const DType dtype : {DType::f32, DType::f64, DType::i64}) {
    if (format_name(dtype) == name) return dtype;
  }
  return std::nullopt;
}

// Where one tensor lies in the data that follow the header.
struct Entry {
  std::string name;
  Type type;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

// Parses the header, refusing keys that appear twice, which a JSON object would drop silently.
nlohmann::json parse_json(const std::string& text) {
  std::vector<std::set<std::string>> keys;
  const auto watch = [&keys](int, nlohmann::json::parse_event_t event, nlohmann::json& parsed) {
    using Event = nlohmann::json::parse_event_t;
    if (event == Event::object_start) keys.emplace_back();
    if (event == Event::object_end) keys.pop_back();
    if (event == Event::key) {
      const auto& key = parsed.get_ref<const std::string&>();
      check(keys.back().insert(key).second, "the key '", key, "' appears twice in the header");
    }
    return true;
  };
  try {
    return nlohmann::json::parse(text, watch);
  } catch (const nlohmann::json::exception& error) {
    fail("the header is not valid JSON: ", error.what());
  }
}

// Sizes and offsets are whole numbers that fit in 63 bits.
std::uint64_t whole(const nlohmann::json& number, std::string_view what) {
  check(number.is_number_unsigned(), what, " must be whole numbers of at least 0");
  const auto value = number.get<std::uint64_t>();
  check(value <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()), what, " ",
        value, " is out of range");
  return value;
}

Type parse_type(const nlohmann::json& info) {
  const auto& dtype = info.at("dtype");
  check(dtype.is_string(), "'dtype' must be a string");
  const auto& dtype_name = dtype.get_ref<const std::string&>();
  const std::optional<DType> known = parse_dtype(dtype_name);
  check(known.has_value(), "dtype '", dtype_name,
        "' is not supported, only F32, F64 and I64 are: convert the tensor before it is saved");
  const auto& shape = info.at("shape");
  check(shape.is_array(), "'shape' must be an array");
  std::vector<std::int64_t> sizes;
  for (const auto& size : shape) sizes.push_back(static_cast<std::int64_t>(whole(size, "sizes")));
  return {*known, Shape(sizes)};
}

Entry parse_entry(const std::string& name, const nlohmann::json& info, std::uint64_t data_bytes) {
  check(info.is_object(), "must be an object");
  for (const char* key : {"dtype", "shape", "data_offsets"}) {
    check(info.contains(key), "'", key, "' is missing");
  }
  check(info.size() == 3, "only 'dtype', 'shape' and 'data_offsets' may be given");
  const auto& offsets = info.at("data_offsets");
  check(offsets.is_array() && offsets.size() == 2,
        "'data_offsets' must be an array of two numbers");
  Entry entry{name, parse_type(info), whole(offsets[0], "offsets"), whole(offsets[1], "offsets")};
  check(entry.begin <= entry.end, "data_offsets [", entry.begin, ", ", entry.end,
        "] run backwards");
  check(entry.end - entry.begin == entry.type.bytes(), "data_offsets [", entry.begin, ", ",
        entry.end, "] span ", entry.end - entry.begin, " bytes, but ", entry.type, " takes ",
        entry.type.bytes());
  check(entry.end <= data_bytes, "data_offsets [", entry.begin, ", ", entry.end,
        "] are out of range: the file is truncated, it holds ", data_bytes, " bytes of data");
  return entry;
}

std::map<std::string, std::string> parse_metadata(const nlohmann::json& json) {
  check(json.is_object(), "'", kMetadata, "' must be an object");
  std::map<std::string, std::string> metadata;
  for (const auto& [key, value] : json.items()) {
    check(value.is_string(), "'", kMetadata, "' may hold strings only, '", key, "' is none");
    metadata[key] = value.get<std::string>();
  }
  return metadata;
}

void check_contiguous(std::vector<Entry>& entries, std::uint64_t data_bytes) {
  std::ranges::sort(entries, {}, &Entry::begin);
  std::uint64_t expected = 0;
  for (const Entry& entry : entries) {
    check(entry.begin >= expected, "tensor '", entry.name, "' overlaps another: it begins at byte ",
          entry.begin, ", but the one before it ends at ", expected);
    check(entry.begin == expected, "a gap before tensor '", entry.name, "': it begins at byte ",
          entry.begin, ", but the one before it ends at ", expected);
    expected = entry.end;
  }
  check(expected == data_bytes, data_bytes - expected, " bytes after the last tensor");
}

// Copies the data so that every tensor has its natural alignment, where the file did not care.
std::vector<std::byte> align(std::vector<std::byte> data, std::vector<Entry>& entries) {
  const bool aligned = std::ranges::all_of(
      entries, [](const Entry& e) { return e.begin % size_of(e.type.dtype) == 0; });
  if (aligned) return data;
  std::vector<std::byte> copy(data.size() + entries.size() * kAlignment);
  std::uint64_t offset = 0;
  for (Entry& entry : entries) {
    const std::uint64_t bytes = entry.end - entry.begin;
    std::memcpy(copy.data() + offset, data.data() + entry.begin, bytes);
    entry.begin = offset;
    entry.end = offset + bytes;
    offset = (entry.end + kAlignment - 1) / kAlignment * kAlignment;
  }
  return copy;
}

// Header and padding as written, with the tensors' places filled in from their order.
std::string make_header(std::span<const NamedTensor* const> tensors,
                        const std::map<std::string, std::string>& metadata) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header[kMetadata] = metadata;
  std::uint64_t offset = 0;
  for (const NamedTensor* tensor : tensors) {
    const Type& type = tensor->tensor.type;
    nlohmann::ordered_json info;
    info["dtype"] = format_name(type.dtype);
    info["shape"] = type.shape.sizes();
    info["data_offsets"] = {offset, offset + type.bytes()};
    // push_back, not operator[]: an ordered object searches all its keys.
    header.get_ref<nlohmann::ordered_json::object_t&>().emplace_back(tensor->name, std::move(info));
    offset += type.bytes();
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const nlohmann::json::exception&) {
    fail("names and metadata must be UTF-8");
  }
  text.resize((text.size() + kAlignment - 1) / kAlignment * kAlignment, ' ');
  check(text.size() <= kMaxHeader, "the header takes ", text.size(), " bytes, at most ", kMaxHeader,
        " are allowed");
  return text;
}

}  // namespace

void write_safetensors(const std::string& path, std::span<const NamedTensor> tensors,
                       const std::map<std::string, std::string>& metadata) {
  std::vector<const NamedTensor*> order;
  std::set<std::string_view> names;
  for (const NamedTensor& tensor : tensors) {
    check(tensor.name != kMetadata, path, ": a tensor cannot be named '", kMetadata, "'");
    check(names.insert(tensor.name).second, path, ": the name '", tensor.name, "' is used twice");
    order.push_back(&tensor);
  }
  // Wide elements first, so that each tensor is aligned; within a type by name.
  std::ranges::sort(order, [](const NamedTensor* a, const NamedTensor* b) {
    const DType x = a->tensor.type.dtype;
    const DType y = b->tensor.type.dtype;
    return x != y ? x > y : a->name < b->name;
  });
  std::string header;
  try {
    header = make_header(order, metadata);
  } catch (const Error& error) {
    fail(path, ": ", error.what());
  }
  const std::uint64_t length = header.size();

  std::vector<std::span<const std::byte>> parts = {std::as_bytes(std::span(&length, 1)),
                                                   std::as_bytes(std::span(header))};
  for (const NamedTensor* tensor : order) {
    parts.emplace_back(static_cast<const std::byte*>(tensor->tensor.data),
                       tensor->tensor.type.bytes());
  }
  write_file_atomically(path, parts);
}

void check_writable(const std::string& path) { check_replaceable(path); }

SafetensorsFile::SafetensorsFile(const std::string& path) {
  InputFile file(path);
  try {
    std::uint64_t length = 0;
    check(file.size() >= sizeof(length), "truncated: ", file.size(),
          " bytes are fewer than the 8 of the header's length");
    file.read(&length, sizeof(length));
    check(length <= kMaxHeader, "the header claims ", length, " bytes, at most ", kMaxHeader,
          " are allowed");
    check(length <= file.size() - sizeof(length), "truncated: the header claims ", length,
          " bytes, the file has ", file.size() - sizeof(length), " after its length");
    std::string header(length, '\0');
    file.read(header.data(), header.size());
    check(header.starts_with('{'), "not a safetensors file: the header does not begin with '{'");

    const nlohmann::json json = parse_json(header);
    const std::uint64_t data_bytes = file.size() - sizeof(length) - length;
    std::vector<Entry> entries;
    for (const auto& [name, info] : json.items()) {
      if (name == kMetadata) {
        metadata_ = parse_metadata(info);
        continue;
      }
      try {
        entries.push_back(parse_entry(name, info, data_bytes));
      } catch (const Error& error) {
        fail("tensor '", name, "': ", error.what());
      }
    }
    check_contiguous(entries, data_bytes);

    bytes_.resize(data_bytes);
    file.read(bytes_.data(), bytes_.size());
    bytes_ = align(std::move(bytes_), entries);
    std::ranges::sort(entries, {}, &Entry::name);
    for (Entry& entry : entries) {
      tensors_.push_back(
          {std::move(entry.name), {std::move(entry.type), bytes_.data() + entry.begin}});
    }
  } catch (const std::bad_alloc&) {
    throw Failure(path + ": out of memory while reading it");
  } catch (const Error& error) {
    fail(path, ": ", error.what());
  }
}

const TensorView* SafetensorsFile::find(std::string_view name) const {
  const auto found = std::ranges::lower_bound(tensors_, name, {}, &NamedTensor::name);
  return found != tensors_.end() && found->name == name ? &found->tensor : nullptr;
}

}  // namespace gradmill
