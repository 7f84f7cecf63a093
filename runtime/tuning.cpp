#include <gradmill/runtime/tuning.h>

#include <array>
#include <limits>
#include <span>
#include <utility>

#include <nlohmann/json.hpp>

#include <gradmill/runtime/error.h>
#include <gradmill/runtime/io/files.h>

namespace gradmill {
namespace {

constexpr const char* kMark = "gradmill_tuning";
constexpr int kVersion = 1;
constexpr std::uint64_t kLargestFile = 64ULL << 20U;
constexpr std::uint64_t kLargestNumber = std::numeric_limits<std::int64_t>::max();

std::vector<std::int64_t> numbers(const nlohmann::json& json, const std::string& where) {
  check(json.is_array(), where, " is not a list of whole numbers");
  std::vector<std::int64_t> result;
  for (const nlohmann::json& item : json) {
    check(item.is_number_integer() &&
              (!item.is_number_unsigned() || item.get<std::uint64_t>() <= kLargestNumber),
          where, " is not a list of whole numbers");
    result.push_back(item.get<std::int64_t>());
  }
  return result;
}

}  // namespace

const std::vector<std::int64_t>* Tuning::find(const std::string& key) const {
  const auto found = entries_.find(key);
  return found == entries_.end() ? nullptr : &found->second;
}

void Tuning::set(const std::string& key, std::vector<std::int64_t> choice) {
  entries_[key] = std::move(choice);
}

void Tuning::save(const std::string& path) const {
  nlohmann::json kernels = nlohmann::json::object();
  for (const auto& [key, choice] : entries_) kernels[key] = choice;
  const std::string text = nlohmann::json{{kMark, kVersion}, {"kernels", kernels}}.dump(1) + '\n';
  const std::array parts = {std::as_bytes(std::span<const char>(text))};
  write_file_atomically(path, parts);
}

Tuning Tuning::load(const std::string& path) {
  InputFile file(path);
  check(file.size() <= kLargestFile, "'", path, "': is no tuning file: it has ", file.size(),
        " bytes");
  std::string text(static_cast<std::size_t>(file.size()), '\0');
  file.read(text.data(), text.size());
  const auto json = nlohmann::json::parse(text, nullptr, false);
  check(json.is_object() && json.contains(kMark) && json.contains("kernels") &&
            json["kernels"].is_object(),
        "'", path, "': is no tuning file: it must be an object with '", kMark, "' and 'kernels'");
  check(json[kMark] == kVersion, "'", path, "': is a tuning file of another version than ",
        kVersion);
  Tuning tuning;
  for (const auto& [key, choice] : json["kernels"].items()) {
    tuning.set(key, numbers(choice, cat("'", path, "': '", key, "'")));
  }
  return tuning;
}

}  // namespace gradmill
