#include <gradmill/runtime/threads/sequential_onednn.h>

#include <dnnl_config.h>

// Only the OpenMP build has a team of its own; the others run on the threads that call them.
#if DNNL_CPU_RUNTIME == DNNL_RUNTIME_OMP
#ifndef _OPENMP
#error "this oneDNN is built on OpenMP, which the compiler lacks"
#endif
#include <omp.h>
#endif

namespace gradmill {

#if DNNL_CPU_RUNTIME == DNNL_RUNTIME_OMP

SequentialOneDnn::SequentialOneDnn() : previous_(omp_get_max_threads()) {
  if (previous_ != 1) omp_set_num_threads(1);
}

SequentialOneDnn::~SequentialOneDnn() {
  if (previous_ != 1) omp_set_num_threads(previous_);
}

#else

SequentialOneDnn::SequentialOneDnn() : previous_(1) {}
SequentialOneDnn::~SequentialOneDnn() = default;

#endif

}  // namespace gradmill
