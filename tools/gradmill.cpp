// The gradmill command: options in, a command run.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <map>
#include <string>
#include <string_view>

#include <CLI/CLI.hpp>

#include <gradmill/runtime/error.h>
#include <gradmill/runtime/log.h>

#include "commands/commands.h"
#include "guarded.h"
#include "models/gpt.h"
#include "workloads/workload.h"

namespace gradmill {
namespace {

constexpr int kMaxEpochs = 1'000'000;
constexpr int kMaxThreads = 1024;
constexpr int kMaxRounds = 1000;
constexpr double kLeastSeconds = 1e-3;
constexpr double kMaxSeconds = 1e5;
constexpr double kMaxTuneSeconds = 100;
constexpr int kMaxSteps = 1'000'000;

// The parser turns numbers that are too large into the largest, which is therefore refused.
// Products of sizes in this range may still overflow: shapes check that.
constexpr std::int64_t kLargest = std::numeric_limits<std::int64_t>::max() - 1;
const CLI::Range kPositive(std::int64_t{1}, kLargest);

// The parser would take a leading zero for octal, and say of 1.5 that it is out of range.
const CLI::Validator kWhole(
    [](std::string& text) -> std::string {
      const std::size_t first = text.find_first_not_of("+-");
      if (first == std::string::npos || first > 1 ||
          text.find_first_not_of("0123456789", first) != std::string::npos) {
        return "needs a whole number, got '" + text + "'";
      }
      const std::size_t digits = std::min(text.find_first_not_of('0', first), text.size() - 1);
      text.erase(first, digits - first);
      return {};
    },
    "");

// An unset variable of a script must not pass for "no file".
const CLI::Validator kPath(
    [](std::string& text) -> std::string { return text.empty() ? "needs a path, got ''" : ""; },
    "");

// Before the parser, which would take -1 for the largest number of bytes.
const CLI::Validator kBytes(
    [](std::string& text) -> std::string {
      return text.find_first_of("0123456789") == 0
                 ? ""
                 : cat("needs bytes, as 512MiB, got '", text, "'");
    },
    "");

const CLI::Validator kBandwidth(
    [](std::string& text) -> std::string {
      double value = 0;
      const bool known = CLI::detail::lexical_cast(text, value);
      return known && value > 0 && std::isfinite(value)
                 ? ""
                 : cat("needs GB/s above 0, got '", text, "'");
    },
    "");

// The parser's own ranges have room for NaN.
const CLI::Validator kTemperature(
    [](std::string& text) -> std::string {
      double value = 0;
      const bool known = CLI::detail::lexical_cast(text, value);
      return known && value >= 0 && std::isfinite(value)
                 ? ""
                 : cat("needs a number of at least 0, got '", text, "'");
    },
    "");

CLI::Validator seconds_to(double most) {
  return {[most](std::string& text) -> std::string {
            double value = 0;
            const bool known = CLI::detail::lexical_cast(text, value);
            return known && value >= kLeastSeconds && value <= most
                       ? ""
                       : cat("needs seconds from ", kLeastSeconds, " to ", most, ", got '", text,
                             "'");
          },
          ""};
}

void add_model(CLI::App& app, ModelOptions& options) {
  app.add_option("--model", options.model, "Model: mlp")
      ->check(CLI::IsMember({"mlp"}))
      ->capture_default_str();
  app.add_option("--hidden", options.hidden, "Sizes of the hidden layers")
      ->delimiter(',')
      ->check(kPositive)
      ->transform(kWhole)
      ->capture_default_str();
  app.add_option("--batch", options.batch, "Images a step")
      ->check(kPositive)
      ->transform(kWhole)
      ->capture_default_str();
}

void add_optimizer(CLI::App& app, OptimizerOptions& options) {
  app.add_option("--optimizer", options.name, "Optimizer: sgd or adamw")
      ->check(CLI::IsMember({"sgd", "adamw"}))
      ->capture_default_str();
  app.add_option("--lr", options.lr, "Learning rate [1e-3 for adamw, 0.1 for sgd]");
  app.add_option("--momentum", options.momentum, "Momentum of sgd [0]");
  app.add_option("--weight-decay", options.weight_decay,
                 "Weight decay [0.01 for adamw, 0 for sgd]");
}

// A workload brings its own.
void exclude_model(CLI::App& app) {
  for (const char* option :
       {"--model", "--hidden", "--batch", "--optimizer", "--lr", "--momentum", "--weight-decay"}) {
    app.get_option("--workload")->excludes(app.get_option(option));
  }
}

void add_data(CLI::App& app, std::string& data) {
  app.add_option("--data", data, "Folder with the four IDX files, .gz or not")
      ->capture_default_str();
}

void add_threads(CLI::App& app, int& threads) {
  app.add_option("--threads", threads, "Threads [all cores that the process may use]")
      ->check(CLI::Range(1, kMaxThreads))
      ->transform(kWhole);
}

void add_tuning(CLI::App& app, std::string& tuning) {
  app.add_option("--tuning", tuning, "Do products as this file of `gradmill tune` says")
      ->check(kPath);
}

void add_seed(CLI::App& app, std::uint64_t& seed, const char* what) {
  app.add_option("--seed", seed, what)
      ->check(CLI::Range(std::uint64_t{0}, static_cast<std::uint64_t>(kLargest)))
      ->transform(kWhole)
      ->capture_default_str();
}

void add_train(CLI::App& app, TrainOptions& options) {
  add_model(app, options.model);
  std::vector<std::string> models = gpt_names();
  models.insert(models.begin(), {"mlp", "gpt"});
  app.remove_option(app.get_option("--model"));
  app.add_option(
         "--model", options.model.model,
         "mlp on images; on text gpt (gpt-char where flags say nothing else), or another by "
         "name: gpt-char, gpt-mini, gpt2-124m")
      ->check(CLI::IsMember(models))
      ->capture_default_str();
  add_data(app, options.data);
  app.add_option("--epochs", options.epochs, "Passes over the training images")
      ->check(CLI::Range(1, kMaxEpochs))
      ->transform(kWhole)
      ->capture_default_str();
  add_optimizer(app, options.optimizer);
  app.add_option(
         "--schedule", options.schedule,
         "Learning rate: linear falls to zero (gpt: to --min-lr), constant stays, cosine is "
         "for gpt [linear; gpt: cosine]")
      ->check(CLI::IsMember({"linear", "constant", "cosine"}));
  add_threads(app, options.threads);
  add_seed(app, options.seed,
           "For initial values, the order of the images, dropout, and where text is read");
  app.add_option("--save", options.save, "Write the trained parameters here, as safetensors")
      ->check(kPath);
  app.add_option("--metrics", options.metrics, "Write a JSON object an epoch here")->check(kPath);
  app.add_option("--trace", options.trace,
                 "Write when every tile ran here, for Perfetto; compressed if the name ends in .gz")
      ->check(kPath);
  app.add_flag("--check-finite", options.check_finite,
               "Stop at the first node that gives a NaN or infinity");
  app.add_option("--memory-budget", options.memory_budget,
                 "Bytes for parameters, optimizer state and everything planned, as 512MiB: results "
                 "are computed twice rather than kept where it takes that [no limit]")
      ->transform(CLI::AsSizeValue(false))
      ->transform(kBytes)
      ->check(kPositive);
  add_tuning(app, options.tuning);
}

void add_train_gpt(CLI::App& app, TrainGptOptions& options) {
  // What these say of images is something else for text.
  app.get_option("--batch")->description(cat("Images a step; gpt: rows [", options.batch, "]"));
  app.get_option("--weight-decay")
      ->description(
          cat("Weight decay [0.01 for adamw, 0 for sgd; gpt: ", options.weight_decay, "]"));
  const auto whole = [&](const char* name, auto& value, const char* what) {
    return app.add_option(name, value, what)->check(kPositive)->transform(kWhole)->group("GPT");
  };
  const auto number = [&](const char* name, double& value, const char* what) {
    app.add_option(name, value, what)->check(kTemperature)->capture_default_str()->group("GPT");
  };
  app.add_option("--text", options.text,
                 "Files whose bytes are the tokens; the last tenth of all "
                 "is for validation")
      ->check(kPath)
      ->group("GPT");
  whole("--layers", options.layers, "Layers [of the model's name]");
  whole("--width", options.width, "Numbers a token [of the model's name]");
  whole("--heads", options.heads, "Attention heads, which divide the width [of the model's name]");
  whole("--context", options.context, "Tokens seen at once [of the model's name]");
  app.add_flag("--tied", options.tied, "Logits by the weight of the embedding")->group("GPT");
  number("--dropout", options.dropout, "Part of the numbers dropped after each branch");
  whole("--steps", options.steps, "Updates")->capture_default_str();
  whole("--micro-batches", options.micro_batches, "Batches whose mean gradient makes an update")
      ->capture_default_str();
  app.add_option("--warmup", options.warmup, "Steps in which the learning rate rises")
      ->check(CLI::NonNegativeNumber)
      ->transform(kWhole)
      ->capture_default_str()
      ->group("GPT");
  number("--min-lr", options.min_lr, "Learning rate at the end");
  number("--beta1", options.beta1, "Decay of AdamW's first moment");
  number("--beta2", options.beta2, "Decay of AdamW's second moment");
  number("--clip", options.clip, "Norm that gradients are cut to, 0 for none");
  whole("--eval-every", options.eval_every, "Steps between validations")->capture_default_str();
  whole("--sample", options.sample_every,
        "Print text of the model's every so many steps, and at "
        "the end");
  whole("--save-every", options.save_every, "Steps between writes of --save [the end alone]");
  app.add_option("--load", options.load, "Go on from a file of --save")->check(kPath)->group("GPT");
}

// The options that the other kinds of model have must not be given.
void check_unused(const CLI::App& app, const std::string& model,
                  std::initializer_list<const char*> options) {
  for (const char* option : options) {
    check(app.count(option) == 0, option, " is not for --model ", model);
  }
}

int run_train(const CLI::App& app, TrainOptions& options, TrainGptOptions& gpt) {
  const std::string& model = options.model.model;
  if (model == "mlp") {
    check_unused(app, model,
                 {"--text", "--layers", "--width", "--heads", "--context", "--tied", "--dropout",
                  "--steps", "--micro-batches", "--warmup", "--min-lr", "--beta1", "--beta2",
                  "--clip", "--eval-every", "--sample", "--save-every", "--load"});
    check(options.schedule != "cosine", "--schedule cosine is not for --model mlp");
    return train(options);
  }
  check_unused(app, model,
               {"--hidden", "--data", "--epochs", "--optimizer", "--momentum", "--metrics"});
  gpt.model = model;
  if (app.count("--batch") > 0) gpt.batch = options.model.batch;
  if (app.count("--schedule") > 0) gpt.schedule = options.schedule;
  gpt.lr = options.optimizer.lr.value_or(gpt.lr);
  gpt.weight_decay = options.optimizer.weight_decay.value_or(gpt.weight_decay);
  gpt.threads = options.threads;
  gpt.seed = options.seed;
  gpt.save = options.save;
  gpt.trace = options.trace;
  gpt.check_finite = options.check_finite;
  gpt.memory_budget = options.memory_budget;
  gpt.tuning = options.tuning;
  return train_gpt(gpt);
}

void add_eval(CLI::App& app, EvalOptions& options) {
  app.add_option("--load", options.load, "Parameters, as safetensors")->required();
  add_data(app, options.data);
  app.add_option("--batch", options.batch, "Images a step")
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
                 "Text to continue; no longer than the model's context. Once text and what was "
                 "added are, the model sees the last of it that fits")
      ->required();
  app.add_option("--tokens", options.tokens, "Tokens to add")
      ->check(kPositive)
      ->transform(kWhole)
      ->capture_default_str();
  app.add_option("--temperature", options.temperature,
                 "Divides the logits; 0 always takes the most likely token")
      ->check(kTemperature)
      ->capture_default_str();
  app.add_option("--top-k", options.top_k, "Draw among so many of the likeliest tokens [all]")
      ->check(kPositive)
      ->transform(kWhole);
  add_seed(app, options.seed, "For the tokens that are drawn");
  app.add_option("--vocab", options.vocab, "Byte pairs: GPT-2's vocab.json [tokens are bytes]")
      ->check(kPath);
  app.add_option("--merges", options.merges, "Byte pairs: GPT-2's merges.txt")->check(kPath);
  app.add_option("--heads", options.heads,
                 "Heads of attention [what the file says, or one for 64 of the width]")
      ->check(kPositive)
      ->transform(kWhole);
  add_threads(app, options.threads);
  add_tuning(app, options.tuning);
}

void add_plan(CLI::App& app, PlanOptions& options) {
  add_model(app, options.model);
  add_optimizer(app, options.optimizer);
  app.add_option("--dot", options.dot,
                 "Write the plan here for Graphviz, with the critical path in bold")
      ->check(kPath);
  app.add_option("--color", options.color,
                 "What colours the picture: phase, or time, for which some steps are run")
      ->check(CLI::IsMember({"phase", "time"}))
      ->capture_default_str();
  app.add_option("--json", options.json, "Write the plan here as JSON")->check(kPath);
  add_tuning(app, options.tuning);
}

void add_gradcheck(CLI::App& app, GradcheckCommandOptions& options) {
  add_model(app, options.model);
  add_threads(app, options.threads);
  add_seed(app, options.seed, "For parameters, images, labels and the elements that are checked");
  app.add_option("--samples", options.samples, "Elements to check of each large tensor")
      ->check(kPositive)
      ->transform(kWhole)
      ->capture_default_str();
}

void add_tune(CLI::App& app, TuneCommandOptions& options) {
  add_model(app, options.model);
  add_optimizer(app, options.optimizer);
  app.add_option("--workload", options.workloads, "Tune for these workloads of bench instead")
      ->delimiter(',')
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->check(CLI::IsMember(bench::workload_names()));
  exclude_model(app);
  app.add_option("--seconds", options.seconds, "Measured for each of a product's best choices")
      ->check(seconds_to(kMaxTuneSeconds))
      ->capture_default_str();
  app.add_option("--save", options.save, "Write the choices here, as JSON")
      ->check(kPath)
      ->required();
}

void add_profile(CLI::App& app, ProfileCommandOptions& options) {
  add_model(app, options.model);
  add_optimizer(app, options.optimizer);
  app.add_option("--workload", options.workload, "Profile this workload of bench instead")
      ->check(CLI::IsMember(bench::workload_names()));
  exclude_model(app);
  app.add_option("--steps", options.steps,
                 "Steps that are traced; each number of threads that fits here runs as many")
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
                 "GB/s that memory gives at most in predictions [no limit]")
      ->check(kBandwidth);
  app.add_option("--html", options.html, "Write a report to look at in a browser here")
      ->check(kPath);
  app.add_option("--json", options.json, "Write everything measured here")->check(kPath);
  add_tuning(app, options.tuning);
}

void add_bench(CLI::App& app, BenchOptions& options) {
  app.add_option("--workload", options.workloads, "What to measure [all but steps of seconds]")
      ->delimiter(',')
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app.add_option("--threads", options.threads, "Numbers of threads [1 and all cores]")
      ->delimiter(',')
      ->check(CLI::Range(1, kMaxThreads))
      ->transform(kWhole);
  app.add_option("--peers", options.peers,
                 "Folder of programs that do the same with other libraries, run in turns with ours")
      ->check(kPath);
  app.add_option("--json", options.json, "Write everything measured here")->check(kPath);
  add_tuning(app, options.tuning);
  app.add_option("--rounds", options.rounds, "Processes for each number, which is their median")
      ->check(CLI::Range(1, kMaxRounds))
      ->transform(kWhole)
      ->capture_default_str();
  app.add_option("--seconds", options.seconds, "Measured in each process")
      ->check(seconds_to(kMaxSeconds))
      ->capture_default_str();
  app.add_option("--timeout", options.timeout, "Seconds after which a process is given up")
      ->check(seconds_to(kMaxSeconds))
      ->capture_default_str();
  app.add_option("--replay", options.replay,
                 "Time each tile on one thread, and schedule them on these numbers of workers")
      ->delimiter(',')
      ->check(CLI::Range(1, kMaxThreads))
      ->transform(kWhole);
  app.add_option("--measure", options.measure,
                 "Measure this workload alone, in this process, and print a line of JSON");
  app.add_option("--measure-limit", options.measure_limit,
                 "The same for what the machine needs for its products and bytes");
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

  TrainOptions train_options;
  CLI::App& train_app = *app.add_subcommand("train", "Train a model on images, or on text");
  add_train(train_app, train_options);
  TrainGptOptions train_gpt_options;
  add_train_gpt(train_app, train_gpt_options);

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
      "gradcheck", "Compare a model's gradients with difference quotients, in f64");
  add_gradcheck(gradcheck_app, gradcheck_options);

  BenchOptions bench_options;
  CLI::App& bench_app =
      *app.add_subcommand("bench", "Measure training steps, beside other libraries");
  add_bench(bench_app, bench_options);

  TuneCommandOptions tune_options;
  CLI::App& tune_app =
      *app.add_subcommand("tune", "Time the ways to do each product, and keep the best");
  add_tune(tune_app, tune_options);

  ProfileCommandOptions profile_options;
  CLI::App& profile_app =
      *app.add_subcommand("profile", "Show where the time of a training step goes");
  add_profile(profile_app, profile_options);

  const std::initializer_list<CLI::App*> commands = {&train_app, &eval_app,    &generate_app,
                                                     &plan_app,  &profile_app, &gradcheck_app,
                                                     &bench_app, &tune_app};
  for (CLI::App* command : commands) command->fallthrough();

  // The parser would only say that a command is missing.
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
  if (train_app.parsed()) return run_train(train_app, train_options, train_gpt_options);
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
