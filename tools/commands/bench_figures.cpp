#include "commands/bench_figures.h"

#include <algorithm>
#include <iostream>

#include <nlohmann/json.hpp>

#include <gradmill/runtime/error.h>

#include "commands/bench_rows.h"
#include "commands/text_line.h"

namespace gradmill {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kExecutor = "executor";
constexpr const char* kCompile = "compile";

Json json_of(const std::vector<bench::Figure>& figures) {
  Json list = Json::array();
  for (const bench::Figure& figure : figures) {
    list.push_back({{"name", figure.name},
                    {"value", figure.value},
                    {"unit", figure.unit},
                    {"target", figure.target}});
  }
  return list;
}

}  // namespace

std::vector<std::string> figure_workloads() { return {kExecutor, kCompile}; }

bool gives_figures(const std::string& workload) {
  return workload == kExecutor || workload == kCompile;
}

int measure_figures(const std::string& workload, int threads) {
  Json line = {{"workload", workload}};
  if (workload == kExecutor) {
    line["threads"] = threads;
    line["figures"] = json_of(bench::measure_executor(threads));
  } else {
    line["figures"] = json_of(bench::measure_compile());
  }
  std::cout << line << '\n';
  return 0;
}

std::vector<bench::Figure> FigureRow::figures() const {
  std::vector<bench::Figure> result;
  std::vector<std::vector<double>> values;
  for (const std::string& round : rounds) {
    const Json line = Json::parse(round);
    std::size_t i = 0;
    for (const Json& figure : line.at("figures")) {
      if (i == result.size()) {
        result.push_back({figure.at("name"), 0, figure.at("unit"), figure.at("target")});
        values.emplace_back();
      }
      values[i++].push_back(figure.at("value"));
    }
  }
  for (std::size_t i = 0; i < result.size(); ++i) result[i].value = median(std::move(values[i]));
  return result;
}

std::vector<FigureRow> measure_figure_rows(const BenchOptions& options, const std::string& workload,
                                           const std::vector<int>& threads) {
  std::vector<FigureRow> rows;
  if (workload == kCompile) {
    rows.push_back({workload, {}, {}});
  } else {
    for (const int count : threads) rows.push_back({workload, count, {}});
  }
  for (FigureRow& row : rows) {
    std::vector<std::string> arguments = {"--measure", workload};
    if (row.threads) arguments.insert(arguments.end(), {"--threads", std::to_string(*row.threads)});
    for (int round = 0; round < options.rounds; ++round) {
      row.rounds.push_back(own_line(arguments, options.timeout));
    }
  }
  return rows;
}

std::string figures_table(const std::vector<FigureRow>& rows) {
  constexpr int kFigure = 48;
  std::string text;
  for (const FigureRow& row : rows) {
    for (const bench::Figure& figure : row.figures()) {
      TextLine line;
      line.word(row.workload, kNameWidth);
      line.number(row.threads ? std::optional<double>(*row.threads) : std::nullopt, 7, 0);
      line.word("  " + figure.name, kFigure).number(figure.value, 12, 2);
      line.word(" " + figure.unit, 10).word(figure.target, 1);
      text += line.str();
    }
  }
  if (text.empty()) return text;
  TextLine titles;
  titles.word("workload", kNameWidth).title("threads", 7).word("  figure", kFigure);
  titles.title("value", 12).word(" unit", 10).word("target", 1);
  return "\nNot training steps: the executor on empty and on timed nodes, and compiling graphs to "
         "plans\n" +
         titles.str() + text;
}

}  // namespace gradmill
