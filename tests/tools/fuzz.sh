#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# fuzz.sh [TARGET [SECONDS]]: builds the fuzzers and runs one, or all, for so many seconds each (60).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
mkdir -p build/logs
cmake --preset fuzz >build/logs/fuzz.build 2>&1
cmake --build --preset fuzz >>build/logs/fuzz.build 2>&1 || { tail -n 30 build/logs/fuzz.build; exit 1; }
target=${1:-} seconds=${2:-60}
if [ -n "$target" ] && [ ! -x "build/fuzz/fuzzers/$target" ]; then
    echo "dev: there is no fuzz target '$target'; there are: $(cd build/fuzz/fuzzers && echo *)" >&2
    exit 2
fi
for exe in build/fuzz/fuzzers/${target:-*}; do
    echo "== $(basename "$exe"), $seconds s"
    KAIJU_FUZZ_SECONDS=$seconds tests/tools/fuzz_one.sh "$exe" "$seconds" 2>&1 | tail -n 12
done
