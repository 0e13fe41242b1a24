#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# run.sh AVRO_DUMP BUILD_DIR: the cross-check in an environment with fastavro (venv.sh). Exit status
# 77 (skipped) only if the package cannot be fetched.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
dump=$1 build=$2
python=$("$here/venv.sh" "$build")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$python" "$here/fastavro_test.py" "$dump" "$here/../../schemas" "$work"
