#!/usr/bin/env bash
# Installs the packages, builds and tests. Safe to repeat. Times of a fresh clone on two cores:
#
#   tools/test.sh            Release, without the tests that take long: 8 minutes
#   tools/test.sh --change   what every change must pass, and .ci/run calls: Release once more with the
#                            instruction sets of older processors; runtime, graph and ops under the
#                            sanitizers of addresses and undefined behaviour, and the threads of the
#                            library under that of threads: 25 minutes
#   tools/test.sh --all      everything there is: Release with the slow tests, then all that both
#                            sanitizers can run: an hour
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

what=plain
case "${1-}" in
  "") ;;
  --change) what=change ;;
  --all) what=all ;;
  --help) sed -n '2,/^set /{/^#/{s/^# \{0,1\}//;p}}' "${BASH_SOURCE[0]}"; exit ;;
  *) echo "usage: bash tools/test.sh [--change | --all | --help]" >&2; exit 2 ;;
esac

# run_tests PRESET [CTEST OPTION...]; tests/CMakeLists.txt says what the labels mean.
run_tests() {
  local preset="$1" prefix=()
  shift
  # ThreadSanitizer of GCC 12 cannot place its shadow under the address randomization of newer kernels.
  if [[ "$preset" == tsan ]] && setarch -R true 2>/dev/null; then prefix=(setarch -R); fi
  say "testing build/$preset"
  (cd "$root" && "${prefix[@]}" ctest --preset "$preset" -j "$jobs" "$@")
}

install_packages
build release
case "$what" in
  plain) run_tests release -LE '^(change|long|slow)$' ;;
  change)
    run_tests release -LE '^(long|slow)$'
    for preset in asan tsan; do
      build "$preset" short_tests
      run_tests "$preset" -LE '^(long|slow)$'
    done
    ;;
  all)
    run_tests release
    for preset in asan tsan; do
      build "$preset"
      run_tests "$preset" -LE '^slow$'
    done
    ;;
esac
say "all tests passed"
