#include <cstdio>

#include <gradmill/runtime/error.h>

#include "commands/commands.h"
#include "commands/tuning_file.h"
#include "data/image_dataset.h"
#include "models/mlp_runner.h"

namespace gradmill {

int eval(const EvalOptions& options) {
  const MlpSizes sizes = mlp_sizes_of_file(options.load);
  const ImageDataset data(options.data, "t10k");
  check(sizes.front() == data.pixels(), options.load, ": the model takes ", sizes.front(),
        " values, and the images in ", options.data, " have ", data.rows(), "x", data.columns(),
        " = ", data.pixels(), " pixels");
  check(sizes.back() == ImageDataset::kClasses, options.load, ": the model has ", sizes.back(),
        " classes, and ", options.data, " has ", ImageDataset::kClasses);

  MlpPass pass(sizes, options.batch, data.count(),
               {.threads = options.threads, .tuning = load_tuning(options.tuning)});
  pass.parameters()->load(options.load);
  const Evaluation result = evaluate(pass, data);
  std::printf("model          %s\nimages         %lld\ntest accuracy  %.4f\ntest loss      %.4f\n",
              to_string(sizes).c_str(), static_cast<long long>(data.count()), result.accuracy,
              result.loss);
  return 0;
}

}  // namespace gradmill
