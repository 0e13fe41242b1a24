#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# shards.sh N COMMAND...: runs COMMAND N times at once, each with its share of the tests, and adds
# up. Tests against a broker mostly wait, so that takes a fraction of the time.
set -uo pipefail
n=${1:?how many}
shift
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
pids=()
for i in $(seq "$n"); do
  KAIJU_TEST_SHARD=$i/$n "$@" >"$out/$i" 2>&1 &
  pids+=($!)
done
rc=0
for i in $(seq "$n"); do
  wait "${pids[$((i - 1))]}" || rc=1
  cat "$out/$i"
done
cat "$out"/* | awk '/^[0-9]+ passed, /{p += $1; f += $3; s += $5}
  END {printf "in all: %d passed, %d failed, %d skipped\n", p, f, s}'
exit $rc
