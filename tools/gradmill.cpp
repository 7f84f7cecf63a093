// The gradmill command: parses the options and runs a subcommand.

#include <algorithm>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>

#include <CLI/CLI.hpp>

#include <gradmill/runtime/error.h>
#include <gradmill/runtime/log.h>

#include "commands/commands.h"
#include "guarded.h"
#include "options/checks.h"
#include "options/shared.h"
#include "options/train.h"
#include "workloads/workload.h"

namespace gradmill {
namespace {

void add_eval(CLI::App& app, EvalOptions& options) {
  app.add_option("--load", options.load, "Parameters, as safetensors")->required();
  add_data(app, options.data);
  app.add_option("--batch", options.batch, "Images per step")
      ->check(kPositive)
      ->transform(kWhole)
      ->capture_default_str();
  add_threads(app, options.threads);
  add_tuning(app, options.tuning);
}

void add_generate(CLI::App& app, GenerateOptions& options) {
  app.add_option("--load", options.load, "A GPT's parameters, as safetensors: ours, or GPT-2's")
      ->check(kPath)
      ->required();
  app.add_option("--prompt", options.prompt,
                 "Text to continue, no longer than the model's context. Generated text may go "
                 "beyond the context; the model then sees the last tokens that fit")
      ->required();
  app.add_option("--tokens", options.tokens, "Tokens to generate")
      ->check(kPositive)
      ->transform(kWhole)
      ->capture_default_str();
  app.add_option("--temperature", options.temperature,
                 "Divides the logits; 0 always takes the most likely token")
      ->check(kAtLeastZero)
      ->capture_default_str();
  app.add_option("--top-k", options.top_k, "Draw from this many most likely tokens [all]")
      ->check(kPositive)
      ->transform(kWhole);
  add_seed(app, options.seed, "Seed of the draws");
  app.add_option("--vocab", options.vocab,
                 "GPT-2's vocab.json, for byte pair encoding [tokens are bytes]")
      ->check(kPath);
  app.add_option("--merges", options.merges, "GPT-2's merges.txt, for byte pair encoding")
      ->check(kPath);
  app.add_option("--heads", options.heads,
                 "Attention heads [as the file states, or the width divided by 64]")
      ->check(kPositive)
      ->transform(kWhole);
  add_threads(app, options.threads);
  add_tuning(app, options.tuning);
}

void add_plan(CLI::App& app, PlanOptions& options) {
  add_model(app, options.model);
  add_optimizer(app, options.optimizer);
  app.add_option("--dot", options.dot,
                 "Write the plan to this file for Graphviz, with the critical path in bold")
      ->check(kPath);
  app.add_option("--color", options.color,
                 "Colour nodes by phase, or by time, for which some steps are run")
      ->check(CLI::IsMember({"phase", "time"}))
      ->capture_default_str();
  app.add_option("--json", options.json, "Write the plan to this file, as JSON")->check(kPath);
  add_tuning(app, options.tuning);
}

void add_gradcheck(CLI::App& app, GradcheckCommandOptions& options) {
  add_model(app, options.model);
  add_threads(app, options.threads);
  add_seed(app, options.seed, "Seed of parameters, images, labels and the choice of elements");
  app.add_option("--samples", options.samples, "Elements to check in each large tensor")
      ->check(kPositive)
      ->transform(kWhole)
      ->capture_default_str();
}

void add_tune(CLI::App& app, TuneCommandOptions& options) {
  add_model(app, options.model);
  add_optimizer(app, options.optimizer);
  app.add_option("--workload", options.workloads,
                 "Tune for these workloads of bench instead of a model")
      ->delimiter(',')
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->check(CLI::IsMember(bench::workload_names()));
  exclude_model(app);
  app.add_option("--seconds", options.seconds,
                 "Seconds to measure each of a product's best candidates")
      ->check(seconds_to(kMaxTuneSeconds))
      ->capture_default_str();
  app.add_option("--save", options.save, "Write the best tile sizes to this file, as JSON")
      ->check(kPath)
      ->required();
}

void add_profile(CLI::App& app, ProfileCommandOptions& options) {
  add_model(app, options.model);
  add_optimizer(app, options.optimizer);
  app.add_option("--workload", options.workload,
                 "Profile this workload of bench instead of a model")
      ->check(CLI::IsMember(bench::workload_names()));
  exclude_model(app);
  app.add_option("--steps", options.steps,
                 "Steps to trace; each number of threads that fits this machine runs as many")
      ->check(CLI::Range(1, kMaxSteps))
      ->transform(kWhole)
      ->capture_default_str();
  add_threads(app, options.threads);
  app.add_option("--workers", options.workers,
                 "Numbers of workers to predict a step for [1 to 128]")
      ->delimiter(',')
      ->check(CLI::Range(1, kMaxThreads))
      ->transform(kWhole);
  app.add_option("--bandwidth", options.bandwidth,
                 "Max GB/s that memory delivers in predictions [no limit]")
      ->check(kBandwidth);
  app.add_option("--html", options.html, "Write a report for a browser to this file")->check(kPath);
  app.add_option("--json", options.json, "Write everything measured to this file")->check(kPath);
  add_tuning(app, options.tuning);
}

void add_bench(CLI::App& app, BenchOptions& options) {
  app.add_option("--workload", options.workloads,
                 "Workloads to measure [all whose step takes less than a second]")
      ->delimiter(',')
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app.add_option("--threads", options.threads, "Numbers of threads [1 and all cores]")
      ->delimiter(',')
      ->check(CLI::Range(1, kMaxThreads))
      ->transform(kWhole);
  app.add_option(
         "--peers", options.peers,
         "Folder of programs that run the same workloads with other libraries, in turns with ours")
      ->check(kPath);
  app.add_option("--json", options.json, "Write everything measured to this file")->check(kPath);
  add_tuning(app, options.tuning);
  app.add_option("--rounds", options.rounds, "Processes per value, which is their median")
      ->check(CLI::Range(1, kMaxRounds))
      ->transform(kWhole)
      ->capture_default_str();
  app.add_option("--seconds", options.seconds, "Seconds to measure in each process")
      ->check(seconds_to(kMaxSeconds))
      ->capture_default_str();
  app.add_option("--timeout", options.timeout, "Seconds after which a process is stopped")
      ->check(seconds_to(kMaxSeconds))
      ->capture_default_str();
  app.add_option("--replay", options.replay,
                 "Time each tile on one thread, and schedule the times on these numbers of workers")
      ->delimiter(',')
      ->check(CLI::Range(1, kMaxThreads))
      ->transform(kWhole);
  app.add_option("--measure", options.measure,
                 "Measure this workload alone, in this process, and print one line of JSON");
  app.add_option("--measure-limit", options.measure_limit,
                 "The same for its limit: the time of its products and bytes alone");
}

int run(int argc, char** argv) {
  CLI::App app("Trains neural networks on multicore CPUs.", "gradmill");
  app.set_version_flag("--version", "gradmill " GRADMILL_VERSION);
  app.require_subcommand(1);
  app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);

  const std::map<std::string, LogLevel> levels = {
      {"trace", LogLevel::trace}, {"debug", LogLevel::debug}, {"info", LogLevel::info},
      {"warn", LogLevel::warn},   {"error", LogLevel::error}, {"off", LogLevel::off}};
  app.add_option_function<std::string>(
         "--log-level", [&](const std::string& name) { set_log_level(levels.at(name)); },
         "Messages on stderr: trace, debug, info, warn, error, off")
      ->check(CLI::IsMember({"trace", "debug", "info", "warn", "error", "off"}));

  TrainCommand train_command;
  CLI::App& train_app = *app.add_subcommand("train", "Train a model on images, or on text");
  add_train(train_app, train_command);

  EvalOptions eval_options;
  CLI::App& eval_app = *app.add_subcommand("eval", "Evaluate saved parameters on the test images");
  add_eval(eval_app, eval_options);

  GenerateOptions generate_options;
  CLI::App& generate_app = *app.add_subcommand("generate", "Continue a text with a GPT");
  add_generate(generate_app, generate_options);

  PlanOptions plan_options;
  CLI::App& plan_app = *app.add_subcommand("plan", "Show the plan of a training step");
  add_plan(plan_app, plan_options);

  GradcheckCommandOptions gradcheck_options;
  CLI::App& gradcheck_app = *app.add_subcommand(
      "gradcheck", "Compare a model's gradients with central differences, in f64");
  add_gradcheck(gradcheck_app, gradcheck_options);

  BenchOptions bench_options;
  CLI::App& bench_app =
      *app.add_subcommand("bench", "Measure training steps, beside other libraries");
  add_bench(bench_app, bench_options);

  TuneCommandOptions tune_options;
  CLI::App& tune_app =
      *app.add_subcommand("tune", "Time tile sizes for each matrix product, and write the best");
  add_tune(tune_app, tune_options);

  ProfileCommandOptions profile_options;
  CLI::App& profile_app =
      *app.add_subcommand("profile", "Show where the time of a training step goes");
  add_profile(profile_app, profile_options);

  const std::initializer_list<CLI::App*> commands = {&train_app, &eval_app,    &generate_app,
                                                     &plan_app,  &profile_app, &gradcheck_app,
                                                     &bench_app, &tune_app};
  for (CLI::App* command : commands) command->fallthrough();

  // The parser would only say that a subcommand is missing.
  const std::string_view first = argc > 1 ? argv[1] : "train";
  const bool known = std::ranges::any_of(
      commands, [&](const CLI::App* command) { return command->get_name() == first; });
  if (!first.starts_with('-') && !known) {
    fail("'", first,
         "' is not a command: train, eval, generate, plan, profile, gradcheck, bench and tune are");
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    throw Error(error.what());
  }
  if (train_app.parsed()) return run_train(train_app, train_command);
  if (eval_app.parsed()) return eval(eval_options);
  if (generate_app.parsed()) return generate(generate_options);
  if (plan_app.parsed()) return plan(plan_options);
  if (profile_app.parsed()) return profile(profile_options);
  if (tune_app.parsed()) return tune(tune_options);
  if (bench_app.parsed()) return run_bench(bench_options);
  return gradcheck(gradcheck_options);
}

}  // namespace
}  // namespace gradmill

int main(int argc, char** argv) {
  return gradmill::guarded([&] { return gradmill::run(argc, argv); });
}
