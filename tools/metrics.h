#pragma once

#include <fstream>
#include <string>

namespace gradmill {

/// The results of one epoch.
struct EpochMetrics {
  int epoch = 0;          ///< from 1
  double train_loss = 0;  ///< mean over all images, each at the step that used it
  double test_loss = 0;
  double test_accuracy = 0;
  double samples_per_second = 0;  ///< trained, without evaluation
};

/// A file with one JSON object per epoch, each on one line; values that are not finite are null.
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
