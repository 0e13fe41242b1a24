#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# venv.sh BUILD_DIR: makes a Python environment with fastavro in the build tree, once, and prints
# its python. Exit status 77 only if the package cannot be fetched.
set -euo pipefail
build=$1 version=1.13.1
venv=$build/venv-fastavro-$version
mkdir -p "$build"
exec 9>"$venv.lock" # two tests may want it at once
flock 9
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
echo "$venv/bin/python"
