#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes a Python environment with the programs that sea is measured against.
#
#   setup.sh VENV             llama.cpp: built here from the sdist of llama-cpp-python, for this CPU
#   setup.sh VENV --openvino  OpenVINO and NNCF too, from wheels
#
# Needs python3 with venv, a C++ compiler and the network. Building takes a quarter of an hour on two
# cores; JOBS limits how many run at once.
set -euo pipefail

venv=${1:?"usage: setup.sh VENV [--openvino]"}
with_openvino=${2:-}

[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
pip=("$venv/bin/pip" install --quiet --disable-pip-version-check)
"${pip[@]}" "numpy>=2,<3" "gguf==0.19.0"

# Only this package is built from source: a wheel would be built for the least of all CPUs.
if ! "$venv/bin/python" -c 'import llama_cpp' 2>/dev/null; then
  export CMAKE_ARGS="-DGGML_NATIVE=ON -DGGML_OPENMP=ON -DCMAKE_BUILD_TYPE=Release"
  export CMAKE_BUILD_PARALLEL_LEVEL=${JOBS:-$(nproc)}
  "${pip[@]}" --no-binary llama-cpp-python "llama-cpp-python==0.3.36"
fi

if [ "$with_openvino" = --openvino ]; then
  "${pip[@]}" "openvino==2026.4.1" "nncf==3.4.0"
fi

"$venv/bin/pip" list --format=freeze 2>/dev/null \
  | grep -iE '^(llama.cpp.python|gguf|numpy|openvino|nncf)=='
