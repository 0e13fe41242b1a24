#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# bench_collector.sh PROGRAM [--rounds N] [--seconds N] [--only SIGNAL]: `kaiju ingest` beside the
# OpenTelemetry collector, both from OTLP to a real Kafka, which is started and stopped if none runs.
# The collector is built at the first time. PROGRAM says where the release build is.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$here/../..
"$here/../peers/fetch.sh" "$top/build" collector
export PEERS_DIR=$top/build/peers PYTHONPATH=$here/../peers
exec "$here/../kafka/kafka.sh" run -- python3 -B "$here/bench_collector.py" "$(dirname "$1")/.." "${@:2}"
