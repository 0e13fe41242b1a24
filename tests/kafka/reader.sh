#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# reader.sh AVRO_DUMP KAFKA_FEED BUILD_DIR: reader_test.py in an environment with fastavro (made
# once, shared with tests/avro). Exit status 77 (skipped) only if the package cannot be fetched.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
dump=$1 feed=$2 build=$3
command -v kcat >/dev/null || { echo "kcat is missing: apt-get install kcat" >&2; exit 1; }
python=$("$here/../avro/venv.sh" "$build")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$python" "$here/reader_test.py" "$dump" "$feed" "$here/../../schemas" "$work"
