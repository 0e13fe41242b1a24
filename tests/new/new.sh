#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# new.sh KIND NAME: writes the skeleton of one more of something, with its test, adds it to the
# build, and says what is left to do. Overwrites nothing. test_new.sh holds what it writes to the
# lints and to the compiler.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

kinds() {
    cat <<'TEXT'
kinds:
  module core/base/thing   a header, a source and a unit test
  fuzzer thing             a libFuzzer target tests/fuzz/fuzz_thing.c with a corpus folder
  bench thing              a benchmark tests/bench/bench_thing.c
TEXT
}
fail() { echo "new: $*" >&2; exit 2; }
write() {
    [ ! -e "$1" ] || fail "$1 exists already"
    mkdir -p "$(dirname "$1")"
    cat >"$1"
    echo "wrote $1"
}

# Puts a source file into the first list of sources of a folder's CMakeLists.txt.
add_source() { # folder file
    local list=$1/CMakeLists.txt
    if grep -q 'SOURCES ' "$list" 2>/dev/null; then
        sed -i "0,/SOURCES /s//SOURCES $2 /" "$list"
        echo "added $2 to $list"
    else
        echo "still to do: $2 into a new $list (CONTRIBUTING.md)"
    fi
}
add_prefix() { # folder prefix
    if grep -q "^| $1 | " CONTRIBUTING.md; then
        sed -i "s#^| $1 | #&\`$2\` #" CONTRIBUTING.md
    else
        local last
        last=$(grep -n '<!-- prefixes -->' CONTRIBUTING.md | tail -n 1 | cut -d: -f1)
        sed -i "${last}i | $1 | \`$2\` |" CONTRIBUTING.md
    fi
    echo "added the prefix $2 to CONTRIBUTING.md"
}

new_module() {
    local path=$1 name guard
    case $path in */*) ;; *) fail "module wants a path, such as core/base/thing" ;; esac
    [ -d "$(dirname "$path")" ] || fail "there is no folder $(dirname "$path")"
    name=$(basename "$path")
    guard=$(tr 'a-z/' 'A-Z_' <<<"$path")_H
    write "$path.h" <<TEXT
/* SPDX-License-Identifier: Apache-2.0
 *
 * What $name is, why it is this way, which thread runs it, what lives how long.
 */
#ifndef $guard
#define $guard

int ${name}_answer(void);

#endif
TEXT
    write "$path.c" <<TEXT
/* SPDX-License-Identifier: Apache-2.0
 *
 * See $name.h.
 */
#include "$path.h"

int ${name}_answer(void)
{
    return 42;
}
TEXT
    write "tests/unit/$(dirname "$path")/test_$name.c" <<TEXT
/* SPDX-License-Identifier: Apache-2.0 */
#include "$path.h"

#include "tests/test.h"

TEST(${name}_answers)
{
    CHECK_EQ(42, ${name}_answer());
}
TEXT
    add_source "$(dirname "$path")" "$name.c"
    add_source "tests/unit/$(dirname "$path")" "test_$name.c"
    add_prefix "$(dirname "$path")" "${name}_"
    echo "still to do: $name into the folder's README.md"
}

new_fuzzer() {
    write "tests/fuzz/fuzz_$1.c" <<TEXT
/* SPDX-License-Identifier: Apache-2.0
 *
 * $1 from any bytes: what must hold.
 */
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    (void)data;
    (void)size;
    return 0;
}
TEXT
    mkdir -p "tests/fuzz/corpus/fuzz_$1"
    echo "kaiju_fuzzer(fuzz_$1 SOURCES fuzz_$1.c DEPS core_base)" >>tests/fuzz/CMakeLists.txt
    echo "added it to tests/fuzz/CMakeLists.txt; put seeds into tests/fuzz/corpus/fuzz_$1; run ./dev fuzz fuzz_$1"
}

new_bench() {
    write "tests/bench/bench_$1.c" <<TEXT
/* SPDX-License-Identifier: Apache-2.0
 *
 * What $1 costs, against what its users would otherwise run, in the same run.
 */
#include "core/base/clock.h"

#include <stdio.h>

int main(void)
{
    int64_t start = clock_cpu_ns();
    printf("%-32s %10.1f ns\n", "$1", (double)(clock_cpu_ns() - start));
    return 0;
}
TEXT
    echo "kaiju_bench(bench_$1 SOURCES bench_$1.c DEPS core_base)" >>tests/bench/CMakeLists.txt
    echo "added it to tests/bench/CMakeLists.txt; run ./dev bench $1, keep the figures in tests/bench/RESULTS.md"
}

kind=${1:-} name=${2:-}
[ -n "$kind" ] || { kinds; exit 2; }
case $kind in
    module | fuzzer | bench)
        [[ ${name##*/} =~ ^[a-z][a-z0-9_]*$ ]] || fail "$kind wants a name of lower-case letters, digits and _"
        [[ $kind = module || $name != */* ]] || fail "$kind wants a name, not a path"
        "new_$kind" "$name"
        ;;
    *) echo "new: there is no kind '$kind'" >&2; kinds >&2; exit 2 ;;
esac
