#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# up.sh [--rounds N] [OPTION...]: the demo behind ./dev up. Three programs of build/release: kaiju
# standalone (in the background, its log in build/logs), kaiju-loadgen (likewise), and kaiju top.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
rounds=0
if [ "${1:-}" = --rounds ]; then
    rounds=${2:?"--rounds wants a number"}
    shift 2
fi
export KAIJU_BUS_LOCAL_DIR=${KAIJU_BUS_LOCAL_DIR:-./kaiju-data}
export KAIJU_HTTP_LISTEN=${KAIJU_HTTP_LISTEN:-127.0.0.1:8080}
export KAIJU_OTLP_HTTP_LISTEN=${KAIJU_OTLP_HTTP_LISTEN:-127.0.0.1:4318}
bin=build/release log=build/logs/kaiju.log load=build/logs/loadgen.log
mkdir -p build/logs
started=()
finish() {
    trap - EXIT INT TERM
    for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${started[@]}"; do wait "$pid" 2>/dev/null || true; done
    echo "dev: ended. The data is in $KAIJU_BUS_LOCAL_DIR; the logs are $log and $load"
}
trap finish EXIT
trap 'exit 130' INT TERM

echo "dev: starting $bin/kaiju standalone (pages on http://$KAIJU_HTTP_LISTEN, log in $log)"
$bin/kaiju standalone "$@" >"$log" 2>&1 &
started+=($!)
for _ in $(seq 100); do
    kill -0 "${started[0]}" 2>/dev/null || { tail -n 5 "$log" >&2; exit 1; }
    curl -fsS "http://$KAIJU_HTTP_LISTEN/readyz" >/dev/null 2>&1 && break
    sleep 0.1
done
curl -fsS "http://$KAIJU_HTTP_LISTEN/readyz" >/dev/null || { tail -n 5 "$log" >&2; exit 1; }

echo "dev: starting $bin/kaiju-loadgen, a shop that sends OTLP (log in $load)"
$bin/kaiju-loadgen --to "http://$KAIJU_OTLP_HTTP_LISTEN" --preset demo \
    --incident failing-product@15s:60s --incident slow-dependency@90s:60s >"$load" 2>&1 &
started+=($!)
$bin/kaiju top --hints -n "$rounds" || true
kill -0 "${started[1]}" 2>/dev/null || { echo "dev: the load has ended:" >&2; tail -n 5 "$load" >&2; exit 1; }
