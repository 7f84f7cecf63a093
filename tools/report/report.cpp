#include "report/report.h"

#include <string_view>

#include <gradmill/runtime/profile/json.h>

#include "report/parts.h"

namespace gradmill {
namespace {

// As many as a browser draws without delay.
constexpr std::size_t kMaxTiles = 100'000;

void replace(std::string& page, std::string_view place, std::string_view text) {
  page.replace(page.find(place), place.size(), text);
}

// The data must not contain the end of a script.
std::string embedded(const std::string& json) {
  std::string text;
  text.reserve(json.size());
  for (std::size_t i = 0; i < json.size(); ++i) {
    if (json[i] == '<' && i + 1 < json.size() && (json[i + 1] == '/' || json[i + 1] == '!')) {
      text += "\\u003c";
    } else {
      text += json[i];
    }
  }
  return text;
}

}  // namespace

std::string profile_html(const Profile& profile) {
  std::string page(report::kPage);
  // The data is inserted last, since it may contain anything.
  replace(page, "/*STYLE*/", report::kStyle);
  replace(page, "/*SCRIPT*/", report::kScript);
  const std::string_view place = "/*DATA*/";
  page.replace(page.rfind(place), place.size(), embedded(json_of(profile, kMaxTiles)));
  return page;
}

}  // namespace gradmill
