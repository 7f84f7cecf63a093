#!/usr/bin/env bash
# Makes the folder of peers for `gradmill bench --peers bench/peers/bin`:
#   bash bench/peers/setup.sh [VENV]
# VENV is a virtual environment with torch and jax, made from PyPI unless it is there (5 GB); by
# default bench/peers/venv. libtorch's twin is built where libtorch-dev is installed. Safe to repeat.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../../tools/setup.sh"

peers="$root/bench/peers"
venv="${1:-${GRADMILL_PEERS_VENV:-$peers/venv}}"
bin="$peers/bin"

if [[ ! -x "$venv/bin/python" ]]; then
  say "making $venv"
  python3 -m venv "$venv"
fi
if ! "$venv/bin/python" -c 'import importlib.util as u, sys
sys.exit(not all(map(u.find_spec, ("torch", "jax", "numpy"))))'; then
  say "installing torch and jax from PyPI into $venv"
  "$venv/bin/pip" install torch jax numpy
fi
venv="$(cd "$venv" && pwd)"

mkdir -p "$bin"

# launcher NAME PROGRAM [ARGUMENT...]
launcher() {
  local name="$1"
  shift
  printf '#!/bin/sh\nexec "%s/bin/python" "%s/%s" %s "$@"\n' "$venv" "$peers" "$1" "${*:2}" \
    >"$bin/$name"
  chmod +x "$bin/$name"
}

launcher jax jax_twin.py
launcher torch_eager torch_twin.py eager
launcher torch_compile torch_twin.py compile

# Settings besides the defaults and OMP_WAIT_POLICY=passive: glibc told to keep freed memory instead
# of giving it back to the system after every step, and for libtorch each fast BLAS of Debian that is
# not the default one.
malloc='"MALLOC_TRIM_THRESHOLD_": "1000000000", "MALLOC_MMAP_THRESHOLD_": "1000000000"'
passive='"OMP_WAIT_POLICY": "passive"'
tuned="\"malloc\": {$malloc}, \"passive, malloc\": {$passive, $malloc}"
for name in torch_eager torch_compile; do
  printf '{%s}\n' "$tuned" >"$bin/$name.settings.json"
done

if (cd "$root" && cmake --preset release -Wno-dev >/dev/null &&
  cmake --build --preset release --target libtorch_peer); then
  cp "$root/build/release/bench/peers/libtorch" "$bin/libtorch"
  default="$(readlink -f "$(ldconfig -p | sed -n 's/.*libblas\.so\.3 .*=> //p' | head -1)")"
  [[ "$(dirname "$default")" != */blas ]] ||
    say "libtorch has only the unoptimized reference BLAS: install libopenblas0-openmp"
  settings="$tuned"
  for library in /usr/lib/*/*/libblas.so.3; do
    folder="$(dirname "$library")"
    blas="$(basename "$folder")"
    [[ "$(readlink -f "$library")" != "$default" && "$blas" != blas ]] || continue
    path="\"LD_LIBRARY_PATH\": \"$folder\""
    settings+=", \"$blas\": {$path}, \"$blas, passive\": {$path, $passive}"
    settings+=", \"$blas, malloc\": {$path, $malloc}"
    settings+=", \"$blas, passive, malloc\": {$path, $passive, $malloc}"
  done
  printf '{%s}\n' "$settings" >"$bin/libtorch.settings.json"
else
  say "libtorch is left out: install libtorch-dev and libopenblas0-openmp for it"
fi
say "gradmill bench --peers $bin"
