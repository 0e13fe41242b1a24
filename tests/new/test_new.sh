#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# test_new.sh: in a copy of the tree, `./dev new` writes one of every kind; what it wrote compiles
# without a warning, its unit test passes, it is part of the build, and the lints have nothing
# against it. What is no name or exists already is refused and changes nothing.
set -euo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
die() { echo "FAILED: $*" >&2; exit 1; }

(cd "$top" && git ls-files -co --exclude-standard -z |
    while IFS= read -r -d '' f; do [ ! -f "$f" ] || printf '%s\0' "$f"; done |
    tar --null -T - -c) | tar -x -C "$copy"
cd "$copy"
sum() { find . -type f | LC_ALL=C sort | xargs -d '\n' cat | md5sum; }

before=$(sum)
for wrong in "nothing thing" "module" "module thing" "module core/base/Thing" "module nowhere/thing" \
    "module core/base/" "fuzzer a/b" "bench ../x" "module core/base/slice" "fuzzer conf" "bench event"; do
    # shellcheck disable=SC2086 # words are meant
    if tests/new/new.sh $wrong >out 2>&1; then die "'new $wrong' was accepted"; fi
    grep -q '^new: ' out || die "'new $wrong' does not say why"
    rm out
    [ "$(sum)" = "$before" ] || die "'new $wrong' changed something"
done

tests/new/new.sh module core/base/zebra >/dev/null
tests/new/new.sh fuzzer zebra >/dev/null
tests/new/new.sh bench zebra >/dev/null
flags="-std=c17 -D_GNU_SOURCE -I. -Wall -Wextra -Wshadow -Wconversion -Wmissing-prototypes -Wstrict-prototypes -Werror"
for cc in ${CC:-gcc clang-14}; do
    # shellcheck disable=SC2086
    for f in tests/fuzz/fuzz_zebra.c tests/bench/bench_zebra.c; do $cc $flags -fsyntax-only $f; done
    # shellcheck disable=SC2086
    $cc $flags -o unit_zebra core/base/zebra.c tests/unit/core/base/test_zebra.c tests/test_main.c -lm
    ./unit_zebra | grep -q '^1 passed, 0 failed' || die "the unit test of the module does not pass"
    rm unit_zebra
done
grep -q 'SOURCES zebra.c ' core/base/CMakeLists.txt || die "the module is not built"
grep -q 'SOURCES test_zebra.c ' tests/unit/core/base/CMakeLists.txt || die "its test is not built"
grep -q '^kaiju_fuzzer(fuzz_zebra ' tests/fuzz/CMakeLists.txt || die "the fuzzer is not built"
grep -q '^kaiju_bench(bench_zebra ' tests/bench/CMakeLists.txt || die "the benchmark is not built"
python3 tests/lint/lint.py layers budgets banned prefixes tables text format >out ||
    { grep zebra out && die "the lints complain"; }
echo "ok"
