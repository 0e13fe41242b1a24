#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The EPL engine on the scenarios of tests/bench/epl, once with event structs and once out of the
# bytes of batches. KAIJU_ORACLE: a command that measures another engine (kaiju epl bench --oracle),
# which is then asked for each scenario in the first table. More options go to both.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
shift || true
oracle=()
[ -z "${KAIJU_ORACLE:-}" ] || oracle=(--oracle "$KAIJU_ORACLE")
echo "-- from event structs"
build/release/kaiju epl bench tests/bench/epl --allocs "${oracle[@]}" "$@"
echo "-- from the bytes of batches"
build/release/kaiju epl bench tests/bench/epl --allocs --from batch "$@"
