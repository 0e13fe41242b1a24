#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# h2spec.sh GRPC_ECHO BUILD_DIR: builds h2spec in the build tree, once, and holds the server against
# all of it, its strict tests too. Exit status 77 (skipped) only without Go or its module proxy. The
# version is the last that the proxy has.
set -euo pipefail
echo_server=$1 build=$2 version=v2.2.1+incompatible
dir=$build/h2spec-$version
if [ ! -x "$dir/h2spec" ]; then
    command -v go >/dev/null || { echo "skipped: h2spec needs Go" >&2; exit 77; }
    mkdir -p "$dir"
    if ! GOBIN=$dir timeout 400 go install "github.com/summerwind/h2spec/cmd/h2spec@$version" >"$dir/log" 2>&1; then
        tail -n 5 "$dir/log" >&2
        echo "skipped: h2spec $version could not be built" >&2
        exit 77
    fi
fi
work=$(mktemp -d)
"$echo_server" >"$work/address" &
server=$!
trap 'kill $server 2>/dev/null || true; rm -rf "$work"' EXIT
until [ -s "$work/address" ]; do sleep 0.05; done
address=$(cat "$work/address")
timeout 200 "$dir/h2spec" --strict -h 127.0.0.1 -p "${address##*:}" -P /kaiju.test.Echo/Say -o 3 \
    >"$work/out" 2>&1 || { grep -A6 "×" "$work/out"; tail -n 2 "$work/out"; exit 1; }
tail -n 1 "$work/out"
