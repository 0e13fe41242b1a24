#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# run.sh NAME BUILD_DIR: test_NAME.py with what it needs. Exit status 77 (skipped) if that cannot be
# fetched.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
name=$1 build=$2
"$here/fetch.sh" "$build" $(sed -n 's/^# needs: //p' "$here/test_$name.py")
export PEERS_DIR=$build/peers PYTHONPATH=$here:$here/../e2e
exec "$build/peers/venv/bin/python" -B "$here/test_$name.py"
