# SPDX-License-Identifier: Apache-2.0
"""Graph documents from outside: `kaiju check`, `explain`, `import`, and the manual's examples.

A block `yaml` of docs/rule-graphs.md must be right, or, with a block `notes` behind it, have exactly
those notes: `line:column code`, one a line."""
import json
import os
import re
import subprocess
import tempfile
import unittest

KAIJU = os.environ["KAIJU"]
SOURCE = os.environ["KAIJU_SOURCE_DIR"]
MANUAL = os.path.join(SOURCE, "docs", "rule-graphs.md")
STRUCTURE = ("KJ-DOC-0004", "KJ-DOC-0005", "KJ-DOC-0006", "KJ-DOC-0007")
FENCE = re.compile(r"^```(yaml|notes)\n(.*?)^```\s*$", re.M | re.S)
HEAD = "apiVersion: kaiju/v1\nkind: RuleGraph\nname: g\n"
GOOD = HEAD + """levels:
- name: logs
  epl: |
    @name('errors') insert into Burst select service, count(*) as n
    from LogRecord(severity_number >= 17)#time(1 min) group by service;
- name: hl
  epl: "@name('all') select * from Burst;"
- name: sum
  epl: "@name('sum') select sum(n) as n from Burst;"
"""
STATEMENTS = """#listener:simple,name:OFF=select count(*) from Metric
listener:none,name:It's a rule=insert into Event select timestamp as timestamp, new {a='x'} as payload, new {b='y'} as context from FLog
"""
EVENTS = "Base\nKid>{a:string}>{b:string}>{Base}\nGrandKid>{c:long}>>{Kid}\n"
HIGH = "listener:simple,name:Once=select * from pattern [a=Kid and b=GrandKid(a = a.a)]\n"


def run(*args, text=None):
    """(exit code, standard output, standard error)"""
    p = subprocess.run([KAIJU, *args], input=text, capture_output=True, text=True, timeout=60)
    return p.returncode, p.stdout, p.stderr


def notes(text):
    """(exit code, {"errors": ..., "notes": ...})"""
    code, out, _ = run("check", "-f", "-", "-o", "json", text=text)
    return code, json.loads(out)


def places(found):
    return [f"{n['line']}:{n['column']} {n['code']}" for n in found["notes"]]


class Graphs(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def file(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return path

    def test_the_manual_says_what_the_program_does(self):
        with open(MANUAL, encoding="utf-8") as f:
            manual = f.read()
        blocks = [(m.group(1), m.group(2)) for m in FENCE.finditer(manual)]
        examples = 0
        for i, (kind, text) in enumerate(blocks):
            if kind != "yaml":
                continue
            examples += 1
            wanted = blocks[i + 1][1].split("\n")[:-1] if blocks[i + 1:] and blocks[i + 1][0] == "notes" else []
            code, found = notes(text)
            self.assertEqual(wanted, places(found), text)
            self.assertEqual(1 if found["errors"] else 0, code)
        self.assertGreaterEqual(examples, 5)
        generated = manual.split("<!-- generated: kaiju check --reference -->\n")[1].split("<!-- end -->")[0]
        self.assertEqual(run("check", "--reference")[1], generated,
                         "put the output of `kaiju check --reference` into docs/rule-graphs.md")

    def test_the_schema_is_the_table(self):
        with open(os.path.join(SOURCE, "schemas", "rule-graph.schema.json"), encoding="utf-8") as f:
            committed = f.read()
        self.assertEqual(run("check", "--schema")[1], committed,
                         "kaiju check --schema > schemas/rule-graph.schema.json")
        schema = json.loads(committed)
        self.assertEqual(["apiVersion", "kind", "name", "levels"], schema["required"])
        for section in schema["$defs"].values():
            self.assertFalse(section["additionalProperties"])

    def test_the_schema_accepts_what_check_accepts(self):
        try:
            import jsonschema
            import yaml
        except ImportError:
            self.skipTest("needs the packages jsonschema and yaml")
        schema = json.loads(run("check", "--schema")[1])
        jsonschema.Draft202012Validator.check_schema(schema)
        validator = jsonschema.Draft202012Validator(schema)
        with open(MANUAL, encoding="utf-8") as f:
            for m in FENCE.finditer(f.read()):
                if m.group(1) == "yaml":
                    _, found = notes(m.group(2))
                    wrong = [n for n in found["notes"] if n["code"].startswith("KJ-DOC")]
                    errors = list(validator.iter_errors(yaml.safe_load(m.group(2))))
                    self.assertEqual(bool(wrong), bool(errors), m.group(2))

    def test_the_schema_accepts_no_more_and_no_less(self):
        try:
            import jsonschema
        except ImportError:
            self.skipTest("needs the package jsonschema")
        validator = jsonschema.Draft202012Validator(json.loads(run("check", "--schema")[1]))
        whole = {"apiVersion": "kaiju/v1", "kind": "RuleGraph", "name": "g", "tenant": "t", "owner": "o",
                 "tags": ["x"], "limits": {"rows": "5:drop_new"}, "idle_after": "2s",
                 "levels": [{"name": "a", "epl": "@name('x') select * from LogRecord;", "parallelism": 4,
                             "partitions": 8, "scale": "own", "bound": "5s", "late": "drop"}],
                 "sinks": [{"name": "s", "type": "webhook", "url": "https://x", "severities": ["page"],
                            "headers": {"A": "b"}, "send_resolved": False}],
                 "tests": [{"name": "t", "given": [{"type": "LogRecord", "event": {"body": "x"}}],
                            "expect": [{"statement": "x", "count": 3}]}],
                 "slos": [{"name": "o", "objective": 99.9, "total": "Span", "good": "duration_ms < 3",
                           "burn": [{"rate": 2, "over": "1h", "severity": "page"}]}]}
        values = (None, True, 0, 3, 64, 1.5, "", "x", "page", "5s", "5:drop_oldest", "7", [], ["x"], {}, {"a": "b"})

        def places(value, path=()):
            pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
            for key, below in pairs:
                yield path + (key,)
                yield from places(below, path + (key,))

        def changed(path, *to):
            document = json.loads(json.dumps(whole))
            at = document
            for key in path[:-1]:
                at = at[key]
            if to:
                at[path[-1]] = to[0]
            else:
                del at[path[-1]]
            return document

        cases = [whole] + [changed(p, v) for p in places(whole) for v in values]
        cases += [changed(p) for p in places(whole)]
        # What only reading on tells: texts that are no rules, addresses, names that are not there.
        beyond = ("is no EPL", "address", "KJ-EPL", "KJ-DOC-0009", "period of the objective",
                  "in order of time", "needs a url")
        seen = {True: 0, False: 0}
        files = [self.file(f"case{i}.json", json.dumps(c)) for i, c in enumerate(cases)]
        for i in range(0, len(files), 50):
            said = run("check", "-o", "json", *files[i:i + 50])[1]
            for path, case, one in zip(files[i:], cases[i:], said.split('{"file":')[1:]):
                found = json.loads('{"file":' + one)
                wrong = [n for n in found["notes"] if n["code"] in STRUCTURE and
                         not any(b in n["message"] for b in beyond)]
                errors = [e.message for e in validator.iter_errors(case)]
                self.assertEqual(bool(wrong), bool(errors), (path, case, wrong, errors))
                seen[bool(wrong)] += 1
        self.assertGreater(min(seen.values()), 100)

    def test_exit_codes(self):
        good, bad = self.file("good.yaml", GOOD), self.file("bad.yaml", HEAD)
        lint = self.file("lint.yaml", GOOD + "- {name: x, epl: 'select * from Span'}\n")
        self.assertEqual(0, run("check", "-f", good)[0])
        self.assertEqual(0, run("check", good, good)[0])
        self.assertEqual(1, run("check", "-f", good, "-f", bad)[0])
        self.assertEqual(0, run("check", lint)[0])
        self.assertEqual(3, run("check", lint, "--lint-fatal")[0])
        self.assertEqual(1, run("check", lint, bad, "--lint-fatal")[0])
        self.assertEqual(2, run("check", "-f", os.path.join(self.folder, "none.yaml"))[0])
        self.assertEqual(2, run("check")[0])
        self.assertEqual(2, run("check", "--nonsense", good)[0])
        self.assertEqual(0, run("check", "--help")[0])

    def test_text_shows_the_place(self):
        path = self.file("g.yaml", GOOD.replace("severity_number", "severity_numbr"))
        code, _, err = run("check", "-f", path)
        self.assertEqual(1, code)
        self.assertEqual(f"""{path}:8:20: error KJ-EPL-0002: there is no property 'severity_numbr'
        from LogRecord(severity_numbr >= 17)#time(1 min) group by service;
                       ^^^^^^^^^^^^^^
    in level 'logs', statement 'errors'
    hint: did you mean 'severity_number'?
""", err)

    def test_json_and_yaml_are_one_document(self):
        code, canonical, _ = run("check", "-f", "-", "--canonical", text=GOOD)
        self.assertEqual(0, code)
        document = json.loads(canonical)
        self.assertEqual("default", document["tenant"])
        level = {"name": "logs", "epl": document["levels"][0]["epl"]}
        levels = [level] + [{"epl": x["epl"], "name": x["name"]} for x in document["levels"][1:]]
        text = json.dumps({"levels": levels, "kind": "RuleGraph", "name": "g", "apiVersion": "kaiju/v1"})
        self.assertEqual(canonical, run("check", "-f", "-", "--canonical", text=text)[1])
        text = json.dumps({"apiVersion": "kaiju/v1", "kind": "RuleGraph", "name": "g", "description": "\U0001f980 \"",
                           "levels": [{"name": "a", "epl": "@name('\U0001f980')\n select wrong from Span"}]})
        _, found = notes(text)
        self.assertEqual([f"1:{text.index('wrong') + 1} KJ-EPL-0002"], places(found))

    def test_explain(self):
        code, out, _ = run("explain", "-f", self.file("g.yaml", GOOD))
        self.assertEqual(0, code)
        self.assertIn("graph g: levels 3, groups 2, sources 1, tasks 17\n", out)
        self.assertIn("reads LogRecord of the signals: shuffled by service", out)
        self.assertIn("level hl: in the tasks of level logs\n  reads Burst of logs: not moved", out)
        self.assertIn("level sum: tasks of its own: what it reads must be moved by another key", out)
        self.assertIn("an aggregation without group by adds up events of all keys", out)
        self.assertIn("passes on select `service` as k0 from `LogRecord`((severity_number >= 17))\n", out)
        self.assertIn("  with context and severity_number\n", out)
        self.assertIn("to x.default.g.logs.LogRecord, 8 partitions", out)
        rules = """levels:
- name: a
  epl: |
    create variable long seen = 0;
    on LogRecord set seen = seen + 1;
    @name('g') insert into G select service from LogRecord#groupwin(service)#length(3);
    @name('r') insert into R select service, name, count(*) as n from Span#time_batch(1 min)
    group by rollup(service, name);
    create context Office start (0, 9, *, *, *) end (0, 17, *, *, *);
    @name('d') context Office insert into D select count(*) as n from Metric output snapshot when terminated;
"""
        code, out, _ = run("explain", "-f", "-", text=HEAD + rules)
        self.assertIn("seen, statement 2: one task: statement 2: on set writes a variable that all keys share", out)
        self.assertIn("keeps     #groupwin(service) #length(3): one for each service\n", out)
        self.assertIn("not split rollup and tables take every event\n", out)
        self.assertIn("not split it is in a context\n", out)
        code, out, _ = run("explain", "-f", "-", "-o", "json", text=GOOD)
        plan = json.loads(out)
        self.assertEqual(["logs", "logs", "sum"], [x["group"] for x in plan["levels"]])
        moved = [(e["from"], e["to"], e["stream"], e["shuffle"]) for e in plan["edges"]]
        self.assertIn(("logs", "hl", "Burst", False), moved)
        self.assertIn(("logs", "sum", "Burst", True), moved)
        tasks = {g["name"]: (g["tasks"], g["source"]) for g in plan["groups"]}
        self.assertEqual({"logs.source": (8, True), "logs": (8, False), "sum": (1, False)}, tasks)
        four = json.loads(run("explain", "-f", "-", "--partitions", "4", "-o", "json", text=GOOD)[1])
        self.assertEqual([4, 4, 1], [g["tasks"] for g in four["groups"]])
        self.assertEqual(1, run("explain", "-f", "-", text=HEAD)[0])
        self.assertEqual(2, run("explain")[0])

    def test_groups_end_where_a_level_says_so(self):
        own = GOOD.replace("- name: hl\n", "- name: hl\n  scale: own\n")
        plan = json.loads(run("explain", "-f", "-", "-o", "json", text=own)[1])
        self.assertEqual(["logs", "hl", "sum"], [x["group"] for x in plan["levels"]])
        self.assertIn("scale: own", plan["levels"][1]["why"])

    def test_import(self):
        target = os.path.join(self.folder, "graph.yaml")
        files = [self.file("logs-statements.txt", STATEMENTS), self.file("hl-statements.txt", HIGH)]
        code, out, err = run("import", "esper", "--statements", files[1], files[0], "--events",
                             self.file("hl-events.txt", EVENTS), "-o", target)
        self.assertEqual((0, ""), (code, out), err)
        self.assertIn("KJ002", err)  # it cannot fire: said at once
        with open(target, encoding="utf-8") as f:
            text = f.read()
        self.assertIn("// listener:simple,name:OFF=select count(*) from Metric\n", text)
        self.assertIn("@name('It\\'s a rule') insert into Event", text)
        self.assertIn("@name('Once') @Alert(severity='info') select * from", text)
        self.assertLess(text.index("name: logs"), text.index("name: hl"))
        self.assertIn("create schema GrandKid(`c` long) inherits Kid;", text)
        code, found = notes(text)
        self.assertEqual((0, 0), (code, found["errors"]))
        bad = self.file("bad-events.txt", "A\nB>{x:text}\n")
        code, _, err = run("import", "esper", "--statements", files[0], "--events", bad)
        self.assertEqual(2, code)
        self.assertIn("bad-events.txt:2: a key is name:type", err)
        self.assertEqual(2, run("import", "esper", "--statements", self.file("x.txt", "nothing\n"))[0])
        self.assertEqual(2, run("import", "what")[0])

    def test_what_an_imported_type_takes(self):
        """Each event goes into the most special type whose keys it has."""
        target = os.path.join(self.folder, "graph.yaml")
        run("import", "esper", "--statements", self.file("hl-statements.txt", "name:n=select count(*) as n from Kid\n"),
            "--events", self.file("hl-events.txt", EVENTS), "-o", target)
        document = json.loads(run("check", "-f", target, "--canonical")[1])
        schema = "create schema Event(timestamp long, payload Map<string,object>, `context` Map<string,object>);\n"
        scenario = {"name": "x", "clock": "external", "epl": schema + document["levels"][0]["epl"], "steps": [
            {"send": "Event", "event": {"timestamp": 1, "payload": {"a": "x"}, "context": {"b": "y"}}},
            {"send": "Event", "event": {"timestamp": 2, "payload": {"a": "x", "c": 1}, "context": {"b": "y"}}},
            {"send": "Event", "event": {"timestamp": 3, "payload": {"c": 1}, "context": {}}}]}
        code, out, err = run("epl", "scenario", "-", text=json.dumps(scenario))
        self.assertEqual(0, code, err)
        rows = [(e["step"], e["statement"]) for e in json.loads(out) if e["statement"] != "n"]
        self.assertEqual([(0, "Kid"), (1, "GrandKid")], rows)
        self.assertEqual([1, 2], [e["insert"][0]["n"] for e in json.loads(out) if e["statement"] == "n"])


if __name__ == "__main__":
    unittest.main()
