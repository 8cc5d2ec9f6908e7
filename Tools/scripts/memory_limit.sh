#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs a command, as of `sea`, under a memory limit of a control group.
#
#   memory_limit.sh LIMIT COMMAND…        e.g. 1500M .build/release/sea bench 7b.sea --only decode
#
# The limit counts every resident page, those of mapped files included. Needs the right to make control
# groups (version 1 or 2). Ends with the exit code of the command, 1 where the group went over.
set -euo pipefail

limit=$1
shift
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
  "$@" || code=$?
seconds=$(echo "$(date +%s.%N) - $started" | bc)

peak=$(cat "$group/$peak_file")
echo "limit $limit, peak of the group $(numfmt --to=iec "$peak"), $seconds s, exit $code"
[ "$peak" -le "$bytes" ] || code=1
exit $code
