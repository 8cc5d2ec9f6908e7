#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs a model under a memory limit of a control group that its file does not fit in.
#
#   memory_limit.sh MODEL.sea LIMIT [OPTIONS OF sea run …]        e.g. 1500M
#
# The limit counts every resident page, those of the mapped file included. Needs the right to make
# control groups (version 1 or 2). Ends with the exit code of `sea run`, 1 where the group went over.
set -euo pipefail

model=$1
limit=$2
shift 2
root=$(cd "$(dirname "$0")/../.." && pwd)
bytes=$(numfmt --from=iec "$limit")
name=sea-limit-$$

if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
  group=/sys/fs/cgroup/$name
  limit_file=memory.max
  peak_file=memory.peak
else
  group=/sys/fs/cgroup/memory/$name
  limit_file=memory.limit_in_bytes
  peak_file=memory.max_usage_in_bytes
fi
mkdir "$group"
trap 'rmdir "$group"' EXIT
echo "$bytes" > "$group/$limit_file"

started=$(date +%s.%N)
code=0
bash -c 'echo $$ > "$0/cgroup.procs"; exec "$@"' "$group" \
  "$root/.build/release/sea" run "$model" --verbose "$@" || code=$?
seconds=$(echo "$(date +%s.%N) - $started" | bc)

peak=$(cat "$group/$peak_file")
echo "file $(numfmt --to=iec "$(stat -c %s "$model")"), limit $limit," \
  "peak of the group $(numfmt --to=iec "$peak"), $seconds s, exit $code"
[ "$peak" -le "$bytes" ] || code=1
exit $code
