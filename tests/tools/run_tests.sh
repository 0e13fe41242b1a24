#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# run_tests.sh PRESET...: configures, builds and tests each preset, goes on after a failure, and
# closes with one line "N passed, N failed" over all of them.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 2
passed=0 failed=0 logs=build/logs
mkdir -p "$logs"

# The sum in ctest's last lines: "97% tests passed, 1 tests failed out of 30".
count() {
    local line
    line=$(grep -E '^[0-9]+% tests passed, [0-9]+ tests failed out of [0-9]+' "$1" | tail -n 1)
    if [ -z "$line" ]; then
        failed=$((failed + 1))
        return
    fi
    local bad all
    bad=$(sed -E 's/.*passed, ([0-9]+) tests failed.*/\1/' <<<"$line")
    all=$(sed -E 's/.*out of ([0-9]+).*/\1/' <<<"$line")
    passed=$((passed + all - bad)) failed=$((failed + bad))
}

for preset in "$@"; do
    start=$SECONDS
    build=${preset/#long/dev} # the same programs, other tests
    echo "== $preset: configure and build"
    if ! { cmake --preset "$build" && cmake --build --preset "$build"; } >"$logs/$preset.build" 2>&1; then
        grep -E 'error|Error|FAILED|undefined' "$logs/$preset.build" | head -n 40
        echo "== $preset: the build failed; its output is in $logs/$preset.build"
        failed=$((failed + 1))
        continue
    fi
    echo "== $preset: test"
    ctest --preset "$preset" 2>&1 | tee "$logs/$preset.test" | grep -vE '^ *Start +[0-9]+:'
    count "$logs/$preset.test"
    echo "== $preset: $((SECONDS - start)) s"
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
