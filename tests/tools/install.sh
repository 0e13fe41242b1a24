#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# install.sh GROUP...: installs what is missing of the groups in packages.txt, says what it does,
# and does nothing when everything is there.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

wanted() {
    local group
    for group in "$@"; do
        awk -v group="$group" '$1 == group { print $2 }' "$here/packages.txt"
    done
}

missing=()
for package in $(wanted "$@"); do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

if ! command -v apt-get >/dev/null; then
    echo "dev: this system has no apt-get; install these by its own means: ${missing[*]}" >&2
    exit 2
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "dev: run as root or install sudo; missing: ${missing[*]}" >&2; exit 2; }
    as_root=(sudo)
fi
echo "dev: installing ${#missing[@]} packages: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
if ! { "${as_root[@]}" apt-get update -qq && "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    echo "dev: the installation failed; the whole output is in $log" >&2
    exit 2
fi
rm -f "$log"
