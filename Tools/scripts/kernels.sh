#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Compares every kernel with the reference, by bits: Tests/CrossTests, built without the package.
#
#   kernels.sh native     every level of this machine
#   kernels.sh cross      that, and the levels of ARM under an emulator; needs `setup.sh cross`
#
# Ends with `N passed, M failed`; exit 1 when something failed.
set -euo pipefail
cd "$(dirname "$0")/../.."

folder=.build/kernels
mode=${1:?kernels.sh native | cross}
# The toolchain's own compiler: gcc ignores the attribute that opens an instruction-set region.
clang=${CLANG:-$(dirname "$(readlink -f "$(command -v swift)")")/clang}
[ -x "$clang" ] || clang=clang
flags=(-std=c17 -D_GNU_SOURCE -O2 -Wall -Wextra -Werror -I CSIMD/include)

build() { # NAME, compiler options…
  local name=$1 objects=$folder/$1
  shift
  rm -rf "$objects"
  mkdir -p "$objects"
  printf '%s\n' CSIMD/*/*.c Tests/CrossTests/*.c \
    | xargs -P "$(nproc)" -I {} sh -c \
      'source=$1; shift; exec "$@" -c "$source" -o "$0/$(basename "$source" .c).o"' \
      "$objects" {} "$clang" "${flags[@]}" "$@"
  "$clang" "$@" -fuse-ld=lld -static "$objects"/*.o -lm -o "$folder/matrix-$name"
}

log=$(mktemp)
trap 'rm -f "$log"' EXIT
broken=0

run() { # TITLE, command…
  printf '\n%s\n' "$1"
  shift
  # A crash leaves no closing line; it counts as a failure of its own.
  "$@" > "$log.run" || grep -qE '^[0-9]+ passed, [0-9]+ failed$' "$log.run" || broken=$((broken + 1))
  grep -vE '^[0-9]+ passed, [0-9]+ failed$' "$log.run" || true
  cat "$log.run" >> "$log"
  rm -f "$log.run"
}

build native
run "this machine ($(uname -m))" "$folder/matrix-native"

if [ "$mode" = cross ] && [ "$(uname -m)" != aarch64 ]; then
  build aarch64 --target=aarch64-linux-gnu
  # What each processor offers is part of the test.
  run 'ARM with DotProd, I8MM and BF16' \
    qemu-aarch64 -cpu max "$folder/matrix-aarch64" scalar neondot neoni8mm
  run 'ARM with DotProd (Neoverse N1)' \
    qemu-aarch64 -cpu neoverse-n1 "$folder/matrix-aarch64" scalar neondot
  run 'ARM with neither (Cortex-A72)' \
    qemu-aarch64 -cpu cortex-a72 "$folder/matrix-aarch64" scalar
fi

echo
digests=$(awk '/^reference +digest / { print $3 }' "$log" | sort -u)
if [ "$(printf '%s\n' "$digests" | grep -c .)" -ne 1 ]; then
  printf 'the references of these machines differ:\n%s\n' "$digests"
  broken=$((broken + 1))
fi
awk -v broken="$broken" '
  /^[0-9]+ passed, [0-9]+ failed$/ { passed += $1; failed += $3 }
  END { printf "%d passed, %d failed\n", passed, failed + broken; exit failed + broken > 0 }' "$log"
