#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Kills a stage-1 run at random moments, goes on with it, and compares it with an undisturbed one.
#
#   kill_train.sh [KILLS] -- ARGUMENTS OF sea train pretrain WITHOUT --out, --resume
#
# Example: kill_train.sh 50 -- --llm LLM --vision ENCODER --data data.jsonl --images DIR --save-every 3
# Exit 0: every state, weight and exported file has the same bytes.
set -euo pipefail

kills=50
if [ "${1:-}" != "--" ]; then kills=$1; shift; fi
shift
tools="${SEA_TOOLS:-$(dirname "$0")/../../.build/release/sea-tools}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

start=$(date +%s%N)
"$tools" train pretrain "$@" --out "$work/whole" --quiet
span=$((($(date +%s%N) - start) / 1000000)) # milliseconds of the whole run
echo "undisturbed: $span ms"

killed=0
while [ "$killed" -lt "$kills" ]; do
  if [ -f "$work/killed/mm_projector.bin" ] && [ -f "$work/killed/config.json" ]; then
    # The run is over: start another one, so that every kill hits one at work.
    diff -r --exclude=lock --exclude='metrics.jsonl' --exclude='curves.svg' \
      "$work/whole" "$work/killed"
    rm -rf "$work/killed"
  fi
  "$tools" train pretrain "$@" --out "$work/killed" --resume --quiet \
    --threads $((killed % 2 + 1)) 2>"$work/errors" &
  process=$!
  wait_ms=$((RANDOM * RANDOM % (span + span / 4)))
  sleep "$(printf '%d.%03d' $((wait_ms / 1000)) $((wait_ms % 1000)))"
  if kill -9 "$process" 2>/dev/null; then killed=$((killed + 1)); fi
  wait "$process" 2>/dev/null || true
done
"$tools" train pretrain "$@" --out "$work/killed" --resume --quiet
diff -r --exclude=lock --exclude='metrics.jsonl' --exclude='curves.svg' "$work/whole" "$work/killed"
echo "killed $killed times: the same bytes"
