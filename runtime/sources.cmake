# Bytes, threads and time: what runs a plan, and what it leaves behind.
gradmill_sources(
  dtype.cpp
  kernel.cpp
  log.cpp
  plan.cpp
  plan_text.cpp
  profile.cpp
  profile_result.cpp
  safetensors.cpp
  shape.cpp
  tensor.cpp
  trace_file.cpp
  tune.cpp
  tuning.cpp

  executor/executor.cpp
  executor/first_failure.cpp
  executor/flow.cpp

  io/files.cpp
  io/text_sink.cpp

  plan/step_cost.cpp
  plan/tasks.cpp

  profile/idle.cpp
  profile/json.cpp
  profile/replay.cpp
  profile/run_path.cpp
  profile/text.cpp
  profile/tile_times.cpp

  support/arena.cpp
  support/random.cpp

  threads/cpus.cpp
  threads/held_signals.cpp
  threads/sequential_onednn.cpp
  threads/short_slice.cpp
  threads/workers.cpp

  trace/live_bytes.cpp
  trace/tile_recorder.cpp
  trace/trace_format.cpp
  trace/tracer.cpp
)
