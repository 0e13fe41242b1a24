#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# fuzz_one.sh EXECUTABLE SECONDS: runs one libFuzzer target from its corpus in tests/fuzz/corpus.
# New inputs go to build/fuzz-corpus; a finding is kept in build/fuzz-findings and fails the run.
set -euo pipefail
exe=$1 seconds=${KAIJU_FUZZ_SECONDS:-$2}
name=$(basename "$exe")
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
grown=$top/build/fuzz-corpus/$name findings=$top/build/fuzz-findings/$name
seeds=$top/tests/fuzz/corpus/$name dictionary=$top/tests/fuzz/$name.dict
mkdir -p "$grown" "$findings"
dirs=("$grown")
[ -d "$seeds" ] && dirs+=("$seeds")
case $name in
    fuzz_epl_*) # words and seeds out of the sources
        python3 "$top/tests/tools/fuzz_epl.py" "$top/build/fuzz-seeds"
        dictionary=$top/build/fuzz-seeds/fuzz_epl.dict
        dirs+=("$top/build/fuzz-seeds/$name")
        ;;
    fuzz_control | fuzz_bus_local | fuzz_journal | fuzz_snapshot)
        python3 "$top/tests/tools/fuzz_seeds.py" "$top/build/fuzz-seeds"
        dirs+=("$top/build/fuzz-seeds/$name")
        ;;
esac
args=(-max_total_time="$seconds" -timeout=10 -report_slow_units=2 -rss_limit_mb=2048
    -artifact_prefix="$findings/" -print_final_stats=1)
[ -f "$dictionary" ] && args+=(-dict="$dictionary")
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:allocator_may_return_null=1}
"$exe" "${args[@]}" "${dirs[@]}"
