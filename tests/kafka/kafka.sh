#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# kafka.sh: a real Kafka (KRaft, no ZooKeeper) out of its published jars, for tests.
#
#   start  [--nodes 1|3] [--version 4|3.9] [--port BASE]   fetch, format, start, wait until ready
#   stop   [--all]                                         stop it (--all: every version and size)
#   status                                                 what runs
#   env                                                    KAIJU_KAFKA_*=... for `eval`
#   run    [...] -- COMMAND ARGS                           COMMAND with `env`; starts if need be
#   kill NODE | revive NODE                                kill -9 one broker; start it again
#   fixture-start | fixture-stop                           for ctest: stop only what it started
#
# --nodes and --version select the cluster everywhere. Each has a directory of its own under
# build/kafka (KAIJU_KAFKA_DIR changes that): lib-VERSION with the jars, VERSION-NODES with
# configuration, data, logs, certificates, pids. Data is thrown away at start. Needs a JRE (17),
# Maven and openssl.
#
# Ports of node n, from BASE + 10 * (n - 1): +0 plaintext, +1 controller, +2 TLS, +3 SASL without
# TLS, +4 SASL with TLS, +5 plaintext again, whose clients are told to come to +6: what listens
# there (proxy.h) stands between them. SASL knows the user kaiju / kaiju-secret by PLAIN and
# SCRAM-SHA-256; the TLS listeners take client certificates but do not ask for one.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
base_dir=${KAIJU_KAFKA_DIR:-$root/build/kafka}
user=kaiju
password=kaiju-secret

say() { echo "kafka.sh: $*" >&2; }
die() { say "$*"; exit 1; }
usage() { sed -n '4,23s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; }

nodes=1 version=4 port='' all=no node_arg='' command=${1:-help}
[ $# -gt 0 ] && shift
while [ $# -gt 0 ]; do
  case $1 in
    --nodes) nodes=${2:?}; shift 2 ;;
    --version) version=${2:?}; shift 2 ;;
    --port) port=${2:?}; shift 2 ;;
    --all) all=yes; shift ;;
    --help | -h) usage; exit 0 ;;
    --) shift; break ;;
    [0-9]*) node_arg=$1; shift ;;
    *) die "unknown argument '$1'; try --help" ;;
  esac
done
case $nodes in 1 | 3) ;; *) die "--nodes is 1 or 3, not '$nodes'" ;; esac
case $version in 4 | 3.9) ;; *) die "--version is 4 or 3.9, not '$version'" ;; esac

lib=$base_dir/lib-$version
dir=$base_dir/$version-$nodes

# A pid from our file counts only while that process still runs with our directory as argument:
# numbers are used again.
pid_of() { # node
  local pid
  pid=$(cat "$dir/n$1.pid" 2>/dev/null) || return 1
  grep -qzxF "$dir/n$1.properties" "/proc/$pid/cmdline" 2>/dev/null || return 1
  echo "$pid"
}

running() { # all nodes
  local n
  for n in $(seq "$nodes"); do pid_of "$n" >/dev/null || return 1; done
}

port_busy() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

choose_port() { # the one asked for, if any
  local try start n i p busy
  if [ -n "$1" ]; then echo "$1"; return; fi
  start=19100
  [ "$version" = 3.9 ] && start=19200
  [ "$nodes" = 3 ] && start=$((start + 40))
  for try in $(seq 0 20); do
    p=$((start + 200 * try)) busy=no
    for n in $(seq "$nodes"); do
      for i in 0 1 2 3 4 5; do port_busy $((p + 10 * (n - 1) + i)) && busy=yes; done
    done
    [ "$busy" = no ] && { echo "$p"; return; }
  done
  die "no free ports from $start on; give --port"
}

fetch() {
  [ -f "$lib/.complete" ] && [ ! "$here/pom.xml" -nt "$lib/.complete" ] && return
  command -v mvn >/dev/null || die "maven is missing: apt-get install maven"
  say "fetching the jars of Kafka $version"
  mkdir -p "$base_dir"
  rm -rf "$lib" "$lib.new"
  # Copies of the pom keep Maven from writing into the source tree.
  mkdir -p "$base_dir/pom-$version"
  cp "$here/pom.xml" "$base_dir/pom-$version/pom.xml"
  (cd "$base_dir/pom-$version" &&
    mvn -B -q "-Pkafka-$version" dependency:copy-dependencies -DincludeScope=runtime \
      "-DoutputDirectory=$lib.new") >"$base_dir/fetch-$version.log" 2>&1 ||
    { tail -20 "$base_dir/fetch-$version.log" >&2; die "maven failed"; }
  mv "$lib.new" "$lib"
  touch "$lib/.complete"
}

# A CA of our own, one certificate for the brokers, one for clients. Keys are PKCS#8 PEM, which
# the brokers read as they are.
certificates() {
  local d=$dir/tls
  mkdir -p "$d"
  {
    openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj "/CN=kaiju test CA" \
      -keyout "$d/ca.key" -out "$d/ca.pem"
    local who
    for who in broker client; do
      openssl req -newkey rsa:2048 -nodes -subj "/CN=$who" -keyout "$d/$who.key" -out "$d/$who.csr"
      openssl x509 -req -in "$d/$who.csr" -CA "$d/ca.pem" -CAkey "$d/ca.key" -CAcreateserial \
        -days 30 -out "$d/$who.pem" \
        -extfile <(echo "subjectAltName=DNS:localhost,IP:127.0.0.1")
    done
    openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj "/CN=somebody else's CA" \
      -keyout "$d/other.key" -out "$d/other.pem"
  } >"$d/openssl.log" 2>&1 || { cat "$d/openssl.log" >&2; die "openssl failed"; }
  cat "$d/broker.key" "$d/broker.pem" >"$d/broker-both.pem"
}

properties() { # node
  local n=$1 p=$((port + 10 * ($1 - 1))) voters='' i replicas=1 insync=1
  for i in $(seq "$nodes"); do voters+=",$i@127.0.0.1:$((port + 10 * (i - 1) + 1))"; done
  [ "$nodes" = 3 ] && replicas=3 insync=2
  local plain="org.apache.kafka.common.security.plain.PlainLoginModule required"
  local scram="org.apache.kafka.common.security.scram.ScramLoginModule required;"
  plain+=" username=\"$user\" password=\"$password\" user_$user=\"$password\";"
  cat <<P
process.roles=broker,controller
node.id=$n
controller.quorum.voters=${voters#,}
listeners=PLAINTEXT://127.0.0.1:$p,CONTROLLER://127.0.0.1:$((p + 1)),SSL://127.0.0.1:$((p + 2)),SASL_PLAINTEXT://127.0.0.1:$((p + 3)),SASL_SSL://127.0.0.1:$((p + 4)),PROXIED://127.0.0.1:$((p + 5))
advertised.listeners=PLAINTEXT://127.0.0.1:$p,SSL://127.0.0.1:$((p + 2)),SASL_PLAINTEXT://127.0.0.1:$((p + 3)),SASL_SSL://127.0.0.1:$((p + 4)),PROXIED://127.0.0.1:$((p + 6))
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL,PROXIED:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
ssl.keystore.type=PEM
ssl.keystore.location=$dir/tls/broker-both.pem
ssl.truststore.type=PEM
ssl.truststore.location=$dir/tls/ca.pem
ssl.client.auth=requested
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256
listener.name.sasl_plaintext.plain.sasl.jaas.config=$plain
listener.name.sasl_plaintext.scram-sha-256.sasl.jaas.config=$scram
listener.name.sasl_ssl.plain.sasl.jaas.config=$plain
listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config=$scram
log.dirs=$dir/data$n
num.network.threads=2
num.io.threads=2
num.recovery.threads.per.data.dir=1
auto.create.topics.enable=false
default.replication.factor=$replicas
min.insync.replicas=$insync
offsets.topic.num.partitions=4
offsets.topic.replication.factor=$replicas
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor=$replicas
transaction.state.log.min.isr=$insync
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
replica.lag.time.max.ms=6000
broker.session.timeout.ms=6000
log.retention.check.interval.ms=500
log.initial.task.delay.ms=500
log.segment.delete.delay.ms=200
log.cleaner.backoff.ms=300
log.cleaner.dedupe.buffer.size=16777216
log.cleaner.min.cleanable.ratio=0.01
log.cleaner.delete.retention.ms=200
P
  if [ "$version" = 4 ]; then
    cat <<P
share.coordinator.state.topic.replication.factor=$replicas
share.coordinator.state.topic.min.isr=$insync
share.coordinator.state.topic.num.partitions=1
P
  fi
}

logging() {
  cat >"$dir/log4j.properties" <<'P'
log4j.rootLogger=INFO, stdout
log4j.appender.stdout=org.apache.log4j.ConsoleAppender
log4j.appender.stdout.layout=org.apache.log4j.PatternLayout
log4j.appender.stdout.layout.ConversionPattern=%d %p %m (%c)%n
P
  cat >"$dir/log4j2.properties" <<'P'
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d %p %m (%c)%n
rootLogger.level=INFO
rootLogger.appenderRefs=out
rootLogger.appenderRef.out.ref=out
P
}

tool() { java -Xmx256m -cp "$lib/*" "-Dlog4j2.configurationFile=$dir/log4j2.properties" "$@"; }

launch() { # node
  local n=$1
  # The log is appended to, so that a revived broker's first life stays readable; the mark tells
  # ready() where the present life begins.
  wc -c <"$dir/n$n.log" >"$dir/n$n.mark" 2>/dev/null || echo 0 >"$dir/n$n.mark"
  (
    cd "$dir"
    exec setsid java -Xms128m "-Xmx${KAIJU_KAFKA_HEAP:-512m}" -XX:+UseSerialGC \
      ${KAIJU_KAFKA_JVM:-} -cp "$lib/*" "-Dlog4j.configuration=file:$dir/log4j.properties" \
      "-Dlog4j2.configurationFile=$dir/log4j2.properties" \
      kafka.Kafka "$dir/n$n.properties" >>"$dir/n$n.log" 2>&1 </dev/null 3>&- 9>&-
  ) &
  echo $! >"$dir/n$n.pid"
  disown
}

ready() { # node; fails if it does not get so
  local n=$1 try mark
  mark=$(cat "$dir/n$n.mark")
  for try in $(seq 900); do
    # No pipe: grep stops at the line, and tail would die of a broken pipe in a long log.
    grep -q "Kafka Server started" <(tail -c "+$((mark + 1))" "$dir/n$n.log") && return
    if ! pid_of "$n" >/dev/null && [ "$try" -gt 10 ]; then
      say "node $n did not start"
      return 1
    fi
    sleep 0.2
  done
  say "node $n was not ready after 180 s"
  return 1
}

# Certificates, configuration and storage for the ports from $port on.
prepare() {
  local id n
  rm -rf "$dir"
  mkdir -p "$dir"
  echo "$port" >"$dir/port"
  logging
  certificates
  id=$(tool kafka.tools.StorageTool random-uuid 2>/dev/null | tail -1)
  for n in $(seq "$nodes"); do
    properties "$n" >"$dir/n$n.properties"
    tool kafka.tools.StorageTool format -t "$id" -c "$dir/n$n.properties" \
      --add-scram "SCRAM-SHA-256=[name=$user,password=$password]" >"$dir/format.log" 2>&1 ||
      { cat "$dir/format.log" >&2; die "formatting the storage of node $n failed"; }
  done
}

all_ready() {
  local n
  for n in $(seq "$nodes"); do
    ready "$n" || { tail -20 "$dir/n$n.log" >&2; return 1; }
  done
}

start() {
  if running; then say "already running"; print_env; return; fi
  command -v java >/dev/null || die "a JRE is missing: apt-get install openjdk-17-jre-headless"
  stop
  fetch
  local wanted=$port try n
  for try in 1 2 3 4; do
    port=$(choose_port "$wanted")
    prepare
    for n in $(seq "$nodes"); do : >"$dir/n$n.log"; launch "$n"; done
    if all_ready; then
      say "Kafka $version, $nodes node(s), ready"
      print_env
      return
    fi
    stop
    # Between the look and the start somebody else took one: other clusters do as we do.
    [ -z "$wanted" ] && grep -q "Address already in use" "$dir"/n*.log || break
    say "a port from $port on was taken meanwhile: others are tried"
    sleep "$((RANDOM % 3)).$((RANDOM % 10))"
  done
  die "Kafka $version did not start"
}

stop() {
  local n pid try
  for n in $(seq "$nodes"); do
    pid=$(pid_of "$n") && kill "$pid" 2>/dev/null || true
  done
  for n in $(seq "$nodes"); do
    for try in $(seq 75); do
      pid=$(pid_of "$n") || break
      [ "$try" = 75 ] && kill -9 "$pid" 2>/dev/null
      sleep 0.2
    done
    rm -f "$dir/n$n.pid"
  done
  rm -f "$dir/fixture"
}

servers() { # port offset
  local n list=''
  port=$(cat "$dir/port")
  for n in $(seq "$nodes"); do list+=",127.0.0.1:$((port + 10 * (n - 1) + $1))"; done
  echo "${list#,}"
}

print_env() {
  [ -f "$dir/port" ] || die "not running"
  cat <<P
KAIJU_KAFKA_BROKERS=$(servers 0)
KAIJU_KAFKA_TLS=$(servers 2)
KAIJU_KAFKA_SASL=$(servers 3)
KAIJU_KAFKA_SASL_TLS=$(servers 4)
KAIJU_KAFKA_BEHIND=$(servers 5)
KAIJU_KAFKA_PROXIED=$(servers 6)
KAIJU_KAFKA_CERTS=$(printf %q "$dir/tls")
KAIJU_KAFKA_USER=$user
KAIJU_KAFKA_PASSWORD=$password
KAIJU_KAFKA_NODES=$nodes
KAIJU_KAFKA_VERSION=$version
P
}

status() {
  local d v n pid found=no
  for d in "$base_dir"/*-[13]; do
    [ -f "$d/port" ] || continue
    v=${d##*/} dir=$d nodes=${v##*-} version=${v%-*}
    for n in $(seq "$nodes"); do
      pid=$(pid_of "$n") || continue
      found=yes
      echo "Kafka $version node $n/$nodes: pid $pid, 127.0.0.1:$(($(cat "$d/port") + 10 * (n - 1)))"
    done
  done
  [ "$found" = yes ] || echo "no broker of $base_dir runs"
}

stop_all() {
  local d v
  for d in "$base_dir"/*-[13]; do
    [ -d "$d" ] || continue
    v=${d##*/} dir=$d nodes=${v##*-} version=${v%-*}
    stop
  done
}

run() {
  local started=no rc=0
  if ! running; then start >/dev/null; started=yes; fi
  export KAIJU_KAFKA_SH="$here/kafka.sh"
  set -a
  eval "$(print_env)"
  set +a
  "$@" || rc=$?
  [ "$started" = no ] || stop
  exit $rc
}

mkdir -p "$base_dir"
case $command in
  start) start ;;
  stop) if [ "$all" = yes ]; then stop_all; else stop; fi ;;
  status) status ;;
  env) running || die "not running"; print_env ;;
  run) [ $# -gt 0 ] || die "run: no command"; run "$@" ;;
  kill)
    pid=$(pid_of "${node_arg:?which node?}") && kill -9 "$pid"
    while pid_of "$node_arg" >/dev/null; do sleep 0.02; done
    ;;
  revive)
    pid_of "${node_arg:?which node?}" >/dev/null && die "node $node_arg runs"
    launch "$node_arg" && ready "$node_arg"
    ;;
  fixture-start) if ! running; then start && touch "$dir/fixture"; fi ;;
  fixture-stop) if [ -f "$dir/fixture" ]; then stop; fi ;;
  help | --help | -h) usage ;;
  *) die "unknown command '$command'; try --help" ;;
esac
