#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Asks the demo model about pictures that it never saw.
#
#   demo.sh [MODEL.sea]
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
model=${1:-$root/Models/demo.sea}

ask() {
  printf '%-29s %-52s ' "Models/images/$1.png" "$2"
  "$root/.build/release/sea" run "$model" --image "$root/Models/images/$1.png" --max-tokens 32 "$2"
}

ask harbour "What number is on the boat?"
ask harbour "What color is the shell in the bottom middle?"
ask harbour "How many boats are there?"
ask lighthouse "What is in the bottom middle?"
ask lighthouse "What color is the lighthouse in the bottom middle?"
ask lighthouse "How many things are there?"
ask lighthouse "Which number does the buoy have?"
ask crab "What do you see in the bottom middle?"
ask crab "What number can be read?"
