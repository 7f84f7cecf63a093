#!/usr/bin/env bash
# Installs the packages, builds Release and runs the tests. With --all also the slow ones, then the
# suite under the sanitizers: address and undefined behaviour, then threads. Safe to repeat.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

all=false
case "${1-}" in
  --all) all=true ;;
  "") ;;
  *) echo "usage: bash tools/test.sh [--all]" >&2; exit 2 ;;
esac

# run_tests PRESET [CTEST OPTION...]
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
if $all; then
  run_tests release
  for preset in asan tsan; do
    build "$preset"
    run_tests "$preset" -LE slow
  done
else
  run_tests release -LE slow
fi
say "all tests passed"
