#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# run.sh AVRO_DUMP BUILD_DIR: makes a Python environment with fastavro in the build tree, once, and
# runs the cross-check in it. Exit status 77 (skipped) only if the package cannot be fetched.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
dump=$1 build=$2 version=1.13.1
venv=$build/venv-fastavro-$version
if [ ! -e "$venv/ready" ]; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    if ! timeout 120 "$venv/bin/pip" install --quiet --disable-pip-version-check "fastavro==$version" >"$venv/log" 2>&1; then
        tail -n 5 "$venv/log" >&2
        echo "skipped: pip could not fetch fastavro $version" >&2
        exit 77
    fi
    touch "$venv/ready"
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$venv/bin/python" "$here/fastavro_test.py" "$dump" "$here/../../schemas" "$work"
