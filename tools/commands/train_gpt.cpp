#include <algorithm>
#include <array>
#include <cstdio>
#include <iostream>
#include <memory>
#include <span>
#include <utility>

#include <gradmill/graph/planning/memory_budget.h>
#include <gradmill/ops/learning_rate.h>
#include <gradmill/runtime/error.h>

#include "commands/commands.h"
#include "commands/save_path.h"
#include "commands/tuning_file.h"
#include "data/text_dataset.h"
#include "interrupt.h"
#include "models/gpt_file.h"
#include "models/gpt_generator.h"
#include "models/gpt_runner.h"
#include "models/sampler.h"
#include "step_progress.h"
#include "trace_option.h"

namespace gradmill {
namespace {

constexpr std::int64_t kValidationBatches = 20;  // max during training; at the end, all
constexpr std::int64_t kSampleTokens = 200;

GptConfig config_of(const TrainGptOptions& options) {
  GptConfig config = gpt_config(options.model == "gpt" ? "gpt-char" : options.model);
  config.vocab = TextDataset::kVocab;
  config.tied = config.tied || options.tied;
  config.layers = options.layers.value_or(config.layers);
  config.width = options.width.value_or(config.width);
  config.heads = options.heads.value_or(config.heads);
  config.context = options.context.value_or(config.context);
  config.dropout = options.dropout;
  check_gpt_config(config);
  return config;
}

Schedule schedule_of(const TrainGptOptions& options) {
  using Decay = Schedule::Decay;
  const Decay decay = options.schedule == "cosine"   ? Decay::cosine
                      : options.schedule == "linear" ? Decay::linear
                                                     : Decay::constant;
  const Schedule schedule{.peak = options.lr,
                          .warmup_steps = options.warmup,
                          .decay = decay,
                          .total_steps = options.steps,
                          .minimum = std::min(options.min_lr, options.lr)};
  schedule.at(0);  // throws for options that make no sense
  return schedule;
}

/// One training, from the first step, or from a checkpoint, to the last.
class GptTraining {
 public:
  explicit GptTraining(const TrainGptOptions& options)
      : options_(options),
        config_(config_of(options)),
        schedule_(schedule_of(options)),
        data_(options.text, config_.context),
        trace_(options.trace.empty() ? nullptr : open_trace(options.trace)),
        shared_{.threads = options.threads,
                .seed = options.seed,
                .check_finite = options.check_finite,
                .tuning = load_tuning(options.tuning),
                .trace = trace_},
        training_(config_, options.batch, training_options(),
                  {.lr = options.lr,
                   .beta1 = options.beta1,
                   .beta2 = options.beta2,
                   .weight_decay = options.weight_decay,
                   .clip = options.clip}) {
    shared_.parameters = training_.session().parameters();
    load();
    const std::int64_t batch = std::min(options.batch, data_.validation_windows());
    validation_ = std::make_unique<GptRunner>(config_, batch, shared_);
  }

  int run() {
    const auto first = static_cast<std::int64_t>(shared_.parameters->step());
    check(first <= options_.steps, options_.load, ": was saved after step ", first, ", beyond the ",
          options_.steps, " of --steps");
    const PlannedBytes planned =
        planned_bytes(training_.session().plan(), training_.session().threads());
    StepProgress progress(
        {.done = first,
         .all = options_.steps,
         .first = first,
         .tokens_per_step = options_.batch * options_.micro_batches * config_.context,
         .planned_bytes = planned.total()});
    std::cerr << to_string(config_) << ", " << gpt_parameter_count(config_) << " parameters, "
              << planned.total() / (1 << 20) << " MiB planned; " << data_.training_bytes()
              << " bytes to train on, " << data_.validation_bytes() << " to validate with\n";
    const InterruptGuard guard;
    for (std::int64_t step = first; step < options_.steps; ++step) {
      if (InterruptGuard::interrupted()) return finish_interrupted(progress, step);
      training_.session().set_learning_rate(schedule_.at(step));
      const double loss = training_.train(data_, options_.seed, static_cast<std::uint64_t>(step));
      recent_ += loss;
      ++recent_steps_;
      progress.step(step + 1, loss);
      after_step(progress, step + 1);
    }
    return finish(progress, first);
  }

 private:
  SessionOptions training_options() const {
    SessionOptions options = shared_;
    options.micro_batches = options_.micro_batches;
    options.memory_budget = options_.memory_budget;
    return options;
  }

  void load() {
    if (options_.load.empty()) return;
    const GptFile file(options_.load);
    GptConfig saved = file.config();
    saved.dropout = config_.dropout;
    check(saved == config_, options_.load, ": has ", to_string(saved), "; the options ask for ",
          to_string(config_));
    shared_.parameters->load(options_.load);
  }

  void after_step(StepProgress& progress, std::int64_t done) {
    if (done == options_.steps) return;
    const auto due = [&](std::int64_t every) { return every > 0 && done % every == 0; };
    if (due(options_.eval_every)) {
      const std::int64_t windows =
          std::min(data_.validation_windows(), kValidationBatches * validation_->batch());
      evaluate(progress, done, windows);
    }
    if (due(options_.sample_every)) sample(progress, done);
    if (due(options_.save_every)) save();
  }

  double evaluate(StepProgress& progress, std::int64_t done, std::int64_t windows) {
    const double loss = validation_->validate(data_, windows);
    progress.evaluation(done, recent_steps_ > 0 ? recent_ / recent_steps_ : 0, loss);
    recent_ = recent_steps_ = 0;
    return loss;
  }

  void sample(StepProgress& progress, std::int64_t done) {
    if (generator_ == nullptr) {
      generator_ = std::make_unique<GptGenerator>(config_, shared_);
    }
    progress.clear();
    const Sampler sampler({.temperature = 1, .top_k = 0, .seed = options_.seed});
    std::vector<std::int64_t> tokens = {'\n'};
    std::string text;
    for (std::int64_t i = 0; i < kSampleTokens; ++i) {
      tokens.push_back(sampler.sample(generator_->next(tokens), static_cast<std::uint64_t>(i)));
      text += static_cast<char>(tokens.back());
    }
    std::cout << "--- sampled after step " << done << "\n" << text << "\n---\n" << std::flush;
  }

  void save() const {
    if (options_.save.empty()) return;
    shared_.parameters->save_training(options_.save, gpt_metadata(config_));
  }

  int finish(StepProgress& progress, std::int64_t first) {
    const double speed = progress.tokens_per_second(options_.steps);
    const double loss = evaluate(progress, options_.steps, data_.validation_windows());
    if (options_.sample_every > 0) sample(progress, options_.steps);
    save();
    std::printf("validation loss  %.4f\n", loss);
    if (first < options_.steps) std::printf("tokens/s         %.0f\n", speed);
    std::printf("saved to         %s\n", saved_to(options_.save).c_str());
    if (trace_) trace_->close();
    return 0;
  }

  int finish_interrupted(StepProgress& progress, std::int64_t step) {
    progress.clear();
    save();
    return report_interrupted(cat("after step ", step, " of ", options_.steps), options_.save);
  }

  const TrainGptOptions& options_;
  GptConfig config_;
  Schedule schedule_;
  TextDataset data_;
  std::shared_ptr<TraceFile> trace_;
  SessionOptions shared_;
  GptRunner training_;
  std::unique_ptr<GptRunner> validation_;
  std::unique_ptr<GptGenerator> generator_;
  double recent_ = 0;
  int recent_steps_ = 0;
};

}  // namespace

int train_gpt(const TrainGptOptions& options) {
  check(!options.text.empty(), "train --model gpt needs --text FILE...");
  check(options.save_every == 0 || !options.save.empty(), "--save-every needs --save FILE");
  const std::array<std::pair<const char*, std::string>, 2> outputs = {
      {{"--save", options.save}, {"--trace", options.trace}}};
  check_different_files(outputs);
  if (!options.save.empty()) check_save_path(options.save);
  return GptTraining(options).run();
}

}  // namespace gradmill
