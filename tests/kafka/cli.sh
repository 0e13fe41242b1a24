#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# cli.sh KAIJU AVRO_DUMP KAFKA_FEED: the program's own settings lead to a Kafka: plainly, and by
# SASL over TLS with the password from the environment; a wrong password is refused and not shown.
set -euo pipefail
kaiju=$1 dump=$2 feed=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
die() { echo "FAILED: $*" >&2; cat "$work"/out "$work"/err >&2; exit 1; }

prefix=c$$.$(date +%s).
"$dump" write 3 10 "$work/batches" >/dev/null 2>&1
"$feed" "$prefix" "$work/batches" >"$work/fed"
cd "$work"
topics() { timeout 120 "$kaiju" topics -o json --timeout 100s --bus-kind kafka --bus-prefix "$prefix" "$@" >out 2>err; }
shown() { grep -q '"events"' out && grep -q '"partitions": *4' out || die "$1"; }

topics --bus-kafka-brokers "$KAIJU_KAFKA_BROKERS" || die "plaintext"
shown "plaintext: the topic is not listed"
KAIJU_BUS_KAFKA_BROKERS=$KAIJU_KAFKA_BROKERS topics || die "brokers from the environment"
shown "environment: the topic is not listed"

guarded=(--bus-kafka-brokers "$KAIJU_KAFKA_SASL_TLS" --bus-kafka-security sasl_ssl
  --bus-kafka-ca-file "$KAIJU_KAFKA_CERTS/ca.pem" --bus-kafka-sasl-mechanism PLAIN
  --bus-kafka-username "$KAIJU_KAFKA_USER")
KAIJU_BUS_KAFKA_PASSWORD=$KAIJU_KAFKA_PASSWORD topics "${guarded[@]}" || die "SASL over TLS"
shown "SASL over TLS: the topic is not listed"
if KAIJU_BUS_KAFKA_PASSWORD=not-the-one topics "${guarded[@]}"; then die "a wrong password got in"; fi
grep -q not-the-one out err && die "the password is shown"
grep -qi authentication err || die "the refusal does not say why"
echo "ok"
