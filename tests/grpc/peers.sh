#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# peers.sh GRPC_ECHO BUILD_DIR: makes a Python environment with grpcio in the build tree, once, and
# runs peers_test.py in it. Exit status 77 (skipped) only if the packages cannot be fetched.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
echo_server=$1 build=$2 version=1.85.1
venv=$build/venv-grpcio-$version
if [ ! -e "$venv/ready" ]; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    if ! timeout 240 "$venv/bin/pip" install --quiet --disable-pip-version-check \
        "grpcio==$version" "grpcio-status==$version" >"$venv/log" 2>&1; then
        tail -n 5 "$venv/log" >&2
        echo "skipped: pip could not fetch grpcio $version" >&2
        exit 77
    fi
    touch "$venv/ready"
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$venv/bin/python" "$here/peers_test.py" "$echo_server" "$work"
