# SPDX-License-Identifier: Apache-2.0
"""The gRPC server of grpc_echo against grpcio: peers_test.py GRPC_ECHO WORKDIR. Everything the
protocol lets a server say is read by a client that others wrote."""
import asyncio
import os
import signal
import subprocess
import sys
import time
import urllib.request

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

ECHO, WORK = sys.argv[1:3]
SAY = "/kaiju.test.Echo/"
BIG = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
failures = 0


class Server:
    def __init__(self, *args):
        self.process = subprocess.Popen([ECHO, *args], stdout=subprocess.PIPE, text=True)
        self.address = self.process.stdout.readline().strip()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(10)
        check("the server ends well", self.process.returncode == 0)


def check(what, ok):
    global failures
    if not ok:
        failures += 1
    print(f"{'ok  ' if ok else 'FAIL'} {what}", flush=True)


def method(channel, name, kind="unary_unary"):
    return getattr(channel, kind)(SAY + name, request_serializer=None, response_deserializer=None)


def error_of(call, *args, **kwargs):
    try:
        call(*args, timeout=kwargs.pop("timeout", 10), **kwargs)
    except grpc.RpcError as e:
        return e
    raise AssertionError("no error")


def retry_of(error):
    status = rpc_status.from_call(error)
    for detail in status.details if status else []:
        info = error_details_pb2.RetryInfo()
        if detail.Unpack(info):
            return info.retry_delay.ToMilliseconds()
    return None


def plain(address):
    with grpc.insecure_channel(address, options=BIG) as channel:
        say = method(channel, "Say")
        for size in (0, 1, 5, 16379, 100_000, 1 << 20, 16 << 20):
            sent = os.urandom(size)
            check(f"echo of {size} bytes", say(sent, timeout=20) == sent)
        for coding in (grpc.Compression.Gzip, grpc.Compression.Deflate):
            sent = b"all work and no play " * 10_000
            check(f"echo packed as {coding.name}", say(sent, timeout=10, compression=coding) == sent)
        check("an empty packed message", say(b"", timeout=10, compression=grpc.Compression.Gzip) == b"")
        futures = [method(channel, "Later").future(b"%d" % i, timeout=20) for i in range(500)]
        check("500 at once", [f.result() for f in futures] == [b"%d" % i for i in range(500)])


def errors(address):
    with grpc.insecure_channel(address, options=BIG) as channel:
        e = error_of(method(channel, "Full"), b"x")
        check("status UNAVAILABLE", e.code() == grpc.StatusCode.UNAVAILABLE)
        check("text in UTF-8", e.details() == "100% full: kömm später")
        check("RetryInfo of 2.5 s", retry_of(e) == 2500)
        e = error_of(method(channel, "Nope"), b"x")
        check("unknown method", e.code() == grpc.StatusCode.UNIMPLEMENTED)
        e = error_of(method(channel, "Guarded"), b"x" * 5_000_000)
        check("no token", e.code() == grpc.StatusCode.UNAUTHENTICATED)
        token = [("authorization", "Bearer t")]
        check("a token", method(channel, "Guarded")(b"x", metadata=token, timeout=10) == b"x")
        e = error_of(method(channel, "Say"), bytes(17 << 20), timeout=20)
        check("too large", e.code() == grpc.StatusCode.RESOURCE_EXHAUSTED)
        check("too large for ever", retry_of(e) is None)
        e = error_of(method(channel, "Say", "stream_unary"), iter([b"a", b"b"]))
        check("two messages", e.code() == grpc.StatusCode.UNIMPLEMENTED)
        e = error_of(method(channel, "Say", "stream_unary"), iter([]))
        check("no message", e.code() == grpc.StatusCode.UNIMPLEMENTED)
        begun = time.monotonic()
        e = error_of(method(channel, "Later"), b"x", timeout=0.01)
        check("deadline", e.code() == grpc.StatusCode.DEADLINE_EXCEEDED
              and time.monotonic() - begun < 1)
        call = method(channel, "Later").future(b"x", timeout=10)
        check("cancel", call.cancel())
        check("and it goes on", method(channel, "Say")(b"x", timeout=10) == b"x")


async def with_asyncio(address):
    async with grpc.aio.insecure_channel(address) as channel:
        later = channel.unary_unary(SAY + "Later")
        got = await asyncio.gather(*(later(b"%d" % i) for i in range(100)))
        check("100 at once by asyncio", got == [b"%d" % i for i in range(100)])


def overload():
    with Server("--budget", "1000000") as s:
        with grpc.insecure_channel(s.address, options=BIG) as channel:
            say = method(channel, "Say")
            for _ in range(5):
                e = error_of(say, bytes(8 << 20))
                check("overload is UNAVAILABLE", e.code() == grpc.StatusCode.UNAVAILABLE)
                check("with its delay", retry_of(e) == 1500)
            check("small ones pass", say(b"x" * 100_000, timeout=10) == b"x" * 100_000)


def drain():
    s = Server()
    with grpc.insecure_channel(s.address) as channel:
        futures = [method(channel, "Later").future(b"%d" % i, timeout=20) for i in range(50)]
        while not any(f.done() for f in futures):
            time.sleep(0.005)
        more = [method(channel, "Later").future(b"m", timeout=20) for _ in range(20)]
        time.sleep(0.01)
        s.process.send_signal(signal.SIGTERM)
        check("drain answers what is in work", [f.result() for f in futures + more]
              == [b"%d" % i for i in range(50)] + [b"m"] * 20)
        check("and the server ends", s.process.wait(10) == 0)


def over_tls():
    key, cert = os.path.join(WORK, "key.pem"), os.path.join(WORK, "cert.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", cert,
                    "-days", "2", "-subj", "/CN=localhost", "-addext",
                    "subjectAltName=DNS:localhost"], check=True, capture_output=True)
    with Server("--tls", cert, key) as s, open(cert, "rb") as f:
        creds = grpc.ssl_channel_credentials(f.read())
        target = s.address.replace("127.0.0.1", "localhost")
        with grpc.secure_channel(target, creds, options=BIG) as channel:
            sent = os.urandom(3 << 20)
            check("TLS, ALPN h2", method(channel, "Say")(sent, timeout=20) == sent)


def with_curl(address):
    body = os.path.join(WORK, "body")
    with open(body, "wb") as f:
        f.write(b"\0\0\0\0\5hello")
    curl = ["curl", "-s", "--http2-prior-knowledge", "-H", "te: trailers", "-D", "-", "--max-time",
            "10", "--data-binary", "@" + body]
    url = f"http://{address}{SAY}Say"
    got = subprocess.run([*curl, "-H", "content-type: application/grpc", url], capture_output=True,
                         check=False).stdout
    check("curl: the message", b"\0\0\0\0\5hello" in got)
    check("curl: the trailer", b"grpc-status: 0" in got)
    got = subprocess.run([*curl, "-H", "content-type: application/json", url], capture_output=True,
                         check=False).stdout
    check("curl: another type is 415", got.startswith(b"HTTP/2 415"))
    got = urllib.request.urlopen(f"http://{address}/metrics", timeout=10).read()
    check("HTTP/1 on the same port", b'kaiju_grpc_calls_total{server="test"}' in got)
    load = subprocess.run(["h2load", "-n", "5000", "-c", "8", "-m", "20", "-d", body, "-H",
                           "content-type: application/grpc", "-H", "te: trailers", url],
                          capture_output=True, text=True, check=False, timeout=60).stdout
    check("h2load: 5000 calls", "5000 succeeded, 0 failed" in load)


def main():
    with Server() as s:
        plain(s.address)
        errors(s.address)
        asyncio.run(with_asyncio(s.address))
        with_curl(s.address)
    overload()
    drain()
    over_tls()
    print(f"{failures} failures")
    return 1 if failures else 0


sys.exit(main())
