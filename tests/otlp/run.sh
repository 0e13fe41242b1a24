#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# run.sh OTLP_DUMP BUILD_DIR: makes a Python environment with opentelemetry-proto in the build tree,
# once, and runs the comparison in it. Exit status 77 (skipped) only if it cannot be fetched.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
dump=$1 build=$2 version=1.45.2
venv=$build/venv-otlp-$version
if [ ! -e "$venv/ready" ]; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    if ! timeout 120 "$venv/bin/pip" install --quiet --disable-pip-version-check "opentelemetry-proto==$version" >"$venv/log" 2>&1; then
        tail -n 5 "$venv/log" >&2
        echo "skipped: pip could not fetch opentelemetry-proto $version" >&2
        exit 77
    fi
    touch "$venv/ready"
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$venv/bin/python" "$here/otlp_test.py" "$dump" "$work"
