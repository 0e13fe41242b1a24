#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# bench_rules_memory.sh PROGRAM [ARGS]: rules that match nothing, on a standalone. PROGRAM says where
# the release build is.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
KAIJU=$(dirname "$1")/../kaiju exec python3 -B "$here/bench_rules_memory.py" "${@:2}"
