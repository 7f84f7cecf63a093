#pragma once

#include <optional>
#include <string>
#include <vector>

#include "commands/commands.h"
#include "workloads/figures.h"

namespace gradmill {

/// The workloads of `bench` that are not training steps: each gives figures of its own.
std::vector<std::string> figure_workloads();
bool gives_figures(const std::string& workload);

/// Measures one of them in this process, and prints one line of JSON.
int measure_figures(const std::string& workload, int threads);

/// One of them, measured in processes of its own, one per round.
struct FigureRow {
  std::string workload;
  std::optional<int> threads;       ///< none where the figures do not depend on it
  std::vector<std::string> rounds;  ///< JSON lines

  /// Each figure's median over the rounds.
  std::vector<bench::Figure> figures() const;
};

/// Measures the rows of a workload, one for each number of threads that it depends on. Throws
/// Failure when a process fails.
std::vector<FigureRow> measure_figure_rows(const BenchOptions& options, const std::string& workload,
                                           const std::vector<int>& threads);

/// The figures with their units and targets; empty without any.
std::string figures_table(const std::vector<FigureRow>& rows);

}  // namespace gradmill
