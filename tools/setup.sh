# Sourced by the scripts here: installs what is missing, configures and builds. Prints what it does.

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
jobs="$(nproc)"

say() { printf '== %s\n' "$*"; }

# Installs the packages of packages.txt that are not there; as root, or by sudo.
install_packages() {
  if ! command -v dpkg-query >/dev/null; then
    say "not a Debian system: install what tools/packages.txt names yourself; going on"
    return
  fi
  local package missing=()
  while read -r package; do
    [[ -z "$package" || "$package" == \#* ]] && continue
    [[ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" == installed ]] ||
      missing+=("$package")
  done <"$root/tools/packages.txt"
  if ((${#missing[@]} == 0)); then
    say "all packages are installed"
    return
  fi
  local as_root=()
  if ((EUID != 0)); then
    command -v sudo >/dev/null || {
      say "missing packages, and neither root nor sudo to install them: ${missing[*]}"
      return 1
    }
    as_root=(sudo)
  fi
  say "installing: ${missing[*]}"
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -q
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -q -y --no-install-recommends "${missing[@]}"
}

# build PRESET [TARGET...]: configures build/PRESET and builds the targets, or everything.
build() {
  local preset="$1" options=()
  shift
  if command -v ccache >/dev/null; then
    options+=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
    export CCACHE_SLOPPINESS=pch_defines,time_macros  # it caches no precompiled headers otherwise
  fi
  say "configuring build/$preset"
  (cd "$root" && cmake --preset "$preset" "${options[@]}" -Wno-dev)
  say "building build/$preset with $jobs jobs"
  (cd "$root" && cmake --build --preset "$preset" -j "$jobs" ${1:+--target "$@"})
}
