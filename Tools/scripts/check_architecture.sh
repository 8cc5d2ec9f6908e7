#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Checks what the compiler does not: the device wing stays small, unsafe code and C stay home.
#
#   check_architecture.sh [ROOT]      prints every breach as FILE:LINE:TEXT; exit 1 when there is one
set -euo pipefail
shopt -s lastpipe  # so that a breach found at the end of a pipe is remembered
cd "${1:-$(dirname "$0")/../..}"

# Where unsafe code may live: memory, threads and kernel calls; and single files that speak to the system
# or to C, hand bytes on, or index inside a loop whose bounds were checked before it.
unsafe_homes='^Sources/SEATensor/|'
unsafe_homes+='^Sources/SEAFormat/(AtomicFile(\+Folder)?|ByteIndex|CRC32C|ModelFileWriter|SafetensorsWriter)\.swift:|'
unsafe_homes+='^Sources/SEAText/HashTables\.swift:|'
unsafe_homes+='^Sources/SEAImage/(NativeDecoder|Resampler)\.swift:|^Sources/SEACommandLine/System\.swift:|'
unsafe_homes+='^Tools/SEACheckpoint/(Weights/ElementDecoder|LowRank/LowRankDelta|Export/ExportFolder)\.swift:|'
unsafe_homes+='^Tools/SEADataset/ImageFolder\.swift:|^Tools/SEATrainer/Run/RunFiles\.swift:|'
unsafe_homes+='^Tools/SEALabels/Run/FolderLock\.swift:|'
unsafe_homes+='^Tools/SEADrawing/PNGEncoder\.swift:|^Tools/SEAWorld/Output/WorldFolder\.swift:|^Tools/SEAEvaluator/Answers/AnswerLog\.swift:'

found=0
breach() { # TITLE, matching lines on standard input
  local lines
  lines=$(cat)
  [ -n "$lines" ] || return 0
  printf '%s:\n%s\n' "$1" "$lines"
  found=1
}

device() { grep -rnE "$1" --include='*.swift' Sources || true; }
both() { grep -rnE "$1" --include='*.swift' Sources Tools || true; }

import='^[[:space:]]*(@[A-Za-z]+(\([A-Za-z]+\))? )*((public|package|internal|fileprivate|private) )?import '
host='SEACheckpoint|SEAQuantizer|SEADataset|SEALayers|SEALabels|SEATrainer|SEAEvaluator|SEAWorld|SEADrawing|Crypto'
device "$import($host)\\b" | breach 'the device wing imports the host wing'
device "${import}Foundation(Networking|XML)?\\b" | breach 'the device wing imports whole Foundation'
device "${import}ArgumentParser\\b" | grep -vE '^Sources/(sea|SEACommandLine)/' \
  | breach 'a library imports the argument parser' || true
both "${import}CSIMD\\b" | grep -v '^Sources/SEATensor/' \
  | breach 'only SEATensor calls kernels' || true
both '(^|[^A-Za-z_.@])unsafe [^:]|@unsafe|withUnsafe|Unsafe[A-Z][A-Za-z]*Pointer' \
  | grep -vE '^[^:]+:[0-9]+:[[:space:]]*//' | grep -vE "$unsafe_homes" \
  | breach 'unsafe code outside its homes' || true
both '@unchecked Sendable|nonisolated\(unsafe\)' | grep -v '^Sources/SEATensor/' \
  | breach 'unchecked concurrency outside SEATensor' || true
both '(fatalError|try!|as!|assertionFailure|unsafeBitCast)[^A-Za-z]' \
  | grep -vE '^[^:]+:[0-9]+:[[:space:]]*//' | grep -E '(fatalError|assertionFailure|unsafeBitCast)\(|try!|as! ' \
  | breach 'crash paths' || true
both '(^|[^A-Za-z.])(print|debugPrint|exit|abort)\(' | grep -E '^(Sources|Tools)/SEA' \
  | grep -v '^Sources/SEACommandLine/' | grep -vE '^[^:]+:[0-9]+:[[:space:]]*//' \
  | breach 'a library prints or exits' || true
exit "$found"
