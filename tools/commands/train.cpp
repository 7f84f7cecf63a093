#include <array>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include <gradmill/runtime/error.h>

#include "commands/commands.h"
#include "commands/optimizer.h"
#include "commands/save_path.h"
#include "commands/tuning_file.h"
#include "data/image_dataset.h"
#include "interrupt.h"
#include "metrics.h"
#include "models/mlp_runner.h"
#include "progress.h"
#include "trace_option.h"

namespace gradmill {
namespace {

using Clock = std::chrono::steady_clock;

/// One training, from the first step to the last.
class Trainer {
 public:
  explicit Trainer(const TrainOptions& options)
      : options_(options),
        train_data_(options.data, "train"),
        test_data_(options.data, "t10k"),
        sizes_(mlp_sizes(train_data_.pixels(), options.model.hidden, ImageDataset::kClasses)),
        tuning_(load_tuning(options.tuning)),
        trace_(options.trace.empty() ? nullptr : open_trace(options.trace)),
        training_(sizes_, options.model.batch, train_data_.count(),
                  {.optimizer = make_optimizer(options.optimizer),
                   .threads = options.threads,
                   .seed = options.seed,
                   .check_finite = options.check_finite,
                   .memory_budget = options.memory_budget,
                   .tuning = tuning_,
                   .trace = trace_}),
        evaluation_(sizes_, EvalOptions{}.batch, test_data_.count(),
                    {.threads = options.threads,
                     .parameters = training_.parameters(),
                     .check_finite = options.check_finite,
                     .tuning = tuning_,
                     .trace = trace_}),
        base_rate_(training_.runner(0).session().learning_rate()),
        progress_(options.epochs, train_data_.count()) {
    check(train_data_.rows() == test_data_.rows() && train_data_.columns() == test_data_.columns(),
          options.data, ": the test images are ", test_data_.rows(), "x", test_data_.columns(),
          ", the training images ", train_data_.rows(), "x", train_data_.columns());
    if (!options.metrics.empty()) metrics_.emplace(options.metrics);
  }

  int run() {
    const InterruptGuard guard;
    for (int epoch = 1; epoch <= options_.epochs; ++epoch) {
      if (!run_epoch(epoch)) return finish_interrupted(epoch);
    }
    save();
    const double images = static_cast<double>(train_data_.count()) * options_.epochs;
    std::printf(
        "test accuracy  %.4f\ntest loss      %.4f\nsamples/s      %.0f\nsaved to       %s\n",
        last_.test_accuracy, last_.test_loss, images / seconds_, saved_to(options_.save).c_str());
    if (metrics_failure_) throw Failure(*metrics_failure_);
    if (trace_) trace_->close();
    return 0;
  }

 private:
  /// False when Ctrl-C stopped it, which happens between two steps.
  bool run_epoch(int epoch) {
    const auto order = shuffled(train_data_.count(), options_.seed, epoch);
    const auto total_steps = static_cast<double>(training_.steps() * options_.epochs);
    const auto start = Clock::now();
    double loss = 0;
    std::int64_t images = 0;
    for (steps_done_ = 0; steps_done_ < training_.steps(); ++steps_done_) {
      if (InterruptGuard::interrupted()) return false;
      if (options_.schedule == "linear") {
        const auto done = static_cast<double>((epoch - 1) * training_.steps() + steps_done_);
        training_.runner(steps_done_)
            .session()
            .set_learning_rate(base_rate_ * (1 - done / total_steps));
      }
      const MlpRunner& runner = training_.run(train_data_, order, steps_done_);
      loss += runner.loss() * static_cast<double>(runner.batch());
      images += runner.batch();
      progress_.step(epoch, images, loss / static_cast<double>(images));
    }
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    seconds_ += seconds;

    const Evaluation test = evaluate(evaluation_, test_data_);
    const auto count = static_cast<double>(images);
    last_ = {.epoch = epoch,
             .train_loss = loss / count,
             .test_loss = test.loss,
             .test_accuracy = test.accuracy,
             .samples_per_second = count / seconds};
    progress_.epoch(last_);
    write_metrics(epoch == options_.epochs);
    return true;
  }

  /// A metrics file that cannot be written must not end the training: the failure is reported after
  /// it.
  void write_metrics(bool final) {
    if (!metrics_ || metrics_failure_) return;
    try {
      metrics_->write(last_, final);
    } catch (const Failure& failure) {
      metrics_failure_ = failure.what();
    }
  }

  void save() const {
    if (!options_.save.empty()) {
      // Nothing that differs from run to run or with the number of threads goes into the file.
      training_.parameters()->save(options_.save, {{"model", "mlp"}});
    }
  }

  int finish_interrupted(int epoch) {
    progress_.clear();
    save();
    return report_interrupted(
        cat("in epoch ", epoch, " after step ", steps_done_, " of ", training_.steps()),
        options_.save);
  }

  const TrainOptions& options_;
  ImageDataset train_data_;
  ImageDataset test_data_;
  MlpSizes sizes_;
  std::shared_ptr<const Tuning> tuning_;
  std::shared_ptr<TraceFile> trace_;
  MlpPass training_;
  MlpPass evaluation_;
  double base_rate_;
  Progress progress_;
  std::optional<MetricsFile> metrics_;
  std::optional<std::string> metrics_failure_;
  EpochMetrics last_;
  double seconds_ = 0;
  std::int64_t steps_done_ = 0;
};

}  // namespace

int train(const TrainOptions& options) {
  const std::array<std::pair<const char*, std::string>, 3> outputs = {
      {{"--save", options.save}, {"--metrics", options.metrics}, {"--trace", options.trace}}};
  check_different_files(outputs);
  if (!options.save.empty()) check_save_path(options.save);
  return Trainer(options).run();
}

}  // namespace gradmill
