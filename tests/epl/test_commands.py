# SPDX-License-Identifier: Apache-2.0
"""`kaiju epl` from outside: what each subcommand prints, and its exit code."""
import json
import os
import re
import subprocess
import tempfile
import unittest

KAIJU = os.environ["KAIJU"]
MANUAL = os.path.join(os.environ["KAIJU_SOURCE_DIR"], "docs", "epl.md")
KEYED = """create schema A(k string, x int);
create schema B(key string, x int);
@name('sums') select k, sum(x) as s from A#time(10 sec) group by k;
@name('pairs') select a.x as ax, b.x as bx from A#keepall as a, B#keepall as b where a.k = b.key;
@name('all') select sum(x) as s from A output last every 10 sec;
@name('plain') select k from A(x > 2);
@Partition('k') @name('mine') select k, count(*) as n from A group by k output all every 5 sec;
create window W#length(3) as (k string);
@name('in') insert into W select k from A;
@name('out') select k, count(*) as n from W group by k;
"""
RULES = """create schema A(k string, x int);
@name('out') select irstream k, sum(x) as s from A(x > 1)#length(2) group by k;
"""


def epl(*args, text=None):
    """(exit code, standard output, standard error)"""
    p = subprocess.run([KAIJU, "epl", *args], input=text, capture_output=True, text=True, timeout=60)
    return p.returncode, p.stdout, p.stderr


class Commands(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def file(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return path

    def test_help_lists_every_subcommand(self):
        code, out, _ = epl("--help")
        self.assertEqual(0, code)
        for name in re.findall(r"^  (\w+)", out, re.M):
            self.assertEqual(0, epl(name, "--help")[0], name)

    def test_wrong_use(self):
        self.assertEqual(2, epl()[0])
        self.assertEqual(2, epl("nonsense")[0])
        self.assertEqual(2, epl("check")[0])
        self.assertEqual(2, epl("check", "--nonsense", "x")[0])
        self.assertEqual(2, epl("check", "/does/not/exist")[0])

    def test_check_accepts(self):
        code, out, err = epl("check", self.file("a.epl", RULES))
        self.assertEqual((0, ""), (code, err))
        self.assertIn("2 statements", out)

    def test_check_shows_the_place(self):
        path = self.file("a.epl", RULES.replace("sum(x)", "sum(y)"))
        code, _, err = epl("check", path)
        self.assertEqual(1, code)
        first, line, caret = err.rstrip("\n").split("\n")[:3]
        self.assertTrue(first.startswith(f"{path}:2:"), first)
        self.assertEqual(line.index("y)"), caret.index("^"))

    def test_check_as_json(self):
        code, out, _ = epl("check", "-o", "json", self.file("a.epl", "select from;"))
        self.assertEqual(1, code)
        self.assertEqual(1, json.loads(out)["line"])

    def test_check_of_several_files_in_order(self):
        first = self.file("a.epl", "create schema A(x int);")
        second = self.file("b.epl", "select x from A;")
        self.assertEqual(0, epl("check", first, second)[0])
        self.assertEqual(1, epl("check", second, first)[0])

    def test_print_is_understood_again(self):
        code, out, _ = epl("print", self.file("a.epl", RULES))
        self.assertEqual(0, code)
        again, same, _ = epl("print", "-", text=out)
        self.assertEqual((0, out), (again, same))

    def test_explain(self):
        code, out, _ = epl("explain", self.file("a.epl", RULES))
        self.assertEqual(0, code)
        for word in ("'out'", "reads     A", "#length(2)", "group by  k"):
            self.assertIn(word, out)

    def test_explain_shows_programs(self):
        rules = self.file("a.epl", "create schema A(k string, x int);\n"
                                   "select x + 1 as y from A(k = 'a' and x > 5) where x < 9;\n")
        code, out, _ = epl("explain", rules)
        self.assertEqual(0, code)
        lines = [line.strip() for line in out.split("\n")]
        for line in ("program   looked up by k", "0  return_const    'a'",
                     "program   and then filter of stream 0",
                     "0  jump_int_ck     s0.x, 5, not > or null, ->3",
                     "1  jump_int_ck     s0.x, 9, not < or null, ->3",
                     "program   column y", "1  add_int_k       r0, r0, 1"):
            self.assertIn(line, lines)

    def test_explain_shows_keys(self):
        rules = self.file("a.epl", KEYED)
        code, out, _ = epl("explain", rules)
        self.assertEqual(0, code)
        for words in ("unit 1 sums: partitioned by A(k)\n",
                      "unit 2 pairs: partitioned by A(k), B(key)\n",
                      "unit 3 all: one task: 'all': an aggregation without group by adds up events of all "
                      "keys; its sums may be split\n",
                      "unit 4 plain: partitioned anyhow: each event goes by itself\n",
                      "unit 5 mine: partitioned by @Partition by A(k)\n",
                      "unit 6 W, in, out: one task: 'W': #length counts, sorts or batches events of all keys\n"):
            self.assertIn(words, out)

    def test_explain_as_json(self):
        code, out, _ = epl("explain", "-o", "json", self.file("a.epl", KEYED))
        self.assertEqual(0, code)
        units = json.loads(out)["units"]
        self.assertEqual(["partitioned", "partitioned", "one task", "partitioned anyhow",
                          "partitioned by @Partition", "one task"], [u["choice"] for u in units])
        self.assertEqual([{"type": "A", "key": ["k"]}, {"type": "B", "key": ["key"]}], units[1]["inputs"])
        self.assertEqual([False, False, True, False, False, False], [u["may_split"] for u in units])
        self.assertEqual(["W", "in", "out"], [s["name"] for s in units[5]["statements"]])
        self.assertIn("#length", units[5]["why"])

    def test_partition_is_checked(self):
        for value, words in (("('z')", "'A' has no property 'z'"), ("", "string of properties"), ("(3)", "string"),
                             ("('')", "string"), ("('k,')", "1 to 16 properties"), ("('t')", "which is no key")):
            rules = f"create schema A(k string, t string[]);\n@Partition{value} select k from A;"
            code, _, err = epl("check", self.file("a.epl", rules))
            self.assertEqual(1, code, value)
            self.assertIn(words, err)

    def test_partitions(self):
        steps = [{"send": "A", "event": {"k": k, "x": 1}} for k in "abcab"]
        scenario = {"epl": RULES, "steps": steps}
        code, out, _ = epl("scenario", "--partitions", "4", "-", text=json.dumps(scenario))
        self.assertEqual(0, code)
        self.assertIn("different 0,", out)

    def test_run(self):
        events = self.file("e.jsonl", '# a comment\n\n{"send": "A", "event": {"k": "a", "x": 2}}\n'
                                      '{"advance": 500}\n{"send": "A", "event": {"k": "a", "x": 3}}\n')
        rules = self.file("a.epl", RULES)
        code, out, _ = epl("run", rules, "--events", events)
        self.assertEqual(0, code)
        self.assertEqual(['0 out + {"k": "a", "s": 2}', '0 out - {"k": "a", "s": null}',
                          '500 out + {"k": "a", "s": 5}', '500 out - {"k": "a", "s": 2}'],
                         out.splitlines())
        code, out, _ = epl("run", rules, "--events", events, "-o", "json")
        self.assertEqual({"time": 500, "statement": "out", "insert": [{"k": "a", "s": 5}],
                          "remove": [{"k": "a", "s": 2}]}, json.loads(out.splitlines()[1]))

    def test_run_tells_causes_as_the_manual_says(self):
        with open(MANUAL, encoding="utf-8") as f:
            shown = re.search(r"```text\n(\$ cat rules.epl.*?)```", f.read(), re.S).group(1)
        parts = re.split(r"^\$ .*\n", shown, flags=re.M)
        code, out, err = epl("run", self.file("r.epl", parts[1]), "--events", self.file("e", parts[2]), "--causes")
        self.assertEqual((0, "", parts[3]), (code, err, out))

    def test_causes_as_json(self):
        events = '{"advance": 5}\n# a remark\n{"send": "A", "event": {"k": "a", "x": 2}}\n'
        out = epl("run", self.file("r.epl", RULES), "--causes", "-o", "json", text=events)[1]
        self.assertEqual({"time": 5, "statement": "out", "insert": [{"row": {"k": "a", "s": 2}, "causes": [1]}],
                          "remove": [{"row": {"k": "a", "s": None}, "causes": []}]}, json.loads(out))

    def test_run_says_which_line_is_wrong(self):
        rules = self.file("a.epl", RULES)
        for line in ('{"send": "A", "event": {"x": "two"}}', '{"send": "Nope", "event": {}}', "{", "{}",
                     '{"advance": "soon"}'):
            code, _, err = epl("run", rules, "--events", "-", text="\n" + line + "\n")
            self.assertEqual(2, code, line)
            self.assertIn("standard input:2", err)

    def test_values_in_and_out(self):
        rules = ("create schema I(q int); create schema E(d double, f float, l long, s string, b boolean,"
                 " o Object, m Map, t Map<string,float>, arr int[], i I, list I[]);\n"
                 "@name('out') select * from E;")
        event = {"d": "NaN", "f": 0.1, "l": 9007199254740993, "s": "\u00e9\n\"", "b": True,
                 "o": 5000000000, "m": {"a": [1, 2.5, None]}, "t": {"x": 1}, "arr": [3, None],
                 "i": {"q": 1}, "list": [{"q": 2}, {}]}
        code, out, err = epl("run", self.file("a.epl", rules), "--events", "-", "-o", "json",
                             text=json.dumps({"send": "E", "event": event}) + "\n")
        self.assertEqual((0, ""), (code, err))
        row = json.loads(out)["insert"][0]
        self.assertEqual({**event, "f": 0.10000000149011612, "t": {"x": 1.0},
                          "list": [{"q": 2}, {"q": None}]}, row)

    def test_scenario_ignores_what_is_expected(self):
        scenario = {"epl": RULES, "steps": [{"send": "A", "event": {"k": "a", "x": 2}},
                                            {"send": "Nope", "event": {}}, {"query": "select nope"}],
                    "expect": [{"step": 0, "statement": "wrong", "insert": [{}]}]}
        code, out, _ = epl("scenario", "-", text=json.dumps(scenario))
        self.assertEqual(0, code)
        self.assertEqual([{"step": 0, "statement": "out", "insert": [{"k": "a", "s": 2}],
                           "remove": [{"k": "a", "s": None}]},
                          {"step": 1, "error": "send"}, {"step": 2, "error": "query"}], json.loads(out))

    def test_bench_counts_rows(self):
        bench = {"epl": RULES, "bench": {"warmup": 10, "events": 1000, "advance_every": 10, "advance_ms": 5,
                 "streams": [{"type": "A", "event": {"k": {"key": "k", "n": 5}, "x": {"int": [2, 9]}}}]}}
        path = self.file("b.json", json.dumps(bench))
        code, out, _ = epl("bench", path, "-o", "json", "--runs", "1")
        self.assertEqual(0, code)
        got = json.loads(out)
        self.assertEqual(1000, got["events"])
        self.assertGreaterEqual(got["rows"], 1000)
        self.assertGreater(got["events_per_s"], 0)
        self.assertGreater(got["rss_bytes"], 0)
        self.file("c.json", json.dumps(bench))
        code, out, _ = epl("bench", self.folder, "--runs", "1")
        self.assertEqual(0, code)
        self.assertIn("geometric mean", out)

    def test_bench_says_what_is_wrong(self):
        code, _, err = epl("bench", self.file("b.json", '{"epl": "select from"}'))
        self.assertEqual(1, code)
        self.assertIn("b.json", err)

    def test_manual_names_all_there_is(self):
        with open(MANUAL, encoding="utf-8") as f:
            manual = f.read()
        for table in ("windows", "aggregations"):
            code, out, _ = epl(table, "-o", "json")
            self.assertEqual(0, code)
            for line in out.splitlines():
                name = re.match(r"#?\w+", json.loads(line)["name"]).group(0)
                if not re.search(re.escape(name) + r"\b", manual):
                    self.fail(f"docs/epl.md does not name {name} ({table})")

    def test_functions(self):
        code, out, _ = epl("functions")
        self.assertEqual(0, code)
        for name in ("Math.sqrt(", "anyOf(", "substring(", "roundFloor("):
            self.assertIn(name, out)


if __name__ == "__main__":
    unittest.main()
