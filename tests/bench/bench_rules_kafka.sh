#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# bench_rules_kafka.sh PROGRAM [--rounds N] [--events N] [--only ROW]: a rule from Kafka to Kafka,
# exactly once, beside Kafka Streams and Flink, on a broker that is started and stopped if none runs.
# The jars are fetched at the first time. PROGRAM says where the release build is.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$here/../..
"$here/../peers/fetch.sh" "$top/build" streams flink
export PEERS_DIR=$top/build/peers
exec "$here/../kafka/kafka.sh" run -- python3 -B "$here/bench_rules_kafka.py" "$(dirname "$1")/.." "${@:2}"
