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

    def test_causes_of_a_group_are_what_is_in_the_window(self):
        rules = ("create schema A(k string, x int);\n"
                 "@name('out') select k, sum(x) as s from A#length(2) %s group by k;\n")
        events = "".join('{"send": "A", "event": {"k": "a", "x": %d}}\n' % x for x in range(1, 6))
        for where in ("", "where x > 0"):
            out = epl("run", self.file("r.epl", rules % where), "--causes", "-o", "json", text=events)[1]
            rows = [json.loads(line)["insert"][0] for line in out.splitlines()]
            self.assertEqual([1, 3, 5, 7, 9], [r["row"]["s"] for r in rows])
            self.assertEqual([[0], [0, 1], [1, 2], [2, 3], [3, 4]], [r["causes"] for r in rows])

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

    BENCH = ("create schema P(q int, w string);\n"
             "create schema E(k string, x int, l long, d double, f float, s short, y byte, big BigInteger, "
             "dec BigDecimal, b boolean, o Object, m Map, t Map<string,double>, arr int[], p P, ps P[]);\n"
             "create schema Other(x int);\n"
             "@name('out') select * from E;")
    EVENT = {"k": {"key": "k", "n": 16}, "x": {"int": [-5, 5]}, "l": {"long": [0, 10**12]}, "d": {"double": [0, 1]},
             "f": {"double": [0, 1]}, "s": {"seq": 1}, "y": {"const": 3}, "big": {"seq": 1}, "dec": {"int": [0, 9]},
             "b": {"pick": [True, False, None]}, "o": {"pick": ["a", 1, 2.5]},
             "m": {"map": {"a": {"seq": 1}, "b": {"const": "c"}, "n": {"key": "n", "n": 3}}},
             "t": {"map": {"u": {"counter": {"key": "k", "by": 2.5}}}}, "arr": {"array": {"n": 3, "of": {"int": [0, 7]}}},
             "p": {"map": {"q": {"clock": 1}, "w": {"pick": ["a"]}}},
             "ps": {"array": {"n": 2, "of": {"map": {"q": {"const": 1}}}}}}

    def bench(self, streams, *options, **more):
        spec = {"warmup": 0, "events": 200, "streams": streams, **more}
        return epl("bench", self.file("b.json", json.dumps({"epl": self.BENCH, "bench": spec})), "--runs", "1", *options)

    def test_bench_makes_every_kind_of_value(self):
        streams = [{"type": "E", "weight": 3, "event": self.EVENT}, {"type": "Other", "event": {}}]
        results = []
        for options in ((), ("--from", "batch"), ("--batch", "7"), ("--causes",), ("--allocs",)):
            code, out, err = self.bench(streams, "-o", "json", *options, advance_every=10, advance_ms=5)
            self.assertEqual((0, ""), (code, err), options)
            results.append(json.loads(out)["rows"])
        self.assertEqual(1, len(set(results)), "the same events whichever way they are sent")
        self.assertTrue(100 < results[0] < 200)

    def test_bench_refuses_what_it_cannot_make(self):
        for prop, value, words in (
                ("k", {"key": 5, "n": 3}, "key wants"), ("k", {"key": "k", "n": 0}, "key wants"),
                ("k", {"int": [1, 2]}, "another type"), ("x", {"key": "k", "n": 3}, "another type"),
                ("x", {"pick": []}, "pick wants"), ("x", {"pick": ["a"]}, "a string"), ("x", {"const": "a"}, "a string"),
                ("x", {"int": [1]}, "two numbers"), ("x", {"double": "a"}, "two numbers"),
                ("x", {"nonsense": 1}, "no known kind"), ("x", 5, "no known kind"),
                ("d", {"counter": {"key": "none", "by": 1}}, "counter wants"),
                ("d", {"counter": {"key": "k"}}, "counter wants"), ("arr", {"array": {"n": 3}}, "array wants"),
                ("arr", {"array": {"n": -1, "of": {"seq": 1}}}, "array wants"),
                ("x", {"array": {"n": 1, "of": {"seq": 1}}}, "another type"), ("d", {"map": {}}, "another type"),
                ("p", {"map": {"none": {"seq": 1}}}, "does not have"), ("p", {"map": {"q": {"pick": []}}}, "pick wants"),
                ("none", {"seq": 1}, "no property 'none'")):
            code, _, err = self.bench([{"type": "E", "event": {prop: value}}])
            self.assertEqual(1, code, value)
            self.assertIn(words, err)
            self.assertIn("b.json", err)
        for streams, words in (([], "no streams"), ([{"type": "None", "event": {}}], "no event type 'None'"),
                               ([{"event": {}}], "no event type ''"),
                               ([{"type": "E", "weight": 0, "event": {}}], "weights")):
            code, _, err = self.bench(streams)
            self.assertEqual(1, code)
            self.assertIn(words, err)

    def test_bench_deploys_many_rules(self):
        streams = [{"type": "Other", "event": {"x": {"int": [0, 5]}}}]
        rules = {"count": 5, "epl": "@name('r${i}') select ${i} as n, x from Other(x = ${i});"}
        code, out, _ = self.bench(streams, "-o", "json", rules=rules)
        self.assertEqual((0, 200), (code, json.loads(out)["rows"]))
        code, _, err = self.bench(streams, rules={"count": 2, "epl": "select nope${i} from Other;"})
        self.assertEqual(1, code)
        self.assertIn("1:8", err)

    def test_bench_of_several_files_goes_on_after_a_bad_one(self):
        good = {"epl": self.BENCH, "bench": {"warmup": 0, "events": 50, "streams": [{"type": "Other", "event": {}}]}}
        for name in ("a.json", "c.json"):
            self.file(name, json.dumps(good))
        self.file("b.json", "{")
        self.file("ignored.txt", "")
        for options in (("-o", "json"), ()):
            code, out, err = epl("bench", self.folder, "--runs", "1", *options)
            self.assertEqual(1, code)
            self.assertIn("b.json", err)
            names = re.findall(r"\b[abc]\.json", out)
            self.assertEqual(["a.json", "b.json", "c.json"], names)
            self.assertIn("failed", out)
            self.assertIn("geometric", out)
        code, _, err = epl("bench", os.path.join(self.folder, "none.json"))
        self.assertEqual(1, code)
        self.assertIn("No such file", err)

    def test_bench_compares_with_another_engine(self):
        oracle = self.file("oracle.sh", "#!/bin/sh\necho \"asked: $*\" >&2\necho starting\necho BEST 2000000 events\n")
        os.chmod(oracle, 0o755)
        streams = [{"type": "Other", "event": {"x": {"seq": 1}}}]
        code, out, err = self.bench(streams, "-o", "json", "--oracle", oracle, "--events", "60")
        self.assertEqual((0, 2000000), (code, json.loads(out)["oracle_events_per_s"]))
        self.assertRegex(err, r"--bench .*b\.json --events 60")
        code, out, _ = self.bench(streams, "--oracle", oracle)
        self.assertIn("times 2.000 M/s", out)
        code, out, _ = self.bench(streams, "--oracle", "false")
        self.assertNotIn("times", out)

    def test_explain_shows_every_clause(self):
        rules = """create schema A(k string, x int, its It[]);
create schema B(k string, y int);
create variable int lim = 1;
@name('join') select a.*, b.y as yy, a.x + 1 from A as a unidirectional, B#length(3)#unique(k) as b;
@name('pattern') select * from pattern [every a=A(x > 1) -> (timer:interval(5 sec) and not B)];
@name('groups') select k, x, sum(x) as s from A#time(5 sec) group by grouping sets((k, x), k, ()) having sum(x) > 1
  output after 2 sec snapshot every 3 events order by k desc, x limit 3 offset 1;
@name('roll') select k, sum(x) as s from A group by rollup(k) output last every 5 sec;
@name('cube') select k, sum(x) as s from A group by cube(k) output first at (*/5, *, *, *, *);
@name('when') select irstream distinct x from A output all when lim > 1 then set lim = 0;
@name('contained') select * from A[its where qty > 1];
@name('term') select rstream * from A limit 2;
create table T(k string primary key, n count(*));
into table T select count(*) as n from A group by k;
create window W#keepall as A;
on A as a delete from W where W.k = a.k;
on A merge W where W.k = A.k when matched then delete when not matched then insert select *;
on A set lim = x;
update istream A set x = 2;
create context C partition by k from A;
context C select count(*) as n from A output when terminated;
select * from A match_recognize (measures P.x as px pattern (P Q) define Q as Q.x > P.x);
create expression dbl { v => v * 2 };
create index i on W(k);
insert into N select k, (select max(y) from B#keepall) as m from A;
on A insert into N1 select 1 as q insert into N2 select 2 as q output all;
""".replace("create schema A(", "create schema It(qty int);\ncreate schema A(")
        path = self.file("a.epl", rules)
        code, out, err = epl("explain", path)
        self.assertEqual((0, ""), (code, err))
        for words in ("which alone triggers", "a pattern over A, timer:interval, B",
                      "keeps     #length(3) #unique(k): their intersection", "group by  grouping sets ((k, x), k, ())",
                      "A, each of its", "gives     a.*, yy, a.x+1", "having    sum(x) > 1", "group by  rollup(k)",
                      "group by  cube(k)", "gives     distinct x", "order by  k desc, x", "limit     3", "offset    1",
                      "output    after 2 seconds: snapshot every 3 events", "output    last every 5 seconds",
                      "output    first at */5, *, *, *, *", "output    all when lim > 1", "output    when the partition ends",
                      "matches   rows in a row\n", "into      table T", "into      stream N", "on rows of W",
                      "context   C: once per partition", "17 on-merge (line 18)"):
            self.assertIn(words, out)
        code, out, _ = epl("explain", "-o", "json", path)
        self.assertEqual(0, code)
        self.assertEqual(22, len(json.loads(out)["units"][0]["statements"]))
        code, _, err = epl("explain", self.file("b.epl", "select x from A;"))
        self.assertEqual(1, code)
        self.assertIn("there is no event type 'A'", err)
        self.assertEqual(2, epl("explain", "/does/not/exist")[0])

    def test_events_are_read_as_their_types_say(self):
        rules = self.file("a.epl", "create schema P(q int);\ncreate schema E(c char, t Map<string,int>, p P, ps P[], "
                                   "arr int[], b boolean, s string, big BigInteger, dec BigDecimal, f float);\n"
                                   "@name('out') select * from E;")
        for prop, value, words in (
                ("c", "", "c: "), ("c", 5, "c: "), ("t", {"u": "a"}, "t: ('u')"), ("t", [1], "t: "), ("p", 5, "p: "),
                ("p", {"q": "a"}, "p: q: "), ("ps", [{}, {"q": 1.5}], None), ("ps", {"q": 1}, "ps: "),
                ("ps", [{}, 7], "ps: [1]"), ("arr", [1, True], "arr: [1]"), ("b", 1, "b: "), ("s", 1, "s: "),
                ("big", "1x", "big: "), ("dec", "", "dec: "), ("f", "wide", "f: "), ("s", ["x"], "a list")):
            line = json.dumps({"send": "E", "event": {prop: value}})
            code, _, err = epl("run", rules, "--events", "-", text=line)
            self.assertEqual(2 if words else 0, code, (prop, value))
            self.assertIn(words or "", err)
        event = {"c": "\u20ac", "big": "123456789012345678901234567890", "dec": "1.50", "f": "Infinity", "s": "\b\f\r\t\\"}
        code, out, _ = epl("run", rules, "--events", "-", "-o", "json", text=json.dumps({"send": "E", "event": event}))
        self.assertEqual(0, code)
        row = json.loads(out)["insert"][0]
        self.assertEqual({"c": "\u20ac", "big": 123456789012345678901234567890, "dec": 1.5, "f": "Infinity",
                          "s": "\b\f\r\t\\"}, {k: row[k] for k in event})
        code, out, _ = epl("run", rules, "--events", "-", "-o", "json",
                           text='{"send": "E", "event": {"big": 1e3, "dec": 0.1, "c": "ab", "f": "NaN"}}\n'
                                '{"send": "E", "event": {"f": "-Infinity", "c": "\u00e9"}}')
        rows = [json.loads(line)["insert"][0] for line in out.splitlines()]
        self.assertEqual([1000, 0.1, "a", "NaN"], [rows[0][k] for k in ("big", "dec", "c", "f")])
        self.assertEqual(["-Infinity", "\u00e9"], [rows[1][k] for k in ("f", "c")])

    def test_run_answers_queries(self):
        rules = self.file("a.epl", "create schema A(k string, x int);\ncreate window W#keepall as A;\n"
                                   "insert into W select * from A;\n@name('out') select * from A#time(2 sec);")
        lines = ['{"send": "A", "event": {"k": "a", "x": 1}}', '{"send": "A", "event": {"k": "b", "x": 2}}',
                 '{"advance_span": 3000}', '{"query": "select k from W where x > ?", "params": [1]}',
                 '{"query": "select k from W where x > 5"}', '{"query": "delete from W"}',
                 '{"query": "select count(*) as n from W"}']
        code, out, err = epl("run", rules, "--events", "-", text="\n".join(lines))
        self.assertEqual((0, ""), (code, err))
        self.assertIn('3000 (query) + {"k": "b"}', out)
        self.assertIn('3000 (query) + {"n": 0}', out)
        for line, words in (('{"query": "select nope from W"}', "nope"), ('{"query": "select * from A"}', "on-demand"),
                            ('{"query": 5}', ""), ('{"query": "select * from W where x > ?"}', "")):
            code, _, err = epl("run", rules, "--events", "-", text=line)
            self.assertEqual(2, code, line)
            self.assertIn(words, err)
        self.assertEqual(2, epl("run", rules, "--events", "/does/not/exist")[0])
        self.assertEqual(2, epl("run", "/does/not/exist", "--events", "-", text="")[0])
        self.assertEqual(1, epl("run", self.file("b.epl", "select x from Nope;"), "--events", "-", text="")[0])
        self.assertEqual(2, epl("run", rules, "--config", "/does/not/exist")[0])

    def test_scenario_says_what_is_wrong(self):
        for text, words in (("{", "-:1:1"), ("[]", ""), ('{"epl": 5}', ""), ('{"epl": "", "steps": {}}', "")):
            code, out, err = epl("scenario", "-", text=text)
            self.assertIn(code, (0, 1, 2))
            self.assertIn(words, err)
        self.assertEqual(2, epl("scenario", "/does/not/exist")[0])
        base = {"epl": RULES, "steps": [{"deploy": "select nope from A", "as": "x"}, {"undeploy": "x"}, {"nonsense": 1},
                                        {"deploy": "@name('q') select k from A", "as": "x"}, {"advance": 5},
                                        {"send": "A", "event": {"k": "a"}}, {"undeploy": "x"}, {"undeploy": "main"}]}
        for options in ((), ("--reload",), ("--reload-every", "2"), ("--unshared",), ("--causes",), ("--peaks",)):
            code, out, _ = epl("scenario", "-", *options, text=json.dumps(base))
            self.assertEqual(0, code, options)
            self.assertIn('{"step": 0, "error": "compile"}', out)
            self.assertIn('{"step": 1, "error": "undeploy"}', out)
            self.assertIn('"statement": "q"', out)
        for limits in ("nonsense=5", "rows=x", "rows=5:nonsense", "/does/not/exist"):
            code, _, err = epl("scenario", "-", "--limits", limits, text=json.dumps(base))
            self.assertNotEqual((0, ""), (code, err), limits)

    def test_many_rules_are_explained(self):
        rules = "".join(f"insert into S{i} select k, x from A(x={i});\n" for i in range(4000))
        code, out, _ = epl("explain", self.file("a.epl", "create schema A(k string, x int);\n" + rules))
        self.assertEqual(0, code)
        self.assertEqual(4000, len(re.findall(r"^unit \d+", out, re.M)))

    def test_tables_in_both_formats(self):
        for name in ("functions", "windows", "aggregations", "causes"):
            code, out, _ = epl(name)
            self.assertEqual(0, code)
            self.assertGreater(len(out.splitlines()), 5)
            code, out, _ = epl(name, "-o", "json")
            self.assertEqual(0, code)
            for line in out.splitlines():
                json.loads(line)
            self.assertEqual(2, epl(name, "superfluous")[0])

    def test_print_says_what_is_wrong(self):
        code, _, err = epl("print", self.file("a.epl", "select from A;"))
        self.assertEqual(1, code)
        self.assertIn("a.epl:1:", err)
        self.assertEqual(2, epl("print", "/does/not/exist")[0])


if __name__ == "__main__":
    unittest.main()
