#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# bench_rules_latency.sh PROGRAM [ARGS]: the benchmark with a broker, started and stopped if none runs.
exec "$(dirname "${BASH_SOURCE[0]}")/../kafka/kafka.sh" run -- "$@"
