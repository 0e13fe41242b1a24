# SPDX-License-Identifier: Apache-2.0
"""What each limit and policy does, by example: `kaiju epl scenario --limits`."""
import json
import os
import subprocess
import unittest

KAIJU = os.environ["KAIJU"]
TYPES = "create schema A(k string, x int); create schema B(k string, x int);"


def a(k, x, t="A"):
    return {"send": t, "event": {"k": k, "x": x}}


def play(limits, rules, *steps):
    """(deliveries as {step: [(insert, remove)]}, limits met as (step, limit, statement), dropped)"""
    p = subprocess.run([KAIJU, "epl", "scenario", "-", "--limits", limits],
                       input=json.dumps({"epl": TYPES + rules, "steps": steps}),
                       capture_output=True, text=True, timeout=60)
    if p.returncode != 0:
        raise AssertionError(p.stderr)
    rows, met, dropped = {}, [], None
    for e in json.loads(p.stdout):
        if "limit" in e:
            met.append((e["step"], e["limit"], e["statement"]))
        elif "dropped" in e:
            dropped = {k: v for k, v in e["dropped"].items() if v}
        elif "query" in e:
            rows[e["step"]] = e["query"]
        else:
            values = [[list(r.values()) for r in e.get(w, [])] for w in ("insert", "remove")]
            rows.setdefault(e["step"], []).append(tuple(values))
    return rows, met, dropped


class Limits(unittest.TestCase):
    def test_rows_the_oldest_make_room(self):
        rows, met, dropped = play("rows=2", "@name('s') select irstream x, sum(x) as t from A#keepall",
                                  a("a", 1), a("a", 2), a("a", 4), a("a", 8))
        self.assertEqual([([[4, 6]], [[1, 6]])], rows[2])
        self.assertEqual([([[8, 12]], [[2, 12]])], rows[3])
        self.assertEqual([(2, "rows", "s")], met)
        self.assertEqual({"rows": 2}, dropped)

    def test_rows_the_new_stay_outside_and_come_again(self):
        rows, met, dropped = play("rows=2:drop_new", "@name('s') select x from A#time(10 sec)",
                                  a("a", 1), a("a", 2), a("a", 4), {"advance": 10000}, a("a", 8),
                                  a("a", 9), a("a", 10))
        self.assertNotIn(2, rows)
        self.assertEqual([([[8]], [])], rows[4])
        self.assertEqual([(2, "rows", "s"), (6, "rows", "s")], met)
        self.assertEqual({"rows": 2}, dropped)

    def test_rows_stop(self):
        rules = "@name('s') select x from A#keepall; @name('t') select x from A"
        rows, met, dropped = play("rows=1:stop_statement", rules, a("a", 1), a("a", 2), a("a", 3))
        self.assertEqual([([[2]], [])], rows[1])
        self.assertEqual([([[3]], [])], rows[2])
        self.assertEqual([(1, "rows", "s")], met)
        self.assertEqual({"rows": 1}, dropped)

    def test_rows_a_stopped_statement_can_be_undeployed(self):
        rows, _, _ = play("rows=1:stop_statement", "", {"deploy": "@name('s') select x from A#keepall",
                                                        "as": "d"},
                          a("a", 1), a("a", 2), {"undeploy": "d"},
                          {"deploy": "@name('s') select x from A#keepall", "as": "d"}, a("a", 3))
        self.assertEqual([([[3]], [])], rows[5])

    def test_rows_of_tables(self):
        rules = """create table T(k string primary key, n count(*));
                   into table T select count(*) as n from A group by k"""
        rows, met, dropped = play("rows=1", rules, a("a", 1), a("b", 1), a("a", 1),
                                  {"query": "select k, n from T"})
        self.assertEqual([{"k": "a", "n": 2}], rows[3])
        self.assertEqual({"rows": 1}, dropped)

    def test_state_windows_forget_and_patterns_do_not_begin(self):
        rows, met, dropped = play("state=600", "@name('s') select irstream * from A#keepall",
                                  a("a" * 100, 1), a("b" * 100, 2), a("c" * 100, 3))
        self.assertEqual([([["c" * 100, 3]], [["a" * 100, 1]])], rows[2])
        self.assertEqual([(2, "state", "s")], met)
        self.assertLess(200, dropped["state"])
        rules = "@name('p') select a.x as x from pattern [every a=A -> b=B(k = a.k)]"
        rows, met, dropped = play("state=900", rules, a("a", 1), a("b", 2), a("c", 3), a("a", 0, "B"),
                                  a("c", 0, "B"), a("c", 4), a("c", 5, "B"))
        self.assertEqual([([[1]], [])], rows[3])
        self.assertNotIn(4, rows)
        self.assertEqual([([[4]], [])], rows[6])
        self.assertEqual([(2, "state", "p")], met)

    def test_state_a_context_opens_no_part(self):
        rows, met, _ = play("state=5000", """create context C partition by k from A;
                            @name('s') context C select k, count(*) as n from A""",
                            a("a", 1), a("b", 1), a("c", 1), a("a", 1))
        self.assertNotIn(2, rows)
        self.assertEqual([([["a", 2]], [])], rows[3])
        self.assertEqual([2], [m[0] for m in met])

    def test_state_a_statement_may_stop(self):
        rows, met, _ = play("state=1200:stop_statement",
                            "@name('s') select count(distinct k) as n from A; @name('t') select x from A",
                            *[a(f"{i:0100}", i) for i in range(12)])
        self.assertEqual("s", met[0][2])
        self.assertEqual([([[11]], [])], rows[11])

    def test_bytes(self):
        rows, _, dropped = play("bytes=40:drop_new", "@name('s') select x from A#keepall",
                                a("12345678", 1), a("123456789", 2), a("12345678", 3))
        self.assertEqual([0, 2], sorted(rows))  # 8 + 8 + 4 each; 21 is too much
        self.assertEqual({"bytes": 1}, dropped)

    def test_groups_that_are_there_go_on(self):
        rules = "@name('s') select k, count(*) as n from A#time(10 sec) group by k"
        rows, met, dropped = play("groups=1", rules, a("a", 1), a("b", 1), a("a", 1),
                                  {"advance": 10000}, {"advance": 20000}, a("b", 1))
        self.assertNotIn(1, rows)
        self.assertEqual([([["a", 2]], [])], rows[2])
        self.assertEqual([([["b", 1]], [])], rows[5])
        self.assertEqual([(1, "groups", "s")], met)
        self.assertEqual({"groups": 1}, dropped)

    def test_partials_wait_no_more(self):
        rules = "@name('s') select a.x as a, b.x as b from pattern [every a=A -> b=B(k=a.k)]"
        rows, met, dropped = play("partials=2", rules, a("a", 1), a("b", 2), a("c", 3),
                                  a("c", 1, "B"), a("a", 1, "B"), a("c", 4), a("c", 5, "B"))
        self.assertNotIn(3, rows)
        self.assertEqual([([[1, 1]], [])], rows[4])
        self.assertEqual([([[4, 5]], [])], rows[6])
        self.assertEqual([(2, "partials", "s")], met)
        self.assertEqual({"partials": 1}, dropped)

    def test_partials_without_every_begin_anew(self):
        rules = "@name('s') select a.x as a, b.x as b from pattern [every (a=A -> b=B(k=a.k))]"
        other = "@name('o') select 1 as one from pattern [every A(x=0) -> C=B(x=0)];"
        rows, _, _ = play("partials=1", other + rules, a("a", 0), a("a", 1), a("a", 0, "B"),
                          a("a", 2), a("a", 7, "B"))
        self.assertEqual([([[2, 7]], [])], rows[4])

    def test_partials_until_does_not_collect(self):
        rules = "@name('s') select a[0].x as p, a[1].x as q, a[2].x as r from pattern [a=A until B]"
        rows, _, dropped = play("partials=2", rules, a("a", 1), a("a", 2), a("a", 3), a("a", 0, "B"))
        self.assertEqual([([[1, 2, None]], [])], rows[3])
        self.assertEqual({"partials": 1}, dropped)

    def test_partials_of_match_recognize(self):
        rules = """@name('s') select * from A match_recognize (partition by k measures a.x as p,
                   b.x as q pattern (a b) define b as b.x > a.x)"""
        rows, met, dropped = play("partials=1", rules, a("a", 1), a("b", 1), a("b", 2), a("a", 2))
        self.assertEqual([3], sorted(rows))
        self.assertEqual([(1, "partials", "s")], met)
        self.assertEqual({"partials": 3}, dropped)  # b's, and the second of a while the first is told

    def test_output_within_a_second(self):
        rows, met, dropped = play("output=2", "@name('s') select x from A", a("a", 1), a("a", 2),
                                  a("a", 3), a("a", 4), {"advance": 1000}, a("a", 5),
                                  {"advance": 3000}, a("a", 6), a("a", 7), a("a", 8))
        self.assertEqual([0, 1, 5, 7, 8], sorted(rows))
        self.assertEqual([(2, "output", "s"), (9, "output", "s")], met)
        self.assertEqual({"output": 3}, dropped)

    def test_cascade_is_cut(self):
        rules = "@name('s') insert into A select k, x + 1 as x from A"
        rows, met, dropped = play("cascade=5:drop_new", rules, a("a", 0), a("a", 10))
        self.assertEqual(6, len(rows[0]))
        self.assertEqual(6, len(rows[1]))
        self.assertEqual([(0, "cascade", "s")], met)
        self.assertEqual({"cascade": 2}, dropped)

    def test_cascade_stop_ends_the_loop(self):
        rules = "@name('s') insert into A select k, x + 1 as x from A; @name('t') select x from A(x=10)"
        rows, met, dropped = play("cascade=5:stop_statement", rules, a("a", 0), a("a", 10))
        self.assertEqual([([[10]], [])], rows[1])
        self.assertEqual({"cascade": 1}, dropped)

    def test_a_join_of_too_many_rows_ends(self):
        rules = ("@name('s') select a.x as x, b.x as y from A#keepall as a, B#keepall as b;"
                 "@name('t') select x from B")
        rows, met, dropped = play("joined=2", rules, a("a", 1), a("a", 2), a("b", 3, "B"), a("a", 4),
                                  a("a", 5), a("b", 6, "B"), a("b", 7, "B"))
        self.assertEqual(2, len(rows[2]))
        self.assertEqual([([[6]], [])], rows[5])
        self.assertEqual([([[7]], [])], rows[6])
        self.assertEqual([(5, "joined", "s")], met)
        self.assertEqual({"joined": 1}, dropped)

    def test_a_join_of_many_streams_takes_no_long_time(self):
        rules = "@name('s') select count(*) as n from " + ", ".join(f"A#keepall as a{i}" for i in range(20))
        _, met, _ = play("joined=1000", rules, a("a", 1), a("a", 2), a("a", 3))
        self.assertEqual([(1, "joined", "s")], met)

    def test_wrong_limits_are_refused(self):
        for limits in ("rows=0", "rows=1:what", "what=1", "output=1:drop_oldest"):
            with self.assertRaises(AssertionError):
                play(limits, "")


if __name__ == "__main__":
    unittest.main()
