#!/usr/bin/env bash
# Checks the format of all sources and runs clang-tidy over them, or over the files given:
#   bash tools/lint.sh [FILE...]
# Takes clang-format and clang-tidy of Debian 12 (version 14), and a build folder for the flags.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
cd "$root"

for program in clang-format clang-tidy; do
  command -v "$program" >/dev/null || {
    echo "$program is missing: apt-get install clang-format clang-tidy" >&2
    exit 1
  }
done

files=("$@")
if ((${#files[@]} == 0)); then
  mapfile -t files < <(find gradmill.h runtime graph ops tools tests bench -name '*.cpp' -o -name '*.h' | sort)
fi
say "format of ${#files[@]} files"
clang-format --dry-run -Werror "${files[@]}"

build_dir="${GRADMILL_BUILD_DIR:-build/release}"
[[ -f "$build_dir/compile_commands.json" ]] || cmake --preset release -Wno-dev
# Headers are checked with the sources that include them; sources that no target builds are left out.
sources=()
for file in "${files[@]}"; do
  if [[ "$file" == *.cpp ]] && grep -q "\"$root/$file\"" "$build_dir/compile_commands.json"; then
    sources+=("$file")
  fi
done
say "clang-tidy over ${#sources[@]} sources"
printf '%s\0' "${sources[@]}" | xargs -0 -r -n 1 -P "$jobs" clang-tidy --quiet -p "$build_dir"
say "clean"
