#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Kills a training run at random moments, goes on with it, and compares it with an undisturbed one.
#
#   kill_train.sh [KILLS] [pretrain|finetune] -- ARGUMENTS OF THE COMMAND WITHOUT --out, --resume
#
# Examples: kill_train.sh 50 -- --llm LLM --vision ENCODER --data data.jsonl --images DIR --save-every 3
#           kill_train.sh 50 finetune -- --model DIR --method full --optimizer adamw8bit --fused on …
# Exit 0: every state, weight and exported file has the same bytes.
set -euo pipefail

kills=50
command=pretrain
while [ "${1:---}" != "--" ]; do
  case "$1" in
    pretrain | finetune) command=$1 ;;
    *) kills=$1 ;;
  esac
  shift
done
shift
tools="${SEA_TOOLS:-$(dirname "$0")/../../.build/release/sea-tools}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

train() { "$tools" train "$command" "$@" --quiet; }
same() {
  diff -r --exclude=lock --exclude='metrics.jsonl' --exclude='curves.svg' "$work/whole" "$work/killed"
}
# The last thing that a run leaves, which appears when it is complete.
is_over() {
  if [ "$command" = pretrain ]; then
    [ -f "$1/mm_projector.bin" ] && [ -f "$1/config.json" ]
  else
    [ -d "$1/model" ] || [ -d "$1/lora" ]
  fi
}

start=$(date +%s%N)
train "$@" --out "$work/whole"
span=$((($(date +%s%N) - start) / 1000000)) # milliseconds of the whole run
echo "undisturbed: $span ms"

killed=0
rounds=0
while [ "$killed" -lt "$kills" ]; do
  if is_over "$work/killed"; then
    # The run is over: start another one, so that every kill hits one at work.
    same
    rounds=$((rounds + 1))
    rm -rf "$work/killed"
  fi
  "$tools" train "$command" "$@" --out "$work/killed" --resume --quiet \
    --threads $((killed % 2 + 1)) 2>"$work/errors" &
  process=$!
  wait_ms=$((RANDOM * RANDOM % (span + span / 4)))
  sleep "$(printf '%d.%03d' $((wait_ms / 1000)) $((wait_ms % 1000)))"
  kill -9 "$process" 2>/dev/null || true
  code=0
  wait "$process" 2>/dev/null || code=$?
  # One that had ended by itself was not killed, though the signal finds its remains.
  if [ "$code" = 137 ]; then killed=$((killed + 1)); fi
done
train "$@" --out "$work/killed" --resume
same
echo "killed $killed times, $((rounds + 1)) runs to their ends: the same bytes"
