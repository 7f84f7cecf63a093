#pragma once

#include <CLI/CLI.hpp>

#include "commands/commands.h"

namespace gradmill {

/// What `train` takes, for images and for text.
struct TrainCommand {
  TrainOptions images;
  TrainGptOptions text;
};

void add_train(CLI::App& app, TrainCommand& command);

/// The exit status. Throws Error for options that the model does not have.
int run_train(const CLI::App& app, TrainCommand& command);

}  // namespace gradmill
