# What is computed: graphs, their gradients, and the plan of a step.
gradmill_sources(
  autodiff.cpp
  gradcheck.cpp
  graph.cpp
  initializer.cpp
  op.cpp
  optimizer.cpp
  parameters.cpp
  rewrite.cpp
  session.cpp
  value.cpp

  gradcheck/clone.cpp
  gradcheck/report.cpp
  gradcheck/slope.cpp
  gradcheck/tensor_check.cpp

  kernels/accumulate.cpp
  kernels/copy.cpp
  kernels/finite_check.cpp

  passes/merge_equal.cpp
  passes/recompute.cpp

  planning/compile.cpp
  planning/gates.cpp
  planning/in_place.cpp
  planning/memory_budget.cpp
  planning/memory_planner.cpp
  planning/precedence.cpp
  planning/schedule.cpp
)
