#include "options/shared.h"

#include "options/checks.h"

namespace gradmill {

void add_model(CLI::App& app, ModelOptions& options) {
  app.add_option("--model", options.model, "Model: mlp")
      ->check(CLI::IsMember({"mlp"}))
      ->capture_default_str();
  app.add_option("--hidden", options.hidden, "Sizes of the hidden layers")
      ->delimiter(',')
      ->check(kPositive)
      ->transform(kWhole)
      ->capture_default_str();
  app.add_option("--batch", options.batch, "Images per step")
      ->check(kPositive)
      ->transform(kWhole)
      ->capture_default_str();
}

void add_optimizer(CLI::App& app, OptimizerOptions& options) {
  app.add_option("--optimizer", options.name, "Optimizer: sgd or adamw")
      ->check(CLI::IsMember({"sgd", "adamw"}))
      ->capture_default_str();
  app.add_option("--lr", options.lr, "Learning rate [1e-3 for adamw, 0.1 for sgd]");
  app.add_option("--momentum", options.momentum, "Momentum, for sgd [0]");
  app.add_option("--weight-decay", options.weight_decay,
                 "Weight decay [0.01 for adamw, 0 for sgd]");
}

void exclude_model(CLI::App& app) {
  for (const char* option :
       {"--model", "--hidden", "--batch", "--optimizer", "--lr", "--momentum", "--weight-decay"}) {
    app.get_option("--workload")->excludes(app.get_option(option));
  }
}

void add_data(CLI::App& app, std::string& data) {
  app.add_option("--data", data,
                 "Folder with the four IDX files of MNIST or its relatives, .gz or not")
      ->capture_default_str();
}

void add_threads(CLI::App& app, int& threads) {
  app.add_option("--threads", threads, "Threads [all cores that the process may use]")
      ->check(CLI::Range(1, kMaxThreads))
      ->transform(kWhole);
}

void add_tuning(CLI::App& app, std::string& tuning) {
  app.add_option("--tuning", tuning, "Use the tile sizes in this file of `gradmill tune`")
      ->check(kPath);
}

void add_seed(CLI::App& app, std::uint64_t& seed, const char* what) {
  app.add_option("--seed", seed, what)->check(kSeed)->transform(kWhole)->capture_default_str();
}

}  // namespace gradmill
