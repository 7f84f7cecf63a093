#pragma once

#include <fstream>
#include <string>

namespace gradmill {

/// What one epoch came to.
struct EpochMetrics {
  int epoch = 0;          ///< from 1
  double train_loss = 0;  ///< mean over all images of the epoch, each at the step that used it
  double test_loss = 0;
  double test_accuracy = 0;
  double samples_per_second = 0;  ///< trained, without evaluation
};

/// One JSON object an epoch and line; numbers that are not finite are null.
class MetricsFile {
 public:
  /// Empties or creates the file. Throws Error when it cannot be opened.
  explicit MetricsFile(const std::string& path);

  /// Adds a line, with `"final": true` when it is the last. Throws Failure when the system refuses.
  void write(const EpochMetrics& metrics, bool final);

 private:
  std::string path_;
  std::ofstream out_;
};

}  // namespace gradmill
