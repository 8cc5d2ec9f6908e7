#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Trains the demo model from nothing: world, tokenizers, encoder pair, language model, labels, both
# stages, int8 file, scores, card.
#
#   demo_model.sh [WORK FOLDER] [MODEL.sea]
#
# Interrupted or killed, the same command goes on where it was. SEA_DEMO_PERCENT=5 takes that share of
# all steps and pictures, to see that everything works. Times of the stages are in WORK/times.tsv.
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
work=${1:-$root/.build/demo-model}
model=${2:-$root/Models/demo.sea}
percent=${SEA_DEMO_PERCENT:-100}
tools=${SEA_TOOLS:-$root/.build/release/sea-tools}
threads=${SEA_DEMO_THREADS:-2}
recipes=$root/Models/recipes/demo
mkdir -p "$work"

scaled() { echo $(($1 * percent / 100 > 4 ? $1 * percent / 100 : 4)); }

# stage NAME COMMAND…: once; what it took is noted.
stage() {
  local name=$1 started
  shift
  if [ -e "$work/$name.done" ]; then return; fi
  started=$(date +%s)
  echo "== $name" >&2
  "$@"
  printf '%s\t%d\n' "$name" $(($(date +%s) - started)) >> "$work/times.tsv"
  touch "$work/$name.done"
}

# train KIND FOLDER STEPS FLAGS…: a run with the recipe FOLDER.yaml that goes on when it is there.
train() {
  local kind=$1 out=$work/$2 recipe=$recipes/$2.yaml steps resume=()
  steps=$(scaled "$3")
  shift 3
  if [ -d "$out" ]; then resume=(--resume); fi
  "$tools" train "$kind" --threads "$threads" --config "$recipe" --out "$out" --steps "$steps" "${resume[@]}" "$@"
}

world() { "$tools" world -o "$work/$1" "${@:2}" $([ -d "$work/$1" ] && echo --resume); }

ENCODER_STEPS=${SEA_DEMO_ENCODER_STEPS:-3000}
LANGUAGE_STEPS=${SEA_DEMO_LANGUAGE_STEPS:-3000}
STAGE1_STEPS=${SEA_DEMO_STAGE1_STEPS:-400}
STAGE2_STEPS=${SEA_DEMO_STAGE2_STEPS:-1600}
OPEN_STEPS=${SEA_DEMO_OPEN_STEPS:-1000}

stage train-world world train --count "$(scaled 30000)" --seed 1 --masks
stage heldout-world world heldout --count "$(scaled 1000)" --seed 2 --split heldout --masks

text=("$work/train/text.jsonl" "$work/train/captions.json" "$work/train/conversations.json")
stage words-tokenizer "$tools" train tokenizer --kind clip --vocab 2048 --max-length 48 \
  --text "$work/train/words.txt" "$work/train/captions.json" --out "$work/words-tokenizer"
stage language-tokenizer "$tools" train tokenizer --kind bpe --family llama --vocab 1280 \
  --text "${text[@]}" --out "$work/language-tokenizer"

stage encoder train contrastive encoder "$ENCODER_STEPS" --tokenizer "$work/words-tokenizer" \
  --data "$work/train/captions.json" --images "$work/train/images" \
  --masks "$work/train/masks.jsonl" --words "$work/train/words.txt" \
  --eval-data "$work/heldout/captions.json" --eval-masks "$work/heldout/masks.jsonl" \
  --eval-images "$work/heldout/images"
stage language train language language "$LANGUAGE_STEPS" --tokenizer "$work/language-tokenizer" \
  --text "$work/train/text.jsonl" --eval-text "$work/heldout/text.jsonl"

stage labels "$tools" label --encoder "$work/encoder/model" --words "$work/train/words.txt" \
  --data "$work/train/captions.json" --images "$work/train/images" -o "$work/train.labels" \
  --feature raw --sign pos --top-n 10 $([ -e "$work/train.labels.work" ] && echo --resume)

data=(--images "$work/train/images" --feature-cache "$work/features" --feature-type f16)
stage stage1 train pretrain stage1 "$STAGE1_STEPS" --llm "$work/language/model" \
  --vision "$work/encoder/model" --data "$work/train/captions.json" --labels "$work/train.labels" \
  "${data[@]}"
stage stage2 train finetune stage2 "$STAGE2_STEPS" --llm "$work/language/model" \
  --vision "$work/encoder/model" --adapter-init "$work/stage1/mm_projector.safetensors" \
  --data "$work/train/conversations.json" "${data[@]}"
stage stage2-open train finetune stage2-open "$OPEN_STEPS" --model "$work/stage2/model" \
  --data "$work/train/conversations.json" --images "$work/train/images"
rm -rf "$work/features"

training="harbour world, seed 1; supervised by the renderer's masks: see Models/demo.md"
for weights in f32 int8; do
  stage "convert-$weights" "$tools" convert "$work/stage2-open/model" -o "$work/demo-$weights.sea" \
    --weights "$weights" --training "$training"
  stage "eval-$weights" "$tools" eval world --model "$work/demo-$weights.sea" \
    --data "$work/heldout/questions.jsonl" --images "$work/heldout/images" \
    --output "$work/answers-$weights.jsonl"
done
for weights in f32 int8; do
  "$tools" eval score world --answers "$work/answers-$weights.jsonl" \
    --data "$work/heldout/questions.jsonl" --json > "$work/score-$weights.json"
done
cp "$work/demo-int8.sea" "$model.tmp"
mv "$model.tmp" "$model"
mkdir -p "$root/Models/demo"
for run in encoder language stage1 stage2 stage2-open; do
  cp "$work/$run/curves.svg" "$root/Models/demo/$run.svg"
done
python3 "$root/Tools/scripts/demo_card.py" "$work" "$root/Models/demo.md"
