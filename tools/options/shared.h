#pragma once

// Options that several commands have.

#include <cstdint>
#include <string>

#include <CLI/CLI.hpp>

#include "commands/commands.h"

namespace gradmill {

void add_model(CLI::App& app, ModelOptions& options);
void add_optimizer(CLI::App& app, OptimizerOptions& options);
/// For a command whose `--workload` brings its own model and optimizer.
void exclude_model(CLI::App& app);
void add_data(CLI::App& app, std::string& data);
void add_threads(CLI::App& app, int& threads);
void add_tuning(CLI::App& app, std::string& tuning);
void add_seed(CLI::App& app, std::uint64_t& seed, const char* what);

}  // namespace gradmill
