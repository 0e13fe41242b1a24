#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# run_tests.sh PRESET...: configures, builds and tests each preset, goes on after a failure, and
# closes with one line "N passed, N failed" over all of them. Tests wait more than they work: while
# those of one preset run, the next one is built in what time they leave.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 2
passed=0 failed=0 logs=build/logs ahead='' ahead_pid=''
mkdir -p "$logs"

# The folder of a preset below build/: some are the same programs and other tests.
folder() { case $1 in long | peers) echo dev ;; *) echo "$1" ;; esac; }

build() { # preset
    local of=${1/#long/dev}
    cmake --preset "$of" && cmake --build --preset "$of"
}

# Begins to build a preset whose folder no test uses meanwhile.
build_ahead() { # preset under test, the next one or nothing
    if [ -n "${2:-}" ] && [ "$(folder "$1")" != "$(folder "$2")" ]; then
        (nice -n 19 bash -c "$(declare -f build); build $2" >"$logs/$2.build" 2>&1) &
        ahead=$2 ahead_pid=$!
    fi
}

# Status of the build, whenever it began.
built() { # preset
    if [ "$ahead" = "$1" ]; then
        wait "$ahead_pid"
    else
        build "$1" >"$logs/$1.build" 2>&1
    fi
}

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

while [ $# -gt 0 ]; do
    preset=$1 start=$SECONDS
    shift
    echo "== $preset: configure and build"
    if ! built "$preset"; then
        grep -E 'error|Error|FAILED|undefined' "$logs/$preset.build" | head -n 40
        echo "== $preset: the build failed; its output is in $logs/$preset.build"
        failed=$((failed + 1))
        continue
    fi
    echo "== $preset: test"
    build_ahead "$preset" "${1:-}"
    ctest --preset "$preset" 2>&1 | tee "$logs/$preset.test" | grep -vE '^ *Start +[0-9]+:'
    count "$logs/$preset.test"
    echo "== $preset: $((SECONDS - start)) s"
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
