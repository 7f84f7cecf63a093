#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

// The options of the commands, with their defaults, and what each does. A command returns the exit
// status; what it cannot do leaves it as an Error or a Failure.

namespace gradmill {

inline constexpr const char* kDefaultData = "/usr/share/datasets/fashion-mnist";

struct ModelOptions {
  std::string model = "mlp";
  std::vector<std::int64_t> hidden = {512, 512};
  std::int64_t batch = 128;
};

struct OptimizerOptions {
  std::string name = "adamw";
  std::optional<double> lr;            ///< 1e-3 for adamw, 0.1 for sgd
  std::optional<double> momentum;      ///< sgd only
  std::optional<double> weight_decay;  ///< the optimizer's own default
};

struct TrainOptions {
  ModelOptions model;
  OptimizerOptions optimizer;
  std::string data = kDefaultData;
  int epochs = 5;
  std::string schedule = "linear";
  int threads = 0;
  std::uint64_t seed = 0;
  std::string save;
  std::string metrics;
  std::string trace;
  bool check_finite = false;
  std::uint64_t memory_budget = 0;  ///< bytes, 0 for no limit
  std::string tuning;               ///< a file of `tune`; empty for none, here and below
};

/// `train --model gpt`. Sizes that are not given are those of the model's name; the tokens are
/// bytes.
struct TrainGptOptions {
  std::string model = "gpt-char";
  std::vector<std::string> text;
  std::optional<std::int64_t> layers;
  std::optional<std::int64_t> width;
  std::optional<std::int64_t> heads;
  std::optional<std::int64_t> context;
  bool tied = false;
  double dropout = 0;
  std::int64_t batch = 12;  ///< rows of a micro-batch
  int micro_batches = 1;
  std::int64_t steps = 2000;
  double lr = 1e-3;
  double min_lr = 1e-4;
  std::int64_t warmup = 100;
  std::string schedule = "cosine";
  double beta1 = 0.9;
  double beta2 = 0.95;
  double weight_decay = 0.1;  ///< of matrices only
  double clip = 1;            ///< 0 for none
  std::int64_t eval_every = 250;
  std::int64_t sample_every = 0;  ///< 0: never
  std::int64_t save_every = 0;    ///< 0: at the end only
  std::string load;
  std::string save;
  std::uint64_t memory_budget = 0;  ///< bytes, 0 for no limit
  int threads = 0;
  std::uint64_t seed = 0;
  std::string trace;
  bool check_finite = false;
  std::string tuning;
};

struct EvalOptions {
  std::string load;
  std::string data = kDefaultData;
  std::int64_t batch = 1000;
  int threads = 0;
  std::string tuning;
};

struct GenerateOptions {
  std::string load;
  std::string prompt;
  std::int64_t tokens = 100;
  double temperature = 1;
  std::int64_t top_k = 0;  ///< 0 for all
  std::uint64_t seed = 0;
  std::string vocab;  ///< with `merges`, else the tokens are bytes
  std::string merges;
  std::int64_t heads = 0;  ///< 0 for what the file says
  int threads = 0;
  std::string tuning;
};

struct PlanOptions {
  ModelOptions model;
  OptimizerOptions optimizer;
  std::string dot;
  std::string color = "phase";
  std::string json;
  std::string tuning;
};

struct GradcheckCommandOptions {
  ModelOptions model;
  std::int64_t samples = 32;
  int threads = 0;
  std::uint64_t seed = 0;
};

struct BenchOptions {
  std::vector<std::string> workloads;  ///< empty: all whose step takes less than a second
  std::vector<int> threads;            ///< empty for 1 and all cores
  std::string peers;                   ///< a folder of programs; empty for none
  std::string json;
  std::string tuning;
  int rounds = 5;
  double seconds = 1.5;       ///< measured in each process
  double timeout = 300;       ///< seconds that a process may take
  std::vector<int> replay;    ///< workers to schedule a step's tiles on instead of measuring it
  std::string measure;        ///< only this workload, in this process
  std::string measure_limit;  ///< the same for its limit
};

struct ProfileCommandOptions {
  ModelOptions model;
  OptimizerOptions optimizer;
  std::string workload;  ///< of `bench`, instead of the model; empty for none
  int steps = 50;
  int threads = 0;
  std::vector<int> workers;  ///< to predict a step for; empty for 1 to 128
  double bandwidth = 0;      ///< max GB/s of memory in predictions; 0 for no limit
  std::string html;
  std::string json;
  std::string tuning;
};

struct TuneCommandOptions {
  ModelOptions model;
  OptimizerOptions optimizer;
  std::vector<std::string> workloads;  ///< of `bench`, instead of the model
  double seconds = 0.1;                ///< for each choice
  std::string save;
};

/// The exit status after Ctrl-C, as shells report it: 128 + SIGINT.
inline constexpr int kInterrupted = 130;

int train(const TrainOptions& options);
int train_gpt(const TrainGptOptions& options);
int eval(const EvalOptions& options);
int generate(const GenerateOptions& options);
int plan(const PlanOptions& options);
int gradcheck(const GradcheckCommandOptions& options);
int profile(const ProfileCommandOptions& options);
int tune(const TuneCommandOptions& options);
int run_bench(const BenchOptions& options);
/// `run_bench` with `--replay`.
int replay_bench(const BenchOptions& options);

}  // namespace gradmill
