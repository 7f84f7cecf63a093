# What is computed: graphs, their gradients, and the plan of a step.
gradmill_sources(
  autodiff.cpp
  gradcheck.cpp
  gradcheck_report.cpp
  graph.cpp
  initializer.cpp
  op.cpp
  optimizer.cpp
  parameters.cpp
  session.cpp
  value.cpp

  gradcheck/clone.cpp
  gradcheck/slope.cpp
  gradcheck/tensor_check.cpp

  kernels/accumulate.cpp
  kernels/copy.cpp
  kernels/finite_check.cpp

  parameters/store.cpp

  passes/fuse.cpp
  passes/merge_equal.cpp
  passes/recompute.cpp
  passes/rewrite.cpp

  planning/compile.cpp
  planning/gates.cpp
  planning/in_place.cpp
  planning/lower.cpp
  planning/memory_budget.cpp
  planning/memory_planner.cpp
  planning/place.cpp
  planning/precedence.cpp
  planning/prepared_kernels.cpp
  planning/schedule.cpp

  session/check_options.cpp
  session/fed_inputs.cpp

  training/training.cpp
)
