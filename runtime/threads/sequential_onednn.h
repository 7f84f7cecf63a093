#pragma once

#include <gradmill/runtime/export.h>

namespace gradmill {

/// While it lives, oneDNN calls made on this thread run on this thread alone. With oneDNN's OpenMP
/// build that means the thread's OpenMP limit, which the destructor puts back; with others nothing.
class GRADMILL_API SequentialOneDnn {
 public:
  SequentialOneDnn();
  ~SequentialOneDnn();
  SequentialOneDnn(const SequentialOneDnn&) = delete;
  SequentialOneDnn& operator=(const SequentialOneDnn&) = delete;

 private:
  int previous_;
};

}  // namespace gradmill
