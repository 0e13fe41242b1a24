#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# bench.sh [NAME...] [-- OPTION...]: builds the release preset and runs its benchmarks (all, or those
# named) one after the other, each with its table and with the options. Those that need a broker
# start one themselves.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
mkdir -p build/logs
cmake --preset release >build/logs/release.build 2>&1
cmake --build --preset release >>build/logs/release.build 2>&1 || { tail -n 30 build/logs/release.build; exit 1; }
all=()
for exe in build/release/bench/bench_*; do
    [ -x "$exe" ] && all+=("$(basename "$exe")")
done
for script in tests/bench/bench_*.sh; do # some have no program of their own
    [ -x "build/release/bench/$(basename "$script" .sh)" ] || all+=("$(basename "$script" .sh)")
done
names=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do
    names+=("$1")
    shift
done
[ $# -eq 0 ] || shift
[ ${#names[@]} -gt 0 ] || names=("${all[@]}")
for name in "${names[@]}"; do
    name=bench_${name#bench_}
    script=tests/bench/$name.sh
    if [ ! -x "build/release/bench/$name" ] && [ ! -x "$script" ]; then
        echo "dev: there is no benchmark '$name'; there are: ${all[*]}" >&2
        exit 2
    fi
    echo "== $name"
    if [ -x "$script" ]; then "$script" "build/release/bench/$name" "$@"; else "build/release/bench/$name" "$@"; fi
done
