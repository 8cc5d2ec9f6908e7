#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what the build needs beyond the Swift toolchain; says nothing when everything is there.
#
#   setup.sh libraries            Debian packages of the image decoders
#   setup.sh cross                ARM's C library and an emulator, for `make cross`
#   setup.sh formatter FOLDER     clang-format of the pinned version, into FOLDER unless already on PATH
set -euo pipefail

# The formatter's version decides the format of every C file, so it is pinned like a source file.
formatter_version=18.1.8

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo >/dev/null; then sudo "$@"
  else echo "setup: run as root: $*" >&2; exit 77; fi
}

install_missing() {
  local missing=()
  for package in "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' \
      || missing+=("$package")
  done
  [ "${#missing[@]}" -gt 0 ] || return 0
  echo "setup: installing ${missing[*]}"
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

is_formatter() {
  "$1" --version 2>/dev/null | grep -qF "version $formatter_version"
}

case "${1:-}" in
  libraries)
    install_missing libpng-dev libjpeg62-turbo-dev libwebp-dev pkg-config
    ;;
  cross)
    # Compiler and linker are the toolchain's; the libgcc package holds the start files.
    [ "$(uname -m)" = aarch64 ] \
      || install_missing libc6-dev-arm64-cross libgcc-12-dev-arm64-cross qemu-user
    ;;
  formatter)
    folder=${2:?setup.sh formatter FOLDER}
    if is_formatter clang-format || is_formatter "$folder/bin/clang-format"; then exit 0; fi
    echo "setup: installing clang-format $formatter_version into $folder"
    # Debian's own interpreter: other ones on PATH may come without the venv module.
    python=/usr/bin/python3
    [ -x "$python" ] || python=$(command -v python3 || true)
    if [ -z "$python" ] || ! "$python" -c 'import ensurepip' 2>/dev/null; then
      install_missing python3 python3-venv
      python=/usr/bin/python3
    fi
    "$python" -m venv --clear "$folder"
    "$folder/bin/pip" install --quiet --disable-pip-version-check \
      "clang-format==$formatter_version"
    ;;
  *)
    echo "usage: setup.sh libraries | cross | formatter FOLDER" >&2
    exit 64
    ;;
esac
