# SPDX-License-Identifier: Apache-2.0
"""The coordinator as a process: every route of its API, every refusal, what survives, and the
commands that talk to it. The examples of docs/api.md are run here."""
import http.client
import http.server
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
import unittest
import urllib.error

from program import BROKERS, Case, KAIJU, SOURCE, run, uses_librdkafka

PUT_RECORDS = os.environ["PUT_RECORDS"]
GRAPH = """apiVersion: kaiju/v1
kind: RuleGraph
name: %s
levels:
  - name: logs
    epl: |
      @name('errors') insert into ErrorBurst
      select service, count(*) as n from LogRecord(severity_number >= %d)#time(1 min)
      group by service having count(*) > 20 output first every 1 min;
  - name: hl
    epl: |
      @name('page') @Alert(severity='page', key='service', summary='{service}: {n} errors')
      select * from ErrorBurst;
"""
YAML = {"Content-Type": "application/yaml"}
NEW = {"If-None-Match": "*"}
ANY = {"If-Match": "*"}


def graph(name="checkout", least=17):
    return GRAPH % (name, least)


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()
        kind = self.headers.get_content_type()
        self.json = json.loads(self.body) if kind.endswith("json") and self.body else None

    @property
    def tag(self):
        return self.headers["ETag"]


class Api(Case):
    """A coordinator, and how to ask it."""

    def start(self, *args):
        self.coordinator = self.role("coordinator", *self.bus, *args)
        self.coordinator.wait_ready()
        return self.coordinator

    def ask(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection(self.coordinator.addr, timeout=90)
        self.addCleanup(connection.close)
        path = path if path.startswith("/") else "/api/v1/" + path
        connection.request(method, path, body, headers or {})
        return Answer(connection.getresponse())

    def get(self, path, **headers):
        answer = self.ask("GET", path, headers=headers)
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json

    def put(self, name="checkout", text=None, query="", **conditions):
        headers = {**YAML, **({k.replace("_", "-"): v for k, v in conditions.items()} or ANY)}
        return self.ask("PUT", f"rulegraphs/{name}{query}", text or graph(name), headers)

    def new(self, name="checkout", text=None):
        answer = self.put(name, text, If_None_Match="*")
        self.assertEqual(answer.status, 201, answer.body)
        return answer

    def refused(self, answer, status, code):
        self.assertEqual((answer.status, answer.json and answer.json.get("code")), (status, code),
                         answer.body)
        self.assertEqual(answer.headers.get_content_type(), "application/problem+json")
        self.assertEqual(answer.json["status"], status)
        self.assertTrue(answer.json["detail"])
        return answer.json

    def records(self, topic, rows):
        text = "".join(f"{k}\n" if v is None else f"{k}\t{json.dumps(v)}\n" for k, v in rows)
        done = subprocess.run([PUT_RECORDS, topic, *self.bus], input=text, text=True,
                              capture_output=True, timeout=180, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)


class Graphs(Api):
    def setUp(self):
        super().setUp()
        self.start()

    def test_the_life_of_a_graph(self):
        made = self.new()
        self.assertEqual((made.json["version"], made.json["created"], made.json["changed"]),
                         (1, True, True))
        self.assertEqual(made.headers["Location"],
                         "/api/v1/tenants/default/rulegraphs/checkout")
        read = self.ask("GET", "rulegraphs/checkout")
        self.assertEqual((read.status, read.tag), (200, made.tag))
        self.assertEqual(read.json["document"], graph())
        self.assertEqual((read.json["phase"], read.json["tenant"]), ("pending", "default"))
        self.assertEqual(read.json, self.get("tenants/default/rulegraphs/checkout"))
        # The same text again changes nothing; another comment changes the tag, not the version.
        same = self.put(If_Match=made.tag)
        self.assertEqual((same.status, same.json["changed"], same.tag), (200, False, made.tag))
        comment = self.put(text=graph() + "# why\n", If_Match=made.tag)
        self.assertEqual((comment.status, comment.json["changed"], comment.json["version"]),
                         (200, True, 1))
        self.assertNotEqual(comment.tag, made.tag)
        self.assertEqual(comment.json["hash"], made.json["hash"])
        # Another rule is another version.
        changed = self.put(text=graph(least=18), If_Match=comment.tag)
        self.assertEqual((changed.status, changed.json["version"]), (200, 2))
        self.assertNotEqual(changed.json["hash"], made.json["hash"])
        gone = self.ask("DELETE", "rulegraphs/checkout", headers={"If-Match": changed.tag})
        self.assertEqual((gone.status, gone.body), (204, b""))
        self.refused(self.ask("GET", "rulegraphs/checkout"), 404, "KJ-API-0002")
        self.assertEqual(self.new().json["version"], 1)

    def test_documents_in_json_and_out_as_yaml(self):
        document = {"apiVersion": "kaiju/v1", "kind": "RuleGraph", "name": "j", "tenant": "acme",
                    "levels": [{"name": "logs", "epl": "@name('x') select * from LogRecord;"}]}
        made = self.ask("PUT", "tenants/acme/rulegraphs/j", json.dumps(document),
                        {"Content-Type": "application/json; charset=utf-8", **NEW})
        self.assertEqual(made.status, 201, made.body)
        text = self.ask("GET", "tenants/acme/rulegraphs/j", headers={"Accept": "application/yaml"})
        self.assertEqual(text.headers.get_content_type(), "application/yaml")
        self.assertEqual(json.loads(text.body), document)
        self.refused(self.ask("GET", "rulegraphs/j"), 404, "KJ-API-0002")
        self.refused(self.ask("GET", "tenants/acme/rulegraphs/j", headers={"Accept": "text/html"}),
                     406, "KJ-API-0016")

    def test_a_bad_document_is_told_in_full_and_nothing_is_stored(self):
        made = self.new()
        bad = graph().replace("select service", "select servce").replace("from ErrorBurst",
                                                                         "from Nothing")
        problem = self.refused(self.put(text=bad), 422, "KJ-API-0006")
        self.assertIn("2 mistakes", problem["detail"])
        errors = [e for e in problem["errors"] if e["severity"] == "error"]
        self.assertEqual([(e["line"], e["column"], e["length"], e["level"], e["pointer"])
                          for e in errors],
                         [(8, 14, 6, "logs", "/levels/0/epl"), (13, 21, 7, "hl", "/levels/1/epl")])
        self.assertIn("'servce'", errors[0]["detail"])
        self.assertIn("did you mean 'service'", errors[0]["hint"])
        self.assertRegex(errors[0]["excerpt"], r"select servce.*\n +\^{6}\n$")
        self.assertEqual(self.ask("GET", "rulegraphs/checkout").tag, made.tag)
        for text, line in (("a: [", 1), ("- 1\n", 1), ("", 0), (graph() + "levls: []\n", 14)):
            problem = self.refused(self.put(text=text or " "), 422, "KJ-API-0006")
            self.assertTrue(problem["errors"], text)
            if line > 1:
                self.assertEqual(problem["errors"][0]["line"], line)
        # What check says and what the API says is the same.
        path = os.path.join(self.temp.name, "bad.yaml")
        with open(path, "w", encoding="utf-8") as f:
            f.write(bad)
        check = json.loads(run("check", "-f", path, "-o", "json").stdout)
        self.assertEqual([(n["code"], n["line"], n["message"]) for n in check["notes"]],
                         [(e["code"], e["line"], e["detail"])
                          for e in self.put(text=bad).json["errors"]])

    def test_text_that_is_no_text(self):
        for odd, says in ((b"# \xff\xfe", "octet"), (b"# a\0b", "control"),
                          (graph().encode("utf-16"), "octet"), (b"# \xed\xa0\x80", "")):
            body = graph().encode() + odd + b"\n"
            answer = self.ask("PUT", "rulegraphs/checkout", body, {**YAML, **NEW})
            error = self.refused(answer, 422, "KJ-API-0006")["errors"][0]
            self.assertIn(says, error["detail"])
            self.assertIsInstance(error["excerpt"], str)

    def test_names_of_path_and_document_agree(self):
        problem = self.refused(self.put("other", graph("checkout")), 422, "KJ-API-0006")
        self.assertEqual(problem["errors"][0]["pointer"], "/name")
        answer = self.ask("PUT", "tenants/acme/rulegraphs/checkout", graph(), {**YAML, **NEW})
        self.assertEqual(self.refused(answer, 422, "KJ-API-0006")["errors"][0]["pointer"],
                         "/tenant")
        self.refused(self.put("Check_out"), 404, "KJ-API-0002")

    def test_conditions(self):
        made = self.new()
        plain = {**YAML}
        self.refused(self.ask("PUT", "rulegraphs/checkout", graph(), plain), 428, "KJ-API-0008")
        self.refused(self.ask("DELETE", "rulegraphs/checkout"), 428, "KJ-API-0008")
        self.refused(self.ask("DELETE", "rulegraphs/checkout", headers=NEW), 428, "KJ-API-0008")
        problem = self.put(If_None_Match="*")
        self.refused(problem, 412, "KJ-API-0009")
        self.assertEqual(problem.tag, made.tag)
        self.refused(self.put(If_Match='"1-0000000000000000"'), 412, "KJ-API-0009")
        self.refused(self.put("fresh", If_Match="*"), 412, "KJ-API-0009")
        self.refused(self.ask("DELETE", "rulegraphs/checkout", headers={"If-Match": '"x"'}), 412,
                     "KJ-API-0009")
        self.refused(self.ask("DELETE", "rulegraphs/none", headers=ANY), 404, "KJ-API-0002")
        self.assertEqual(self.put(If_Match=f'"x", {made.tag}').status, 200)
        unchanged = self.ask("GET", "rulegraphs/checkout", headers={"If-None-Match": made.tag})
        self.assertEqual((unchanged.status, unchanged.body), (304, b""))

    def test_dry_run_answers_and_stores_nothing(self):
        answer = self.put(query="?dryRun=server", If_None_Match="*")
        self.assertEqual((answer.status, answer.json["created"], answer.json["dry_run"]),
                         (200, True, True))
        self.assertEqual(self.get("rulegraphs")["items"], [])
        made = self.new()
        answer = self.put(text=graph(least=18), query="?dryRun=server", If_Match=made.tag)
        self.assertEqual((answer.json["version"], answer.json["changed"]), (2, True))
        fates = answer.json["state"]
        changed = [{"level": "logs", "statement": "errors"}]
        self.assertEqual(fates, {"kept": [{"level": "hl", "statement": "page"}], "begun": changed,
                                 "dropped": changed})
        self.refused(self.put(text="x", query="?dryRun=server"), 422, "KJ-API-0006")
        self.refused(self.put(query="?dryRun=server", If_Match='"x"'), 412, "KJ-API-0009")
        self.refused(self.put(query="?dryRun=client"), 400, "KJ-API-0004")
        gone = self.ask("DELETE", "rulegraphs/checkout?dryRun=server", headers=ANY)
        self.assertEqual(gone.status, 204)
        self.assertEqual(self.ask("GET", "rulegraphs/checkout").tag, made.tag)

    def test_lists_come_in_pages(self):
        names = [f"g{i}" for i in range(7)]
        for name in names:
            self.new(name)
        found, path, pages = [], "/api/v1/rulegraphs?limit=3", 0
        while path:
            answer = self.ask("GET", path)
            found += [g["name"] for g in answer.json["items"]]
            link = re.search(r'<([^>]+)>; rel="next"', answer.headers["Link"] or "")
            self.assertEqual(bool(link), "next" in answer.json)
            path, pages = link and link.group(1), pages + 1
        self.assertEqual((found, pages), (names, 3))
        self.assertEqual(self.get("tenants/other/rulegraphs")["items"], [])
        for query in ("limit=0", "limit=x", "limit=1001", "offset=3", "limit=%zz"):
            self.refused(self.ask("GET", "rulegraphs?" + query), 400, "KJ-API-0004")

    def test_parameters_that_are_wrong_are_refused_by_every_resource(self):
        """Those that it has not, without a value, twice, or with one that is none of its words, by name;
        what may yet come to be there is only not found."""
        of = {"rulegraphs": ("limit",), "rulegraphs/checkout": (), "rulegraphs/checkout/status": (),
              "status": (), "workers": (), "topology": ("graph",), "events": ("type",),
              "tasks": ("limit", "cursor", "graph", "group", "worker", "state"),
              "alerts/events": (), "problems": ()}
        self.new("checkout")
        for path, params in of.items():
            wrong = {"nonsense=1": "nonsense", "=1": "''"}
            for name in params:
                wrong[f"{name}="] = f"{name} has no value"
                wrong[name] = f"{name} has no value"
                wrong[f"{name}=live&{name}=live" if name != "limit" else "limit=1&limit=2"] = \
                    f"{name} is given twice"
            if "limit" in params:
                wrong.update({f"limit={n}": "expected 1 to 1000" for n in ("0", "x", "-1", "1e3", "1001")})
            if "state" in params:
                wrong.update({f"state={s}": "expected one of live replay lost ended"
                              for s in ("bogus", "LIVE", "live%20replay", "live,lost")})
            for query, words in wrong.items():
                said = self.refused(self.ask("GET", f"{path}?{query}"), 400, "KJ-API-0004")
                self.assertIn(words, said["detail"], (path, query))
        for query in ("state=ended", "graph=none", "worker=none&group=g&state=lost&limit=1", "&&"):
            self.assertEqual(self.get("tasks?" + query)["items"], [])

    def test_other_refusals(self):
        self.refused(self.ask("GET", "nothing"), 404, "KJ-API-0001")
        self.refused(self.ask("GET", "tenants/x/status"), 404, "KJ-API-0001")
        self.refused(self.ask("GET", "rulegraphs/a/b"), 404, "KJ-API-0001")
        answer = self.ask("POST", "rulegraphs/checkout", "x", YAML)
        self.refused(answer, 405, "KJ-API-0003")
        self.assertEqual(set(answer.headers["Allow"].split(", ")),
                         {"GET", "HEAD", "PUT", "DELETE", "OPTIONS"})
        self.refused(self.ask("PUT", "rulegraphs/checkout", "x", {"Content-Type": "text/html",
                                                                  **NEW}), 415, "KJ-API-0005")
        wide = graph() + ('#' + '"' * 99 + "\n") * 7000  # as JSON it is twice as long
        self.refused(self.put(text=wide, If_None_Match="*"), 413, "KJ-API-0007")
        self.assertEqual(self.put(text="#" * (1 << 20) + "#").status, 413)
        self.assertEqual(self.get("rulegraphs")["items"], [])

    def test_every_problem_has_its_place_on_the_page(self):
        answer = self.refused(self.ask("GET", "rulegraphs/none"), 404, "KJ-API-0002")
        page, _, anchor = answer["type"].partition("#")
        text = self.ask("GET", page).body.decode()
        self.assertIn(f"\n## {anchor}\n", text)
        self.assertEqual(len(re.findall(r"KJ-API-\d{4}", text)), len(set(re.findall(r"## .*", text))))
        self.assertEqual(answer["instance"], "/api/v1/rulegraphs/none")

    def test_the_request_id_comes_back(self):
        for path in ("status", "nothing"):
            answer = self.ask("GET", path, headers={"X-Request-Id": "abc-1"})
            self.assertEqual(answer.headers["X-Request-Id"], "abc-1")

    def test_a_body_that_never_ends_leaves_nothing_behind(self):
        host, port = self.coordinator.addr.rsplit(":", 1)
        for _ in range(20):
            with socket.create_connection((host, int(port))) as s:
                s.sendall(b"PUT /api/v1/rulegraphs/x HTTP/1.1\r\nHost: x\r\nIf-Match: *\r\n"
                          b"Content-Length: 1000\r\n\r\nabc")
        self.new()


class Reports(Api):
    def test_status_workers_tasks_and_topology(self):
        def task(worker, slot, state, lag, version=1):
            return {"format": 1, "worker": worker, "slot": slot, "state": state, "version": version,
                    "lag_records": lag, "lag_ns": lag * 1000, "clock": 5, "taken": 10}
        rows = [(f"default/checkout/logs/{p}", task("w1", p % 2, "live", p)) for p in range(12)]
        rows += [("default/checkout/hl/0", task("w2", 0, "replay", 100)),
                 ("default/other/logs/0", task("w2", 0, "live", 0)),
                 ("default/checkout/hl/1", task("w2", 1, "lost", 0)),
                 ("default/checkout/hl/1", None)]
        self.records("ctl.tasks", rows)
        self.start()
        self.new()
        status = self.get("status")
        self.assertEqual((status["leader"], status["writable"], status["graphs"],
                          status["workers"]), (True, True, 1, 2))
        self.assertEqual(status["phases"], {"replaying": 1})
        self.assertEqual((status["tasks"]["tasks"], status["tasks"]["live"],
                          status["tasks"]["lag_records"]), (14, 13, 166))
        workers = self.get("workers")["items"]
        self.assertEqual([(w["worker"], w["tasks"], w["slots"]) for w in workers],
                         [("w1", 12, ["0", "1"]), ("w2", 2, ["0"])])
        tasks = self.get("tasks?graph=checkout&group=logs&limit=10")
        self.assertEqual([t["partition"] for t in tasks["items"]], list(range(10)))
        rest = self.get("tasks?graph=checkout&group=logs&limit=10&cursor=" + tasks["next"])
        self.assertEqual([t["partition"] for t in rest["items"]], [10, 11])
        self.assertNotIn("next", rest)
        self.assertEqual(len(self.get("tasks?state=replay")["items"]), 1)
        self.assertEqual(len(self.get("tasks?worker=w2")["items"]), 2)
        self.assertEqual(self.get("tenants/acme/tasks")["items"], [])
        one = self.get("rulegraphs/checkout/status")
        self.assertEqual((one["phase"], one["totals"]["tasks"], len(one["tasks"])),
                         ("replaying", 13, 13))
        self.assertEqual([(g["group"], g["tasks"], g["workers"]) for g in one["groups"]],
                         [("hl", 1, ["w2"]), ("logs", 12, ["w1"])])
        self.refused(self.ask("GET", "rulegraphs/other/status"), 404, "KJ-API-0002")
        drawn = self.get("topology")["graphs"][0]
        self.assertEqual(drawn["edges"], [{"from": "logs", "to": "hl", "type": "ErrorBurst"}])
        self.assertEqual([(lv["name"], lv["makes"]) for lv in drawn["levels"]],
                         [("logs", ["ErrorBurst"]), ("hl", [])])
        self.assertEqual(drawn["levels"][0]["statements"],
                         [{"name": "errors", "reads": ["LogRecord"], "inserts": ["ErrorBurst"]}])
        self.assertEqual(drawn["levels"][1]["statements"][0]["alert"], "page")
        self.assertEqual(len(drawn["groups"]), 2)
        self.put(text=graph().replace("ErrorBurst", "Burst"))
        self.assertEqual(self.get("topology?graph=checkout")["graphs"][0]["edges"][0]["type"],
                         "Burst")
        self.assertEqual(self.get("topology?graph=none"), {"graphs": []})
        text = run("status", "--api", self.coordinator.addr)
        self.assertEqual(text.returncode, 0, text.stderr)
        self.assertRegex(text.stdout, r"tasks +14 +\(13 live, 1 replay, 0 lost\) +behind: 166")
        metrics = self.ask("GET", "/metrics").body.decode()
        self.assertIn("\nkaiju_coordinator_leading 1\n", metrics)
        self.assertIn("\nkaiju_coordinator_tasks 14\n", metrics)

    def test_records_that_are_none_do_no_harm(self):
        self.records("ctl.graphs", [("default/a", {"format": 9}), ("x", []), ("default/b", None)])
        self.records("ctl.tasks", [("x", {}), ("a/b/c/d", [])])
        self.start()
        self.assertEqual(self.get("status")["graphs"], 0)
        self.assertIn("passed over", self.coordinator.log())
        self.new("a")


class Life(Api):
    def test_who_changes_a_graph_too_often_before_it_runs_is_warned(self):
        self.start()
        last = self.new("checkout", graph())
        for n in range(2, 18):
            last = self.put(text=graph(least=n + 20), If_Match=last.tag)
            self.assertEqual((n, []), (last.json["version"], last.json["warnings"]))
        last = self.put(text=graph(least=50), If_Match=last.tag)
        self.assertEqual(["KJ-API-0017"], [w["code"] for w in last.json["warnings"]])
        self.assertIn("is not kept", last.json["warnings"][0]["detail"])

    def test_a_restart_keeps_graphs(self):
        self.start()
        tags = {name: self.new(name).tag for name in ("a", "b", "c")}
        self.ask("DELETE", "rulegraphs/b", headers=ANY)
        self.assertEqual(self.coordinator.stop(), 0)
        self.start()
        self.assertEqual({g["name"]: g["etag"] for g in self.get("rulegraphs")["items"]},
                         {n: t for n, t in tags.items() if n != "b"})
        self.assertEqual(self.put("a", graph("a", 18), If_Match=tags["a"]).json["version"], 2)

    def test_what_was_answered_survives_a_kill(self):
        tags = {}
        for i in range(20):
            self.start()
            for name, tag in tags.items():
                self.assertEqual(self.ask("GET", f"rulegraphs/{name}").tag, tag)
            name = f"g{i % 7}"
            answer = self.put(name, graph(name, i), **({"If_Match": tags[name]} if name in tags
                                                       else {"If_None_Match": "*"}))
            self.coordinator.process.kill()
            self.assertIn(answer.status, (200, 201))
            tags[name] = answer.tag
            self.coordinator.process.wait()
        self.start()
        self.assertEqual({g["name"]: g["etag"] for g in self.get("rulegraphs")["items"]}, tags)

    def test_changes_at_once_lose_nothing(self):
        """Eight clients raise the same graph: each version is made once."""
        import threading
        self.start()
        self.new()
        made, lock = [], threading.Lock()

        def raise_it(n):
            for k in range(10):
                while True:
                    tag = self.ask("GET", "rulegraphs/checkout").tag
                    answer = self.put(text=graph(least=1000 + 10 * n + k), If_Match=tag)
                    if answer.status != 412:
                        break
                with lock:
                    made.append((answer.status, answer.json["version"]))

        threads = [threading.Thread(target=raise_it, args=(n,)) for n in range(8)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(sorted(made), [(200, v) for v in range(2, 82)])

    def test_a_full_bus_is_told_and_reads_go_on(self):
        if BROKERS:
            self.skipTest("of the embedded bus")
        self.bus += ("--bus-local-quota", "4MiB")
        self.start()
        big = graph() + ("# " + "x" * 97 + "\n") * 5000
        for i in range(20):
            answer = self.put(text=big + f"# {i}\n", **({"If_None_Match": "*"} if i == 0 else ANY))
            if answer.status not in (200, 201):
                break
        self.refused(answer, 507, "KJ-API-0014")
        with self.assertRaises(urllib.error.HTTPError) as raised:
            self.coordinator.get("/readyz")
        self.assertEqual((503, "bus: it refuses writes for want of room; kaiju doctor says of what\n"),
                         (raised.exception.code, raised.exception.read().decode()))
        self.assertEqual("ok\n", self.coordinator.get("/healthz"))
        refusing = threading.Thread(target=lambda: [self.put(text=big + "# more", **ANY) for _ in range(40)])
        refusing.start()
        done = run("doctor", "--look", "300ms", "--api", f"http://{self.coordinator.addr}")
        refusing.join()
        self.assertEqual(1, done.returncode, done.stdout)
        self.assertRegex(done.stdout, r"bus_refuses\n +the bus has no room: \d+ transactions were refused "
                                      r"just now, \d+ in all; its disk has \d+ MiB free\n")
        self.assertEqual(self.ask("GET", "rulegraphs/checkout").json["document"],
                         big + f"# {i - 1}\n")
        self.coordinator.wait_ready()  # nobody wants room any more

    def test_there_is_a_largest_number_of_graphs(self):
        rows = [(f"default/g{i}", {"format": 1, "tenant": "default", "name": f"g{i}", "version": 1,
                                   "hash": "00000000000000ab", "document": ""})
                for i in range(10000)]
        self.records("ctl.graphs", rows)
        self.start()
        self.refused(self.put(If_None_Match="*"), 507, "KJ-API-0015")
        self.assertEqual(self.put("g1").status, 200)

    @uses_librdkafka
    def test_without_brokers_it_says_what_it_cannot(self):
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            self.coordinator = self.role("coordinator", "--bus-kind", "kafka",
                                         "--bus-kafka-brokers",
                                         "127.0.0.1:%d" % closed.getsockname()[1])
            for path in ("rulegraphs", "rulegraphs/x", "status", "workers", "tasks", "topology"):
                answer = self.ask("GET", path)
                self.refused(answer, 503, "KJ-API-0012")
                self.assertEqual(answer.headers["Retry-After"], "1")
            self.refused(self.put(), 503, "KJ-API-0012")
            done = run("status", "--api", self.coordinator.addr)
            self.assertEqual(done.returncode, 7, done.stderr)


@unittest.skipUnless(BROKERS, "the embedded bus has one process")
class Replicas(Api):
    def ask_of(self, role, *args, **kw):
        self.coordinator = role
        return self.ask(*args, **kw)

    def wait_writable(self, role):
        end = time.monotonic() + 90
        while not (self.ask_of(role, "GET", "status").json or {}).get("writable"):
            self.assertLess(time.monotonic(), end, role.log())
            time.sleep(0.2)

    def two(self):
        """Who writes, and who does not. One who joins may be the one who is elected."""
        roles = [self.role("coordinator", *self.bus) for _ in range(2)]
        for role in roles:
            role.wait_ready()
        end = time.monotonic() + 90
        while True:
            writable = [self.ask_of(r, "GET", "status").json["writable"] for r in roles]
            if sum(writable) == 1:
                break
            self.assertLess(time.monotonic(), end)
            time.sleep(0.2)
        return roles[writable.index(True)], roles[writable.index(False)]

    def test_one_writes_and_when_it_dies_the_other_does(self):
        leader, other = self.two()
        self.coordinator = leader
        made = self.new()
        self.coordinator = other
        self.refused(self.put("b", graph("b"), If_None_Match="*"), 503, "KJ-API-0010")
        end = time.monotonic() + 90
        while self.ask("GET", "rulegraphs/checkout").tag != made.tag:
            self.assertLess(time.monotonic(), end)
            time.sleep(0.1)
        leader.process.kill()
        self.wait_writable(other)
        changed = self.put(text=graph(least=18), If_Match=made.tag)
        self.assertEqual((changed.status, changed.json["version"]), (200, 2))

    def test_a_process_that_was_stopped_does_not_write(self):
        leader, other = self.two()
        self.coordinator = leader
        made = self.new()
        leader.process.send_signal(signal.SIGSTOP)
        self.wait_writable(other)
        changed = self.put(text=graph(least=18), If_Match=made.tag)
        self.assertEqual(changed.json["version"], 2)
        leader.process.send_signal(signal.SIGCONT)
        self.coordinator = leader
        answer = self.put(text=graph(least=19), If_Match=made.tag)
        self.assertIn(answer.status, (412, 503, 504), answer.body)
        end = time.monotonic() + 90
        while self.ask("GET", "rulegraphs/checkout").tag != changed.tag:
            self.assertLess(time.monotonic(), end, leader.log())
            time.sleep(0.2)


class Streams(Api):
    def listen(self, path):
        host, port = self.coordinator.addr.rsplit(":", 1)
        s = socket.create_connection((host, int(port)), timeout=90)
        self.addCleanup(s.close)
        s.sendall(f"GET /api/v1/{path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        return s

    def read_until(self, s, text):
        got = b""
        while text not in got:
            part = s.recv(65536)
            self.assertTrue(part, got)
            got += part
        return got

    def test_streams_open_stay_and_end_with_the_process(self):
        self.start()
        for path in ("events", "alerts/events", "events?type=X"):
            s = self.listen(path)
            got = self.read_until(s, b": live\n\n")
            self.assertIn(b"Content-Type: text/event-stream", got)
        self.coordinator.process.send_signal(signal.SIGTERM)
        self.read_until(s, b"0\r\n\r\n")
        self.assertEqual(self.coordinator.process.wait(90), 0)

    def test_there_is_a_largest_number_of_streams(self):
        self.start()
        streams = [self.listen("events") for _ in range(64)]
        for s in streams:
            self.read_until(s, b": ")
        self.refused(self.ask("GET", "events"), 503, "KJ-API-0011")
        streams[0].close()
        end = time.monotonic() + 90
        while True:
            s = self.listen("events")
            if b"200 OK" in s.recv(1000):
                break
            self.assertLess(time.monotonic(), end)
            time.sleep(0.05)
        self.refused(self.ask("GET", "events", headers={"Accept": "text/html"}), 406,
                     "KJ-API-0016")
        self.assertEqual(self.ask("HEAD", "events").status, 200)


class Commands(Api):
    def setUp(self):
        super().setUp()
        self.start()

    def kaiju(self, *args, text=None):
        return subprocess.run([KAIJU, *args], capture_output=True, text=True, timeout=180,
                              input=text, check=False,
                              env={**os.environ, "KAIJU_API": self.coordinator.addr})

    def file(self, name, text):
        path = os.path.join(self.temp.name, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return path

    def expect(self, code, out, *args, text=None):
        done = self.kaiju(*args, text=text)
        self.assertEqual(done.returncode, code, done.stderr)
        self.assertRegex(done.stdout, out)
        return done

    def test_apply_get_delete_status(self):
        a, b = self.file("a.yaml", graph("a")), self.file("b.yaml", graph("b"))
        made = r"rulegraph/%s %s \(tenant default, version %d\)%s\n"
        self.expect(0, made % ("a", "created", 1, r" \(dry run\)"), "apply", "-f", a, "--dry-run")
        self.expect(0, "^$", "get", "graphs")
        self.expect(0, made % ("a", "created", 1, ""), "apply", "-f", a, b)
        self.expect(0, made % ("a", "unchanged", 1, ""), "apply", "-f", a)
        self.expect(0, made % ("a", "changed", 2, "") + "  hl/page keeps its state\n  logs/errors "
                    "begins with nothing in memory\n  logs/errors is gone, ",
                    "apply", "-f", "-", text=graph("a", 18))
        listed = self.expect(0, "NAME", "get", "graphs").stdout
        self.assertEqual([line.split()[:4] for line in listed.splitlines()],
                         [["TENANT", "NAME", "VERSION", "PHASE"], ["default", "a", "2", "pending"],
                          ["default", "b", "1", "pending"]])
        self.assertEqual(self.kaiju("get", "graphs", "b", "-o", "yaml").stdout, graph("b"))
        self.assertEqual(self.kaiju("get", "graphs", "-o", "yaml").stdout,
                         graph("a", 18) + "---\n" + graph("b"))
        self.assertEqual(json.loads(self.kaiju("get", "graphs", "b", "-o", "json").stdout),
                         self.get("rulegraphs/b"))
        self.assertEqual(json.loads(self.kaiju("get", "graphs", "-o", "json").stdout),
                         self.get("rulegraphs")["items"])
        self.expect(0, "VERSION.*(?s:.*)kind: RuleGraph", "get", "graph", "b")
        self.expect(0, r"graphs +2 +\(2 pending\)", "status")
        self.assertEqual(json.loads(self.kaiju("status", "-o", "json").stdout)["graphs"], 2)
        self.expect(0, "rulegraph/b deleted", "delete", "graph", "b")
        self.expect(5, "^$", "delete", "graph", "b")
        self.expect(5, "^$", "get", "graphs", "b")
        self.expect(5, "^$", "get", "graphs", "a", "--tenant", "acme")

    def test_other_tenants(self):
        self.expect(0, r"tenant acme", "apply", "-f",
                    self.file("t.yaml", graph("t") + "tenant: acme\n"))
        self.expect(0, "^$", "get", "graphs")
        self.expect(0, "acme +t ", "get", "graphs", "--tenant", "acme")
        self.expect(0, "acme +t ", "get", "graphs", "--all-tenants")
        self.expect(0, "deleted", "delete", "graph", "t", "--tenant", "acme")

    def test_mistakes_look_as_in_check(self):
        bad = graph("a").replace("select service", "select servce").replace("from ErrorBurst",
                                                                            "from Nothing")
        path = self.file("bad.yaml", bad)
        applied, checked = self.kaiju("apply", "-f", path), self.kaiju("check", "-f", path)
        self.assertEqual((applied.returncode, checked.returncode), (1, 1))
        self.assertEqual(applied.stderr,
                         checked.stderr + "kaiju apply: 2 mistakes; nothing was stored "
                         "(422, KJ-API-0006)\n")
        path = self.file("worse.yaml", "name: [\n")
        applied, checked = self.kaiju("apply", "-f", path), self.kaiju("check", "-f", path)
        self.assertEqual((applied.returncode, applied.stderr), (1, checked.stderr))
        # One bad file does not hold up the others.
        done = self.kaiju("apply", "-f", path, self.file("good.yaml", graph("good")))
        self.assertEqual(done.returncode, 1)
        self.assertIn("rulegraph/good created", done.stdout)

    def test_a_page_of_a_thousand_is_not_the_end(self):
        rows = [(f"default/g{i}", {"format": 1, "tenant": "default", "name": f"g{i}", "version": 1,
                                   "hash": "00000000000000ab", "document": ""})
                for i in range(1500)]
        self.coordinator.stop()
        self.records("ctl.graphs", rows)
        self.start()
        self.assertEqual(len(json.loads(self.kaiju("get", "graphs", "-o", "json").stdout)), 1500)

    def test_wrong_use_and_no_coordinator(self):
        for args in (("apply",), ("apply", "-f", "/nowhere.yaml"), ("get",), ("get", "pods"),
                     ("get", "graphs", "a", "b"), ("delete", "graph"), ("status", "x"),
                     ("status", "--api", "ftp://x"), ("get", "graphs", "-o", "xml")):
            self.assertEqual(self.kaiju(*args).returncode, 2, args)
        for command in ("apply", "get", "delete", "status"):
            done = self.kaiju(command, "--help")
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertTrue(done.stdout.startswith(f"usage: kaiju {command} "))
        other = http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
        threading.Thread(target=other.handle_request).start()
        done = self.kaiju("status", "--api", "127.0.0.1:%d" % other.server_port)
        self.assertRegex(done.stderr, r"answered 501 .*: is that the API of a coordinator\?")
        other.server_close()
        for empty in (self.file("empty.yaml", ""), self.file("blank.yaml", "\n")):
            done = self.kaiju("apply", "-f", empty)
            self.assertEqual(1, done.returncode)
            self.assertIn("KJ-DOC-0001: the document is empty", done.stderr)
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            addr = "127.0.0.1:%d" % silent.getsockname()[1]
            self.assertEqual(self.kaiju("status", "--api", addr).returncode, 7)
            silent.listen()
            self.assertEqual(self.kaiju("status", "--api", addr, "--timeout", "300ms").returncode,
                             8)


class Reference(Api):
    def test_the_examples_of_the_reference_are_true(self):
        with open(os.path.join(SOURCE, "docs", "api.md"), encoding="utf-8") as f:
            text = f.read()
        files = dict(re.findall(r"```yaml\n# (\S+)\n(.*?)```", text, re.S))
        examples = re.findall(r"```http\n(.*?)\n\n(?:@(\S+)\n\n)?(\d{3}) [^\n]*\n(.*?)```", text, re.S)
        self.assertGreater(len(examples), 8)
        self.start()
        for head, file, status, answer in examples:
            with self.subTest(example=head):
                self.example(head, file and f"# {file}\n{files[file]}", int(status), answer)

    def example(self, head, body, status, answer):
        lines = head.split("\n")
        method, path = lines[0].split(" ", 1)
        headers = dict(line.split(": ", 1) for line in lines[1:])
        got = self.ask(method, path, body, headers)
        self.assertEqual(got.status, status, got.body)
        if answer:
            self.assert_shape(json.loads(answer), got.json, head)

    def assert_shape(self, want, got, where):
        """The same names at every place, and the same words and numbers but for hashes."""
        if isinstance(want, dict):
            self.assertEqual(set(want), set(got), where)
            for key in want:
                if key not in ("hash", "etag", "epoch", "version", "excerpt", "used_bytes",
                               "disk_free_bytes", "quota_bytes", "waits_ns"):
                    self.assert_shape(want[key], got[key], f"{where}: {key}")
        elif isinstance(want, list):
            self.assertEqual(len(want), len(got), where)
            for one, other in zip(want, got):
                self.assert_shape(one, other, where)
        else:
            self.assertEqual(want, got, where)


if __name__ == "__main__":
    unittest.main(verbosity=2)
