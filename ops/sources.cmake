# How each node is computed: a pair of files per op, and a folder per family.
gradmill_sources(
  accuracy.cpp
  activation.cpp
  arithmetic.cpp
  attention.cpp
  broadcast.cpp
  clip_grad_norm.cpp
  concat.cpp
  cross_entropy.cpp
  dropout.cpp
  embedding.cpp
  layer_norm.cpp
  learning_rate.cpp
  linear.cpp
  linear_cross_entropy.cpp
  math.cpp
  matmul.cpp
  optimizer.cpp
  reduce.cpp
  reshape.cpp
  slice.cpp
  softmax.cpp
  softplus.cpp

  attention/backward_loops.cpp
  attention/forward_loops.cpp
  attention/kernel.cpp

  cross_entropy/column_loops.cpp
  cross_entropy/kernel.cpp
  cross_entropy/labels.cpp
  cross_entropy/linear/kernel.cpp
  cross_entropy/problem.cpp
  cross_entropy/row_loops.cpp
  cross_entropy/short_row_loops.cpp
  cross_entropy/streamed_row_loops.cpp

  dropout/loops.cpp

  elementwise/arithmetic.cpp
  elementwise/broadcast.cpp
  elementwise/elementwise.cpp
  elementwise/function.cpp

  matmul/bands.cpp
  matmul/batch.cpp
  matmul/block_product.cpp
  matmul/epilogue.cpp
  matmul/grid.cpp
  matmul/kernel.cpp
  matmul/multiply.cpp
  matmul/pack.cpp
  matmul/tiles.cpp

  normalization/kernel.cpp
  normalization/loops.cpp

  optimizer/loops.cpp
  optimizer/staged_update.cpp

  reduce/kernel.cpp
  reduce/loops.cpp
  reduce/reduce_op.cpp
  reduce/squared_sum.cpp
  reduce/sum_and_broadcast.cpp

  softmax/loops.cpp
)
