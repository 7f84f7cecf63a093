#include "options/train.h"

#include <initializer_list>
#include <string>
#include <vector>

#include <gradmill/runtime/error.h>

#include "models/gpt.h"
#include "options/checks.h"
#include "options/shared.h"

namespace gradmill {
namespace {

void add_train_images(CLI::App& app, TrainOptions& options) {
  add_model(app, options.model);
  std::vector<std::string> models = gpt_names();
  models.insert(models.begin(), {"mlp", "gpt"});
  app.remove_option(app.get_option("--model"));
  app.add_option("--model", options.model.model,
                 "On images: mlp. On text: gpt (gpt-char unless options say otherwise), or by name "
                 "gpt-char, gpt-mini, gpt2-124m")
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
         "Learning rate: linear falls to zero (gpt: to --min-lr), constant stays, cosine falls "
         "to --min-lr (gpt only) [linear; gpt: cosine]")
      ->check(CLI::IsMember({"linear", "constant", "cosine"}));
  add_threads(app, options.threads);
  add_seed(app, options.seed, "Seed of initial values, the order of the data, and dropout");
  app.add_option("--save", options.save,
                 "Write the trained parameters to this file, as safetensors")
      ->check(kPath);
  app.add_option("--metrics", options.metrics, "Write one line of JSON per epoch to this file")
      ->check(kPath);
  app.add_option(
         "--trace", options.trace,
         "Write a timeline of all tiles to this file, for Perfetto; compressed if it ends in .gz")
      ->check(kPath);
  app.add_flag("--check-finite", options.check_finite,
               "Stop at the first node that produces a NaN or infinity");
  app.add_option(
         "--memory-budget", options.memory_budget,
         "Max bytes for parameters, optimizer state and the plan, such as 512MiB; results are "
         "computed twice instead of kept where necessary [no limit]")
      ->transform(CLI::AsSizeValue(false))
      ->transform(kBytes)
      ->check(kPositive);
  add_tuning(app, options.tuning);
}

void add_train_gpt(CLI::App& app, TrainGptOptions& options) {
  // For text, these options mean something else.
  app.get_option("--batch")->description(
      cat("Images per step; gpt: rows per micro-batch [", options.batch, "]"));
  app.get_option("--weight-decay")
      ->description(
          cat("Weight decay [0.01 for adamw, 0 for sgd; gpt: ", options.weight_decay, "]"));
  const auto whole = [&](const char* name, auto& value, const char* what) {
    return app.add_option(name, value, what)->check(kPositive)->transform(kWhole)->group("GPT");
  };
  const auto number = [&](const char* name, double& value, const char* what) {
    app.add_option(name, value, what)->check(kAtLeastZero)->capture_default_str()->group("GPT");
  };
  app.add_option("--text", options.text,
                 "Files whose bytes are the tokens; the last tenth of all is for validation")
      ->check(kPath)
      ->group("GPT");
  whole("--layers", options.layers, "Layers [set by --model]");
  whole("--width", options.width, "Embedding width [set by --model]");
  whole("--heads", options.heads, "Attention heads; they divide the width [set by --model]");
  whole("--context", options.context, "Context length in tokens [set by --model]");
  app.add_flag("--tied", options.tied, "Compute logits with the weight of the embedding")
      ->group("GPT");
  number("--dropout", options.dropout, "Dropout probability, after the embeddings and each branch");
  whole("--steps", options.steps, "Training steps")->capture_default_str();
  whole("--micro-batches", options.micro_batches,
        "Batches per step; their mean gradient makes one update")
      ->capture_default_str();
  app.add_option("--warmup", options.warmup, "Steps during which the learning rate rises")
      ->check(CLI::NonNegativeNumber)
      ->transform(kWhole)
      ->capture_default_str()
      ->group("GPT");
  number("--min-lr", options.min_lr, "Learning rate at the end");
  number("--beta1", options.beta1, "Decay of AdamW's first moment");
  number("--beta2", options.beta2, "Decay of AdamW's second moment");
  number("--clip", options.clip, "Clip gradients by global norm to this; 0 for no clipping");
  whole("--eval-every", options.eval_every, "Steps between validations")->capture_default_str();
  whole("--sample", options.sample_every,
        "Steps between prints of generated text; printed at the end as well [never]");
  whole("--save-every", options.save_every,
        "Steps between checkpoints in --save [only at the end]");
  app.add_option("--load", options.load, "Continue from a checkpoint, a file of --save")
      ->check(kPath)
      ->group("GPT");
}

// Options of the other kind of model must not be given.
void check_unused(const CLI::App& app, const std::string& model,
                  std::initializer_list<const char*> options) {
  for (const char* option : options) {
    check(app.count(option) == 0, option, " is not for --model ", model);
  }
}

}  // namespace

void add_train(CLI::App& app, TrainCommand& command) {
  add_train_images(app, command.images);
  add_train_gpt(app, command.text);
}

int run_train(const CLI::App& app, TrainCommand& command) {
  TrainOptions& options = command.images;
  TrainGptOptions& gpt = command.text;
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

}  // namespace gradmill
