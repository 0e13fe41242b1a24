# SPDX-License-Identifier: Apache-2.0
"""The roles as processes: pages, configuration, one writer, drain, exit codes."""
import os
import re
import signal
import socket
import ssl
import subprocess
import unittest

from program import Case, SOURCE, run, uses_librdkafka


class Pages(Case):
    def test_every_role_serves_its_pages(self):
        for name in ("standalone", "ingest", "operator", "coordinator"):
            with self.subTest(role=name):
                role = self.role(name, "--bus-local-dir", self.dir + name)
                self.assertEqual(role.wait_ready(), "ok\n")
                self.assertEqual(role.get("/healthz"), "ok\n")
                metrics = role.get("/metrics")
                for family in ("kaiju_bus_commits_total", "kaiju_http_requests_total",
                               "kaiju_process_cpu_seconds_total|process_cpu_seconds_total"):
                    self.assertRegex(metrics, f"(?m)^# TYPE ({family}) ")
                self.assertEqual(role.stop(), 0)

    def test_metrics_have_help_and_type_for_every_sample(self):
        role = self.role("standalone", "--bus-local-dir", self.dir)
        role.wait_ready()
        helped, typed = set(), set()
        for line in role.get("/metrics").splitlines():
            if line.startswith("# HELP "):
                helped.add(line.split()[2])
            elif line.startswith("# TYPE "):
                typed.add(line.split()[2])
            elif line:
                name = re.match(r"[a-zA-Z_:][a-zA-Z0-9_:]*", line).group()
                base = re.sub(r"_(bucket|sum|count)$", "", name)
                self.assertTrue({name, base} & helped, line)
                self.assertTrue({name, base} & typed, line)

    @uses_librdkafka
    def test_not_ready_without_brokers_but_alive(self):
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))  # nobody listens there
            role = self.role("ingest", "--bus-kind", "kafka", "--bus-kafka-brokers",
                             "127.0.0.1:%d" % closed.getsockname()[1])
            self.assertEqual(role.get("/healthz"), "ok\n")
            with self.assertRaises(Exception) as refused:
                role.get("/readyz")
            self.assertEqual(refused.exception.code, 503)
            self.assertIn("topics", refused.exception.read().decode())
            self.assertEqual(role.stop(), 0)


class Life(Case):
    def test_a_second_writer_is_told_who_writes(self):
        first = self.role("standalone", "--bus-local-dir", self.dir)
        second = run("standalone", "--bus-local-dir", self.dir, "--http-listen", "127.0.0.1:0")
        self.assertEqual(second.returncode, 2)
        self.assertIn(str(first.process.pid), second.stderr)

    def test_an_address_in_use_is_an_error_that_names_it(self):
        first = self.role("standalone", "--bus-local-dir", self.dir)
        second = run("standalone", "--bus-local-dir", self.dir + "2", "--http-listen", first.addr)
        self.assertNotEqual(second.returncode, 0)
        self.assertIn(first.addr, second.stderr)

    def test_drain_answers_what_is_open_and_leaves(self):
        role = self.role("standalone", "--bus-local-dir", self.dir, "--drain-timeout", "60s")
        host, port = role.addr.rsplit(":", 1)
        with socket.create_connection((host, int(port)), timeout=90) as open_request:
            open_request.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n")
            role.wait_ready()  # the loop has seen the half request
            role.process.send_signal(signal.SIGTERM)
            role.wait_log("msg=draining")
            open_request.sendall(b"\r\n")
            self.assertIn(b"200 OK", open_request.recv(4096))
        self.assertEqual(role.process.wait(90), 0)

    def test_kill_and_start_again(self):
        for _ in range(3):
            role = self.role("standalone", "--bus-local-dir", self.dir)
            role.wait_ready()
            role.stop(signal.SIGKILL)
        self.assertIn("spans", run("topics", "--bus-local-dir", self.dir).stdout)


class Certificates(Case):
    def certificate(self, name):
        cert, key = (os.path.join(self.temp.name, n) for n in ("cert.pem", "key.pem"))
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                        "-subj", f"/CN={name}", "-keyout", key, "-out", cert],
                       check=True, capture_output=True)
        with open(cert, encoding="ascii") as f:
            return cert, key, f.read()

    def test_files_are_read_again_at_a_signal_and_what_is_wrong_changes_nothing(self):
        cert, key, first = self.certificate("first")
        role = self.role("standalone", "--bus-local-dir", self.dir, "--http-tls-cert-file", cert,
                         "--http-tls-key-file", key, "--otlp-tls-cert-file", cert,
                         "--otlp-tls-key-file", key, wait=False)
        addr = role.wait_log(r"msg=ready .*http=(\S+)").group(1)
        otlp = role.wait_log(r'msg="receiving OTLP" addr=(\S+)').group(1)
        places = [(a.rsplit(":", 1)[0], int(a.rsplit(":", 1)[1])) for a in (addr, otlp)]

        def served():
            return [ssl.get_server_certificate(at) for at in places]

        self.assertEqual([first] * 2, served())
        second = self.certificate("second")[2]
        self.assertEqual([first] * 2, served())
        role.process.send_signal(signal.SIGHUP)
        role.wait_log('msg="certificates were read again" by=http')
        role.wait_log('msg="certificates were read again" by=ingest')
        self.assertEqual([second] * 2, served())
        with open(key, "w", encoding="ascii") as f:
            f.write("no key")
        role.process.send_signal(signal.SIGHUP)
        role.wait_log('msg="certificates stay as they were" by=ingest')
        self.assertEqual([second] * 2, served())
        self.assertEqual(role.stop(), 0)


class Configuration(Case):
    def test_mistakes_are_all_told_with_their_places(self):
        path = os.path.join(self.temp.name, "kaiju.yaml")
        with open(path, "w") as f:
            f.write("bus:\n  partitons: 4\n  local:\n    quota: much\nlog:\n  level: loud\n")
        done = run("ingest", "--config", path, "--check-config")
        self.assertEqual(done.returncode, 2)
        self.assertIn(f"{path}:2", done.stderr)
        self.assertIn("bus.partitions", done.stderr)
        self.assertIn(f"{path}:4", done.stderr)
        self.assertIn(f"{path}:6", done.stderr)

    def test_the_origin_of_each_value_is_shown_and_secrets_are_not(self):
        path = os.path.join(self.temp.name, "kaiju.yaml")
        with open(path, "w") as f:
            f.write("bus:\n  kafka:\n    password: hunter2\n    username: me\n")
        done = run("ingest", "--config", path, "--print-config", "--log-level", "debug",
                   env={"KAIJU_BUS_PREFIX": "x."})
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn("hunter2", done.stdout)
        self.assertRegex(done.stdout, r'username: "me"  # .*kaiju.yaml:4')
        self.assertRegex(done.stdout, r"level: debug  # .*--log-level")
        self.assertRegex(done.stdout, r'prefix: "x."  # .*KAIJU_BUS_PREFIX')
        self.assertRegex(done.stdout, r"partitions: 8  # default")

    def test_what_is_printed_can_be_read_back(self):
        first = run("ingest", "--print-config", "--bus-partitions", "16").stdout
        path = os.path.join(self.temp.name, "again.yaml")
        with open(path, "w") as f:
            f.write(first)
        again = run("ingest", "--config", path, "--print-config")
        strip = lambda text: [line.split("  #")[0] for line in text.splitlines()]
        self.assertEqual(strip(again.stdout), strip(first), again.stderr)

    def test_partitions_must_be_a_power_of_two(self):
        done = run("ingest", "--bus-partitions", "6", "--bus-local-dir", self.dir)
        self.assertEqual(done.returncode, 2)
        self.assertIn("power of two", done.stderr)

    def test_a_check_finds_what_a_start_would(self):
        for words, told in ((["standalone", "--bus-partitions", "6"], "power of two"),
                            (["coordinator", "--http-listen", "nonsense"], "http.listen"),
                            (["ingest", "--otlp-grpc-listen", "nonsense"], "otlp.grpc.listen"),
                            (["standalone", "--otlp-http-listen", "1:99999"], "otlp.http.listen"),
                            (["operator", "--operator-name", "a/b"], "operator.name"),
                            (["operator", "--operator-name", "n" * 64], "operator.name"),
                            (["operator", "--level", "A b"], "operator.level")):
            with self.subTest(words=words):
                for check in (["--check-config"], []):
                    done = run(*words, "--bus-local-dir", self.dir, *check)
                    self.assertEqual(done.returncode, 2, done.stdout)
                    self.assertIn(told, done.stderr)
        done = run("operator", "--operator-name", "n" * 63, "--check-config")
        self.assertEqual((done.returncode, done.stdout), (0, "the configuration is right\n"))

    def test_the_reference_page_is_fresh(self):
        with open(os.path.join(SOURCE, "docs", "configuration.md")) as f:
            self.assertEqual(f.read(), run("config", "reference").stdout,
                             "run: kaiju config reference >docs/configuration.md")


class CommandLine(Case):
    def test_help_and_mistakes(self):
        self.assertEqual(run("--help").returncode, 0)
        self.assertEqual(run().returncode, 2)
        self.assertIn("did you mean 'ingest'", run("inges").stderr)
        for command in ("standalone", "ingest", "operator", "coordinator", "tail", "top", "topics",
                        "config"):
            done = run(command, "--help")
            self.assertEqual((done.returncode, done.stderr), (0, ""), command)
            self.assertTrue(done.stdout.startswith(f"usage: kaiju {command}"), command)
        done = run("ingest", "--bus-partitons", "4")
        self.assertEqual(done.returncode, 2)
        self.assertIn("--bus-partitions", done.stderr)

    def test_what_cannot_be_done_is_told_with_what_to_do(self):
        missing, document, large = (os.path.join(self.temp.name, name) for name in ("missing", "graph", "large"))
        with open(document, "w") as f:
            f.write("apiVersion: kaiju/v1\nkind: RuleGraph\nname: x\nlevels:\n  - name: logs\n"
                    "    epl: |\n      @name('a') select * from LogRecord;\n")
        with open(large, "w") as f:
            f.write("#" * (4 << 20) + "\n")
        api, bus = ["--api", "127.0.0.1:1"], ["--bus-local-dir", missing]
        for words, code, told in (
                (["apply", "-f", document, *api], 7, "is a coordinator running there?"),
                (["apply", "-f", missing, *api], 2, "missing: No such file"),
                (["apply", "-f", self.temp.name, *api], 2, "Is a directory"),
                (["apply", "-f", large, *api], 2, "larger than 4 MiB"),
                (["check", "-f", large], 2, "larger than 4 MiB"),
                (["check", "--check-config"], 0, ""),
                (["get", "graphs", "../x", *api], 2, "'../x' is no name of a rule graph"),
                (["get", "graphs", "n" * 64, *api], 2, "1 to 63"),
                (["get", "graphs", "--tenant", "a/b", *api], 2, "'a/b' is no name of a tenant"),
                (["delete", "graph", "x?y", *api], 2, "is no name of a rule graph"),
                (["explain", "-f", document, document], 2, "one document at a time"),
                (["explain", "-f", document, "--partitions", "6"], 2, "power of two"),
                (["topics", *bus], 5, "`kaiju standalone` makes it"),
                (["tail", "logs", *bus], 5, "--bus-local-dir"),
                (["import", "esper", "--statements", *[document] * 65], 2, "more than 64")):
            with self.subTest(words=words[:3]):
                done = run(*words)
                self.assertEqual(done.returncode, code, done.stderr)
                self.assertIn(told, done.stderr)

    @uses_librdkafka
    def test_a_bus_that_does_not_answer_is_named(self):
        done = run("topics", "--bus-kind", "kafka", "--bus-kafka-brokers", "127.0.0.1:1", "--timeout", "100ms")
        self.assertEqual(done.returncode, 8)
        self.assertIn("does Kafka run at 127.0.0.1:1?", done.stderr)

    def test_the_version_is_that_of_the_build(self):
        with open(os.path.join(SOURCE, "CMakeLists.txt")) as f:
            version = re.search(r"project\(kaiju VERSION (\S+)", f.read()).group(1)
        self.assertEqual(run("version").stdout, f"kaiju {version}\n")


if __name__ == "__main__":
    unittest.main(verbosity=2)
