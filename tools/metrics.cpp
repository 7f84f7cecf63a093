#include "metrics.h"

#include <cerrno>
#include <cstring>

#include <nlohmann/json.hpp>

#include <gradmill/runtime/error.h>

namespace gradmill {

MetricsFile::MetricsFile(const std::string& path) : path_(path) {
  errno = 0;
  out_.open(path, std::ios::trunc);
  check(out_.is_open(), "--metrics ", path, ": cannot be written: ", std::strerror(errno));
}

void MetricsFile::write(const EpochMetrics& metrics, bool final) {
  nlohmann::ordered_json record = {{"epoch", metrics.epoch},
                                   {"train_loss", metrics.train_loss},
                                   {"test_loss", metrics.test_loss},
                                   {"test_accuracy", metrics.test_accuracy},
                                   {"samples_per_second", metrics.samples_per_second}};
  if (final) record["final"] = true;
  errno = 0;
  out_ << record.dump() << std::endl;
  if (!out_) throw Failure(cat("--metrics ", path_, ": ", std::strerror(errno)));
}

}  // namespace gradmill
