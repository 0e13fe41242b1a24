#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# bench_rules_paper.sh PROGRAM [--rules DIR] [--seconds N] [--runs N]: standalone with the rules of the
# first Kaiju at the load of its paper. PROGRAM says where the release build is.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
exec python3 -B "$here/bench_rules_paper.py" "$(dirname "$1")/.." "${@:2}"
