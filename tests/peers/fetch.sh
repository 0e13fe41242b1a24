#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# fetch.sh BUILD_DIR WHAT...: fetches senders and checkers from the registries of their languages,
# once, into BUILD_DIR/peers, with caches of their own. What is fetched is pinned beside this file.
# Exit status 77 only if something cannot be had here. To add one: a function get_NAME, whose
# success is remembered under its name and the pins it was made from.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
mkdir -p "$1/peers"
peers=$(cd "$1/peers" && pwd)
shift
export GOMODCACHE=$peers/go/mod GOCACHE=$peers/go/cache GOFLAGS="-mod=mod -modcacherw" GOTOOLCHAIN=local
export npm_config_cache=$peers/npm

get_python() {
    rm -rf "$peers/venv"
    python3 -m venv "$peers/venv"
    "$peers/venv/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt"
}

# An executable of a Go module. The directory h2spec holds its go.mod: the module itself has none.
get_h2spec() {
    need go
    (cd "$here/h2spec" && go build -mod=readonly -o "$peers/bin/h2spec" github.com/summerwind/h2spec/cmd/h2spec)
}

get_telemetrygen() {
    need go
    GOBIN=$peers/bin go install github.com/open-telemetry/opentelemetry-collector-contrib/cmd/telemetrygen@v0.155.0
}

# What it is made of stands in builder.yaml: two minutes of CPU.
get_collector() {
    need go
    GOBIN=$peers/bin go install go.opentelemetry.io/collector/cmd/builder@v0.155.0
    mkdir -p "$peers/collector"
    cp "$here/collector/builder.yaml" "$peers/collector/"
    (cd "$peers/collector" && "$peers/bin/builder" --config builder.yaml)
    mv "$peers/collector/collector" "$peers/bin/collector"
}

# Versions stand in package.json, contents in its lock file.
get_js() {
    need node
    need npm
    mkdir -p "$peers/js"
    cp "$here/js/package.json" "$here/js/package-lock.json" "$peers/js/"
    (cd "$peers/js" && npm ci --ignore-scripts --no-audit --no-fund)
}

# Jars of Kafka Streams and of Flink, and the programs that use them.
get_streams() { jars streams; }
get_flink() { jars flink; }

jars() { # folder with a pom.xml and a Load.java
    need mvn
    need javac
    rm -rf "${peers:?}/$1"
    mkdir -p "$peers/$1/lib" "$peers/$1/classes"
    cp "$here/$1/pom.xml" "$peers/$1/"
    (cd "$peers/$1" && mvn -B -q dependency:copy-dependencies -DincludeScope=runtime "-DoutputDirectory=$peers/$1/lib")
    javac -cp "$peers/$1/lib/*" -d "$peers/$1/classes" "$here/$1/Load.java"
}

need() {
    command -v "$1" >/dev/null || { echo "skipped: there is no $1 here" >&2; exit 77; }
}

exec 9>"$peers/lock" # two tests may want the same at once
flock 9
for what in "$@"; do
    pins=$(declare -f "get_$what" jars | cat - "$here/requirements.txt" "$here/h2spec/go.mod" "$here/collector/builder.yaml" "$here/js/package-lock.json" "$here/streams/pom.xml" "$here/streams/Load.java" "$here/flink/pom.xml" "$here/flink/Load.java" | sha256sum | cut -c1-16)
    [ "$(cat "$peers/$what.ready" 2>/dev/null)" != "$pins" ] || continue
    echo "fetching $what into $peers (log: $peers/$what.log)" >&2
    if ! timeout 550 bash -euo pipefail -c "$(declare -f need jars "get_$what"); peers=$peers here=$here; get_$what" >"$peers/$what.log" 2>&1; then
        tail -n 5 "$peers/$what.log" >&2
        echo "skipped: $what could not be fetched" >&2
        exit 77
    fi
    echo "$pins" >"$peers/$what.ready"
done
