#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""compare_random.py ENGINE ORACLE [--seed N] [--files K] [--units U] [--area NAME] [--keep DIR]

Composes statements out of tables of clauses, sends both engines the same random events and clock steps, and shows
where they differ. ENGINE is our command (`kaiju`), ORACLE a command that takes scenario files and prints what another
engine delivers, each after a line `# FILE`. Every unit is one deployment of a few statements; what differs is printed
with its text, and with --keep written as a scenario of that unit alone (its answer is the oracle's).
The same seed gives the same statements.
"""
import argparse
import json
import os
import random
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from run_scenarios import agree as compare  # noqa: E402

SCHEMAS = """create schema M(host string, name string, v double, i int, ts long);
create schema S(host string, svc string, d long, err boolean);
create schema T(n int);
"""


class Gen:
    def __init__(self, rnd):
        self.r = rnd

    def p(self, chance):
        return self.r.random() < chance

    def c(self, *xs):
        return self.r.choice(xs)

    def some(self, xs, lo, hi):
        return self.r.sample(xs, min(len(xs), self.r.randint(lo, hi)))

    # ---- parts

    def period(self):
        return self.c("3 sec", "5 sec", "10 sec", "2500 msec", "4 sec")

    def window(self, plain=False):
        w = ["#length(2)", "#length(3)", "#time(%s)" % self.period(), "#keepall", "#lastevent", "#unique(host)",
             "#time(%s)" % self.period(), "#length_batch(2)", "#length_batch(3)", "#time_batch(%s)" % self.period(),
             "#firstunique(host)", "#firstlength(3)", "#sort(2, v)", "#sort(3, i desc, v)", "#ext_timed(ts, 5 sec)",
             "#time_length_batch(5 sec, 3)", "#time_accum(3 sec)", "#groupwin(host)#length(2)",
             "#groupwin(host)#time(5 sec)", "#unique(host)#time(5 sec)", "#length(3)#unique(host)",
             "#ext_timed_batch(ts, 5 sec)", "#time_order(ts, 5 sec)", "#groupwin(host)#length_batch(2)",
             "#expr(current_count <= 2)", "#expr_batch(current_count >= 3)", "#rank(host, 2, v desc)",
             "#firstevent", "#firsttime(5 sec)", "#unique(host, name)", "#length(4)#time(4 sec) retain-union",
             "#groupwin(host)#time_batch(5 sec)", "#groupwin(name)#unique(host)", "#timetolive(ts)"]
        return self.c(*(w[:8] if plain else w))

    def filt(self):
        if self.p(0.5):
            return ""
        return "(" + self.c("v > 1", "host = 'a'", "host != 'a'", "i in (1,2,3)", "name = 'x'", "v is not null", "host in ('a','b')",
                            "i between 1 and 3", "host is not null and v >= 1", "v*2 > i", "name like 'x%'",
                            "not (host = 'b')", "i % 2 = 0", "v + i > 2 or host = 'c'") + ")"

    def agg(self, pre=""):
        f = "%(p)s"
        a = ["count(*)", "sum(v)", "avg(v)", "min(v)", "max(v)", "sum(i)", "count(v)", "count(distinct host)", "first(v)", "last(v)",
             "sum(distinct i)", "max(i)", "avg(i)", "median(i)", "stddev(i)", "avedev(i)", "sum(v, i > 1)", "count(*, v > 1)",
             "max(v, host = 'a')", "window(i)", "minever(v)", "maxever(i)", "firstever(host)", "lastever(host)",
             "nth(i, 1)", "countever(*)", "first(host, 1)", "last(i, 1)", "maxby(v).host", "minby(i).name", "count(distinct i, v > 0)",
             "sum(v) / count(*)", "sum(v) + max(i)", "countever(v)", "leaving()", "fmin(v, i > 1)", "sum(v, group_by: name)", "count(*, group_by: ())"]
        return self.c(*(a[:10] if self.p(0.6) else a))

    def output(self):
        if self.p(0.35):
            return ""
        kind = self.c("", "all ", "last ", "first ", "snapshot ")
        rate = self.c("every 3 sec", "every 5 sec", "every 2 events", "every 3 events", "every 4 sec", "every 10 sec")
        s = " output " + kind + rate
        if self.p(0.12):
            s = " output after " + self.c("3 events", "4 sec") + (" " + kind + rate if self.p(0.7) else "")
        elif self.p(0.08):
            s = " output " + kind + self.c("when count_insert >= 2", "when count_insert_total % 3 = 0", "at (*, *, *, *, *, */5)",
                                           "when count_remove >= 1", "when last_output_timestamp + 5000 <= current_timestamp")
        return s

    def stream(self):
        return self.c("", "", "irstream ", "irstream ", "rstream ", "istream ")

    # ---- units; each gives a list of statement texts with {n} for the unit's number

    def u_select(self):
        """one stream: windows, aggregates, groups, having, output, order"""
        mode = self.c("plain", "total", "mixed", "grouped", "grouped", "groupedplus", "rollup")
        win = self.window() if self.p(0.85) else ""
        cols, group, having, order = [], "", "", ""
        plain = ["host", "v", "i", "name", "ts"]
        if mode == "plain":
            cols = self.some(plain, 1, 3)
            if self.p(0.2):
                cols.append(self.c("prev(1, v) as pv", "prior(1, v) as pv", "prevcount(v) as pc", "prevtail(0, v) as pt", "prevwindow(v) as pw",
                                   "coalesce(v, i) as c", "case when v > 1 then 'hi' else host end as c", "v + i as c", "host || name as c"))
        else:
            cols = [self.agg() + " as a%d" % k for k in range(self.r.randint(1, 3))]
        if mode == "mixed":
            cols = self.some(["host", "v", "i"], 1, 2) + cols
        if mode in ("grouped", "groupedplus"):
            keys = self.c(["host"], ["host"], ["host", "name"], ["name"], ["i % 2"])
            group = " group by " + ", ".join(keys)
            if self.p(0.85):
                cols = [k if k != "i % 2" else "i % 2 as k" for k in keys] + cols
            if mode == "groupedplus":
                cols += self.some([x for x in plain if x not in keys and x != 'i'], 1, 1)
        if mode == "rollup":
            g = self.c("rollup(host, name)", "cube(host, name)", "grouping sets((host), (name), ())", "rollup(host)", "host, rollup(name)",
                       "grouping sets((host, name), ())")
            group = " group by " + g
            cols = ["host"] + (["name"] if "name" in g else []) + cols
            if self.p(0.3):
                cols.append("grouping(host) as g")
        if mode == "plain":
            if self.p(0.1):
                having = " having " + self.c("v > 1", "host = 'a'")
        elif self.p(0.3):
            having = " having " + self.c("count(*) > 1", "sum(v) > 2", "max(v) >= 2", "avg(i) < 3", "count(*) = 0", "count(*) % 2 = 0", "sum(v) is not null",
                                         "min(v) < 2 and count(*) > 1")
        where = ""
        if self.p(0.2):
            where = " where " + self.c("v > 0", "host != 'c'", "i is not null", "name = 'x' or v > 2")
        if self.p(0.2):
            order = " order by " + self.c("host", "v", "i desc", "host desc", "v desc, host", "host, v", "count(*)" if mode not in ("plain",) else "i",
                                          "sum(v) desc" if mode != "plain" else "name, i desc")
            if self.p(0.4):
                order += " limit " + self.c("1", "2", "2 offset 1", "3")
        st = self.stream()
        if self.p(0.07):
            st += "distinct "
        return ["@name('{n}') select %s%s from M%s%s%s%s%s%s%s" % (st, ", ".join(cols), self.filt(), win, where, group, having, self.output(), order)]

    def u_join(self):
        """two or three streams"""
        jw = lambda: self.c("#length(2)", "#keepall", "#lastevent", "#time(4 sec)", "#unique(host)", "#length(3)", "#time(5 sec)", "#length_batch(2)",
                            "#time_batch(5 sec)", "#firstunique(host)", "#unique(host)#length(2)")
        three = self.p(0.25)
        j = self.c(",", "inner join", "left outer join", "right outer join", "full outer join", "left outer join")
        l, r = "M%s%s as a" % (self.filt(), jw()), "S%s as b" % jw()
        on = "a.host = b.host" + ("" if "unique" in l + r else self.c("", "", "", " and a.name = b.svc"))
        uni = self.c("", "", "", "", "u")
        if uni and j in (",", "inner join", "left outer join"):
            l = "M%s as a unidirectional" % self.filt()
        frm = l + (", " + r if j == "," else " %s %s on %s" % (j, r, on))
        where = " where " + on if j == "," and self.p(0.85) else ""
        if three:
            t = "T%s as t" % self.c("#lastevent", "#length(2)", "#keepall")
            if j == ",":
                frm += ", " + t
                where += (" and " if where else " where ") + "t.n = a.i" if self.p(0.5) else ""
            else:
                frm += " %s %s on t.n = %s" % (self.c("left outer join", "inner join", "full outer join", "right outer join"), t, self.c("a.i", "a.i", "b.d"))
        if self.p(0.3):
            where += (" and " if where else " where ") + self.c("a.v > b.d", "b.d is null", "a.v is not null", "b.svc != 'x'", "a.i <= b.d", "not b.err", "b.err is null or b.err")
        mode = self.c("plain", "plain", "total", "grouped", "mixed", "groupedplus")
        plain = ["a.host as ah", "a.v as v", "b.host as bh", "b.d as d", "b.svc as svc", "a.i as i"] + (["t.n as n"] if three else [])
        aggs = ["count(*) as c", "sum(a.v) as s", "max(b.d) as m", "avg(a.i) as av", "count(b.d) as cb", "first(b.svc) as f", "min(a.v) as mi", "window(b.d).countOf() as w",
                "count(distinct a.host) as dh", "last(a.v) as la"]
        group = having = ""
        if mode == "plain":
            cols = self.some(plain, 2, 4)
            if self.p(0.08):
                cols = ["*"]
        elif mode == "total":
            cols = self.some(aggs, 1, 2)
        elif mode == "mixed":
            cols = self.some(plain, 1, 2) + self.some(aggs, 1, 2)
        else:
            group = " group by " + self.c("a.host", "b.svc", "a.host, b.svc", "a.name", "rollup(a.host)" if mode == "grouped" else "a.host")
            cols = self.some(aggs, 1, 2) + (["a.host as ah"] if "a.host" in group else []) + (["b.svc as svc"] if "b.svc" in group else [])
            if mode == "groupedplus":
                cols.append(self.c("a.v as v", "b.d as d"))
        if mode != "plain" and self.p(0.25):
            having = " having " + self.c("count(*) > 1", "sum(a.v) > 2", "max(b.d) is not null")
        order = " order by " + self.c("a.host", "b.d desc", "a.v, b.d", "a.i desc") if self.p(0.15) else ""
        return ["@name('{n}') select %s%s from %s%s%s%s%s%s" % (self.stream(), ", ".join(cols), frm, where, group, having, self.output(), order)]

    def u_subq(self):
        """subqueries in select, where, having, filters"""
        w = self.c("#keepall", "#lastevent", "#length(2)", "#time(5 sec)", "#unique(host)", "#length_batch(2)", "#firstunique(host)", "#time_batch(4 sec)", "#sort(2, d)")
        cor = self.c("", " where b.host = m.host", " where b.host = m.host", " where b.d > m.i", " where b.host = m.host and b.d >= 1", " where not b.err")
        f = self.c("", "", "(d > 1)", "(host != 'c')")
        src = "S%s%s as b%s" % (f, w, cor)
        scal = self.c("(select b.d from %s)", "(select max(b.d) from %s)", "(select count(*) from %s)", "(select sum(d) from %s)", "(select b.svc || b.host from %s)",
                      "(select avg(d) from %s having count(*) > 1)", "(select window(b.svc) from %s)", "(select d + m.i from %s)", "(select last(b.svc) from %s)",
                      "exists (select * from %s)", "not exists (select * from %s)", "m.i in (select d from %s)", "m.host not in (select svc from %s)",
                      "m.i > all (select d from %s)", "m.i <= any (select d from %s)", "m.i = some (select d from %s)", "(select count(*) as c, max(d) as mx from %s)",
                      "(select host, svc from %s)", "(select * from %s).countOf()", "(select * from %s).where(x => x.d > 1).sumOf(x => x.d)", "(select svc from %s).firstOf()",
                      "(select svc, sum(d) as sd from %s group by svc).orderBy(x => x.svc)", "(select sum(d) from %s group by svc)",
                      "(select b.* from %s)", "(select first(svc) from %s)", "(select min(d) from %s) + coalesce((select max(d) from %s), 0)", "(select svc from %s).where(x => x != 'y')",
                      "(select svc, count(*) as n from %s group by svc having count(*) > 1).countOf()").replace("%s", src)
        where = self.c("exists (select * from %s)", "not exists (select * from %s)", "m.i in (select d from %s)", "m.i > (select max(d) from %s)", "m.v < all (select d from %s)",
                       "m.i not in (select d from %s)", "(select count(*) from %s) > 1", "(select err from %s)", "m.v != any (select d from %s)").replace("%s", src)
        k = self.r.randint(0, 5)
        mw = self.c("", "", "#length(2)", "#time(5 sec)", "#unique(host)")
        if k <= 2:
            return ["@name('{n}') select %shost, i, %s as q from M%s%s as m%s" % (self.stream() if mw else "", scal, self.filt(), mw, self.output() if self.p(0.2) else "")]
        if k == 3:
            return ["@name('{n}') select %shost, i from M%s as m where %s" % (self.stream() if mw else "", mw, where)]
        if k == 4:
            return ["@name('{n}') select %shost, count(*) as n, %s as q from M%s as m where %s group by host%s" % (self.stream() if mw else "", scal if "m.i" not in scal else "1", mw, where, self.output())]
        return ["@name('{n}') select host, i from M(%s)%s" % (where.replace("m.", "").replace(src, src.replace("m.i", "1").replace("m.", "")) if "m." not in cor else "i in (select d from S%s)" % w, mw)]

    def atom(self, tags, depth):
        k = self.r.random()
        if k < 0.72:
            t = chr(97 + len(tags))
            tags.append(t)
            typ = self.c("M", "M", "S")
            conds = ["host = 'a'", "host != 'a'", "host = 'b'"] + (["v > 1", "name = 'x'", "name = 'y'", "i >= 2", "i < 2"] if typ == "M" else ["d > 1", "svc = 'x'", "err"])
            prev = [x for x in tags[:-1]]
            if prev and self.p(0.5):
                x = self.c(*prev)
                conds = ["host = %s.host" % x, "host = %s.host and host is not null" % x, "host != %s.host" % x]
            return "%s=%s%s" % (t, typ, "(" + self.c(*conds) + ")" if self.p(0.8) else "")
        if k < 0.82:
            return "timer:interval(%s)" % self.c("2 sec", "3 sec", "5 sec", "1 sec")
        if k < 0.9 and depth:
            t = chr(97 + len(tags))
            tags.append(t + "[]")
            tt = self.c("M(name='x')", "M(v>1)", "S", "M")
            return self.c("[2] %s=%s", "[2] %s=%s", "[1:2] %s=%s until S(d > 1)", "%s=%s until T", "[:2] %s=%s until timer:interval(3 sec)", "[2:] %s=%s until T") % (t, tt)
        return "%s" % self.c("T", "M(name='y')", "S(svc='y')", "T(n=1)")

    def pat(self, tags, depth):
        if depth <= 0:
            return self.atom(tags, False)
        k = self.r.random()
        if k < 0.45:
            return "%s -> %s" % (self.pat(tags, depth - 1), self.pat(tags, depth - 1))
        if k < 0.53:
            return "%s and %s" % (self.sub(tags, depth - 1), self.sub(tags, depth - 1))
        if k < 0.61:
            return "%s or %s" % (self.sub(tags, depth - 1), self.sub(tags, depth - 1))
        if k < 0.73:
            return "%s and not %s" % (self.sub(tags, depth - 1), self.c("M(name='y')", "S", "T", "S(host='a')", "M(host='b')", "timer:interval(2 sec)", "(T -> S)", "M(v > 2)"))
        if k < 0.8:
            return "(%s) where timer:within(%s)" % (self.pat(tags, depth - 1), self.c("2 sec", "5 sec", "8 sec"))
        if k < 0.83:
            return "(%s) where timer:withinmax(%s, %d)" % (self.pat(tags, depth - 1), self.c("5 sec", "8 sec"), self.r.randint(1, 3))
        if k < 0.86:
            return "%s -[%d]> %s" % (self.sub(tags, depth - 1), self.r.randint(1, 2), self.sub(tags, depth - 1))
        return self.atom(tags, True)

    def sub(self, tags, depth):
        s = self.pat(tags, depth)
        return "(" + s + ")" if " " in s else s

    def u_pattern(self):
        """sequences with operators, guards, observers"""
        tags = []
        body = self.pat(tags, self.c(1, 2, 2, 3))
        tags0 = list(tags)
        ev = self.c("every", "every", "every", "")
        if ev and self.p(0.1) and tags and "[" not in tags[0] and re.search(r"\ba=", body):
            ev = "every-distinct(a.host%s)" % self.c("", ", 5 sec")
        if ev:
            body = "%s (%s)" % (ev, body) if self.p(0.6) or ev != "every" else "every " + body
        if ev and self.p(0.1) and not ev.startswith("every-"):
            body = body + " -> " + self.atom(tags, True)
        ann = self.c("", "", "", "", "", "@SuppressOverlappingMatches ", "@DiscardPartialsOnMatch ")
        cols = []
        for t in tags:
            if t.endswith("[]"):
                cols += ["%s[%d].host as %s%d" % (t[0], k, t[0], k) for k in range(2)]
            else:
                cols += ["%s.host as %s" % (t, t)]
        cols.append("current_timestamp() as at")
        win = "" if ann else self.c("", "", "", "", "", "#length(2)", "#time(5 sec)", "#lastevent", "#keepall")
        st, group, out = "", "", ""
        if win:
            st = self.stream()
        if win and self.p(0.4) and tags0 and not tags0[0].endswith("[]"):
            cols, group = ["%s.host as h" % tags0[0], "count(*) as c"], " group by %s.host" % tags0[0]
        if self.p(0.15):
            out = self.output()
        return ["@name('{n}') select %s%s from pattern %s[%s]%s%s%s" % (st, ", ".join(cols), ann, body, win, group, out)]

    def u_window(self):
        """named windows: insert, consume, on-select, on-update, on-delete, on-merge"""
        w = self.c("#keepall", "#length(3)", "#time(5 sec)", "#unique(host)", "#lastevent", "#sort(3, v)", "#time_batch(5 sec)", "#length_batch(2)", "#unique(host)#time(5 sec)",
                   "#firstunique(host)", "#groupwin(host)#length(2)", "#time(4 sec)#length(2) retain-union", "#ext_timed(ts, 5 sec)", "#time_accum(3 sec)")
        out = [self.c("create window W{n}%s as M" % w, "create window W{n}%s as select host, name, v, i, ts from M" % w,
                      "create window W{n}%s as (host string, name string, v double, i int, ts long)" % w)]
        out.append("insert into W{n} select %s from M%s" % ("*" if out[0].endswith("as M") else "host, name, v, i, ts", self.filt()))
        cond = self.c("", " where w.host = s.host", " where w.host = s.host", " where w.v > s.d", "", " where w.host = s.host and w.v > 1", " where w.name = 'x'")
        ons = ["on S%s as s select %s from W{n} as w%s" % (self.c("", "(d > 1)"), self.c("w.host as h, w.v as v, s.d as d", "count(*) as c, sum(w.v) as sv", "*", "w.*", "w.host as h, sum(w.v) as sv, s.svc as svc"), cond),
               "on S as s select w.host as h, count(*) as c, max(w.v) as mx from W{n} as w%s group by w.host%s" % (cond, self.c("", " having count(*) > 1", " order by w.host", " order by count(*) desc, w.host limit 1")),
               "on S as s select and delete %s from W{n} as w%s" % (self.c("w.host as h, w.v as v", "window(w.*) as ws", "count(*) as c"), cond),
               "on S as s delete from W{n} as w%s" % cond,
               "on S as s update W{n} as w set %s%s" % (self.c("v = s.d", "i = i + 1, v = v * 2", "name = s.svc, i = 9", "v = initial.v + 1, i = case when v > 3 then 1 else 0 end"), cond),
               "on S as s merge W{n} as w where %s %s" % (self.c("w.host = s.host", "w.host = s.host and w.name = s.svc"), self.c(
                   "when matched then update set v = s.d when not matched then insert select host, svc as name, 0d as v, 1 as i, 99L as ts",
                   "when matched and s.err then delete when matched then update set i = 7 when not matched and s.d > 0 then insert select host as host, 'n' as name, 1.5 as v, 3 as i, 5L as ts",
                   "when not matched then insert(host, v) select s.host, s.d*1.0 when matched and w.v > 2 then delete",
                   "when matched then delete", "when matched then update set v = v + 1 then delete where v > 2"))]
        for k in range(self.r.randint(1, 2)):
            out.append("@name('{n}o%d') " % k + ons.pop(self.r.randrange(len(ons))))
        out.append("@name('{n}') " + self.c(
            "select %s* from W{n}%s" % (self.stream(), self.filt()), "select %shost, v from W{n}%s%s" % (self.stream(), self.filt(), self.output()),
            "select %scount(*) as c, sum(v) as s from W{n}%s" % (self.stream(), self.output()),
            "select %shost, count(*) as c, max(v) as m from W{n}%s group by host%s" % (self.stream(), self.filt(), self.output()),
            "select %shost, v from W{n}#length(2)" % self.stream(), "select %shost, sum(v) as s from W{n}#time(3 sec) group by host" % self.stream(),
            "select %sw.host as h, s.d as d from W{n} as w, S#lastevent as s where w.host = s.host" % self.stream(),
            "select %sw.host as h, s.d as d from W{n} as w left outer join S#length(2) as s on w.host = s.host" % self.stream(),
            "select s.host as h, (select sum(v) from W{n} w where w.host = s.host) as q, (select count(*) from W{n}) as c from S as s",
            "select s.host as h, exists (select * from W{n} w where w.v > s.d) as q from S as s",
            "select a.host as h, b.host as g from pattern [every a=W{n}(v > 1) -> b=S]",
            "select %sprev(1, v) as p, prior(1, host) as q, host from W{n}" % self.stream()))
        return out

    def u_chain(self):
        """insert into, further statements on it"""
        win = self.window()
        a = self.c("insert %sinto D{n} select host, v, i from M%s%s" % (self.c("", "rstream ", "irstream "), self.filt(), win),
                   "insert %sinto D{n} select host, count(*) as i, sum(v) as v from M%s group by host%s" % (self.c("", "rstream "), win, self.output()),
                   "insert into D{n} select host, v, i from M%s output %severy %s" % (win, self.c("", "last ", "all ", "first "), self.c("2 events", "5 sec")),
                   "insert into D{n} select a.host as host, a.v as v, b.d as i from pattern [every a=M -> b=S(host=a.host)]",
                   "insert into D{n} select a.host as host, a.v as v, b.d as i from M#length(2) as a, S#length(2) as b where a.host=b.host",
                   "on M as m insert into D{n} select host, v, i where v > 1 insert into E{n} select host, i%s" % self.c("", " output all"))
        w2 = self.window(True)
        b = self.c("select * from D{n}", "select irstream host, sum(v) as s from D{n}%s group by host%s" % (w2, self.output()), "select count(*) as c, max(i) as m from D{n}%s%s" % (w2, self.output()),
                   "select a.host as h, b.host as g from pattern [every a=D{n} -> b=D{n}(host != a.host)]", "select %shost, v from D{n}%s" % (self.stream(), w2),
                   "select d.host as h, s.d as d from D{n}%s as d, S#lastevent as s where s.host = d.host" % w2)
        return ["@name('{n}a') " + a, "@name('{n}') " + b]

    def u_context(self):
        """contexts of all kinds over simple statements"""
        kind = self.r.randint(0, 11)
        two = False
        if kind <= 2:
            two = self.p(0.5)
            ctx = "partition by host from M" + (self.c("", "(v > 0)")) + (", host from S" if two else "")
        elif kind == 3:
            ctx = "group by v < 1 as low, group by v >= 1 and v < 3 as mid, group by v >= 2 as hi from M"
        elif kind == 4:
            ctx = "coalesce by consistent_hash_crc32(host) from M granularity 8" + self.c("", " preallocate")
        elif kind == 5:
            ctx = "start " + self.c("S(d > 1) as s", "@now", "pattern [every s=S]", "S as s", "pattern [s=S -> t=T] @inclusive", "(*, *, *, *, *, */5)") + " end " + self.c("after 5 sec", "T", "S(svc='y')", "pattern [T -> M]", "pattern [timer:interval(4 sec)]")
        elif kind <= 8:
            ctx = "initiated by " + self.c("S as s", "S(d > 1) as s", "pattern [every s=S]", "distinct(host) S as s", "pattern [every timer:interval(4 sec)]", "@now and pattern [every timer:interval(5 sec)]") + \
                " terminated by " if False else "initiated by " + self.c("S as s", "S(d > 1) as s", "distinct(host) S as s", "pattern [every s=S]", "@now and pattern [every timer:interval(5 sec)]") + \
                " terminated " + self.c("after 4 sec", "after 6 sec", "by T", "by S(svc='y')", "by pattern [T or timer:interval(5 sec)]")
        elif kind == 9:
            ctx = "context P{n} partition by host from M, context G{n} group by v < 2 as low, group by v >= 2 as hi from M"
        elif kind == 10:
            ctx = "context G{n} start S end after 6 sec, context P{n} partition by host from M"
        else:
            ctx = "partition by host from M%s initiated by M(name='x')%s terminated %s" % ("", self.c("", " as q"), self.c("by M(name='y')", "after 5 sec"))
        out = ["create context C{n} " + ctx]
        win = self.c("", "", "#length(2)", "#time(5 sec)", "#keepall", "#lastevent", "#length_batch(2)", "#time_batch(3 sec)")
        col = ""
        if kind <= 2 or kind == 11:
            col = self.c("", "context.key1 as k, ")
        elif kind == 3:
            col = self.c("", "context.label as k, ")
        elif "as s" in ctx or "s=S" in ctx:
            col = self.c("", "context.s.svc as k, ", "context.s.host as k, ")
        term = ""
        if 5 <= kind <= 8 or kind in (10, 11):
            term = self.c("", " output %swhen terminated" % self.c("", "last ", "snapshot ", "all "), " output %severy %s and when terminated" % (self.c("", "last ", "all ", "snapshot "), self.c("2 events", "3 sec")))
        else:
            term = self.output() if self.p(0.4) else ""
        st = self.stream() if win else ""
        q = self.c("select %s%shost, v from M%s%s%s", "select %s%scount(*) as c, sum(v) as s from M%s%s%s", "select %s%shost, count(*) as c from M%s%s group by host%s",
                   "select %s%sname, sum(i) as s from M%s%s group by name%s", "select %s%shost, sum(v) as s from M%s%s%s") % (st, col, self.filt(), win, term)
        if two and self.p(0.5):
            q = "select %sa.host as h, b.d as d from " % col + self.c("M#lastevent as a, S#lastevent as b", "M#keepall as a left outer join S#length(2) as b on a.name=b.svc", "pattern [every a=M -> b=S]",
                                                                       "pattern [a=M -> every b=S]", "M#length(2) as a unidirectional, S#keepall as b")
        if kind <= 2 and self.p(0.15):
            q = "select %sa.v as av, b.v as bv from pattern [every a=M -> b=M(v > a.v)]" % col
        if kind <= 2 and self.p(0.12):
            q = "select %scurrent_timestamp() as t from pattern [every (timer:interval(3 sec) and not M)]" % col
        out.append("@name('{n}') context C{n} " + q)
        return out

    def u_table(self):
        """tables with aggregates and plain columns"""
        if self.p(0.5):
            keyed = self.p(0.7)
            out = ["create table B{n}(%stotal sum(double), cnt count(*), mx maxever(double), la lastever(string))" % ("host string primary key, " if keyed else "")]
            out.append("@name('{n}i') into table B{n} select sum(v) as total, count(*) as cnt, maxever(v) as mx, lastever(name) as la%s from M%s%s%s" % (
                ", host" if keyed and self.p(0.3) else "", self.filt(), self.c("", "#length(3)", "#time(5 sec)", "#unique(name)", "#length_batch(2)"), " group by host" if keyed else ""))
            acc = "B{n}[s.host]" if keyed else "B{n}"
            out.append("@name('{n}') " + self.c("select s.host as h, %s.total as t, %s.cnt as c, %s.la as la from S as s" % (acc, acc, acc), "select s.host as h from S as s where %s.total > s.d" % acc,
                                                "select s.host as h, b.total as t, b.cnt as c from S as s unidirectional, B{n} as b" + (" where b.host = s.host" if keyed else ""),
                                                "select s.host as h, b.total as t from S as s left outer join B{n} as b on " + ("b.host = s.host" if keyed else "b.cnt = s.d"),
                                                "on S as s select b.total as t, b.mx as m from B{n} as b" + (" where b.host = s.host" if keyed else ""),
                                                "select s.host as h, (select total from B{n} b%s) as t from S as s" % (" where b.host = s.host" if keyed else ""), "on S as s select sum(total) as t, count(*) as n from B{n}"))
            if self.p(0.3):
                out.append("@name('{n}d') on T(n = 1) delete from B{n}")
            return out
        out = ["create table B{n}(host string primary key, v double, n int)"]
        out.append("@name('{n}m') on M%s as m merge B{n} as b where b.host = m.host %s" % (self.c("(host is not null)", "(host is not null, v > 0)"), self.c(
            "when matched then update set v = m.v, n = b.n + 1 when not matched then insert select m.host as host, m.v as v, 1 as n",
            "when matched and m.v > b.v then update set v = m.v when matched then update set n = n + 1 when not matched then insert select host, v, 0 as n",
            "when not matched then insert select m.host as host, m.v as v, m.i as n when matched and m.name = 'y' then delete",
            "when matched then update set v = b.v + coalesce(m.v, 0), n = initial.n + m.i when not matched then insert(host, v, n) select m.host, 0.0, 0")))
        out.append("@name('{n}o') " + self.c("on S as s update B{n} as b set n = n + 10 where b.host = s.host", "on S as s delete from B{n} as b where b.host = s.host and s.d > 0",
                                              "on S as s select b.host as h, b.v as v, s.svc as svc from B{n} as b where b.v > s.d", "on S as s select and delete b.host as h, b.n as n from B{n} as b where b.host = s.host",
                                              "on S as s select host, v from B{n} order by v desc, host limit 2"))
        out.append("@name('{n}') " + self.c("select t.n as n, (select sum(v) from B{n}) as s, (select count(*) from B{n}) as c from T as t", "select s.host as h, B{n}[s.host].v as v, B{n}[s.host].n as n from S as s",
                                            "select s.host as h, b.v as v from S#length(2) as s left outer join B{n} as b on b.host = s.host", "select s.svc as q, b.host as h, b.n as n from S as s unidirectional, B{n} as b where b.n > s.d"))
        return out

    def u_match(self):
        """match_recognize"""
        pt = self.c("x y", "x y*", "x+ y", "x y? z", "x (y|z)", "x{2} y", "x{1,2} y", "x y+ z", "x*? y", "(x y)+ z", "x y z", "(x|y) z", "x+? y+", "x? y z?", "x{2,} y", "x+ y* z")
        names = sorted(set(re.findall(r"\b[xyz]\b", pt)))
        defs = []
        for k, n in enumerate(names):
            d = ["%s.v > 1" % n, "%s.v <= 1" % n, "%s.name = 'x'" % n, "%s.name = 'y'" % n, "%s.i > 1" % n, "%s.host = 'a'" % n, "%s.v > prev(%s.v)" % (n, n), "%s.i < prev(%s.i, 1)" % (n, n)]
            if k and not re.search(names[0] + r"[+*{?]|\(", pt):
                d += ["%s.v > %s.v" % (n, names[0]), "%s.host = %s.host" % (n, names[0])]
            if self.p(0.85):
                defs.append("%s as %s" % (n, self.c(*d)))
        mes = []
        for n in names:
            if re.search(n + r"[+*{]|\(", pt):
                mes += [self.c("count(%s.v) as %sn" % (n, n), "first(%s.v) as %sf" % (n, n), "last(%s.i) as %sl" % (n, n), "%s[0].v as %s0" % (n, n), "sum(%s.v) as %ss" % (n, n), "%s[1].i as %s1" % (n, n))]
            else:
                mes += ["%s.v as %sv" % (n, n), "%s.host as %sh" % (n, n)]
        part = self.c("partition by host ", "partition by host ", "", "partition by host, name ")
        skip = self.c("", "", "", "after match skip to next row ", "after match skip past last row ", "after match skip to current row ")
        allm = self.c("", "", "all matches ")
        iv = ""
        if self.p(0.25):
            iv = "interval %s %s" % (self.c("3 sec", "5 sec"), self.c("", "", "or terminated "))
        win = self.c("", "", "#keepall", "#length(4)", "#length(3)")
        df = "define " + ", ".join(defs) if defs else ""
        return ["@name('{n}') select * from M%s%s match_recognize (%smeasures %s %s%spattern (%s) %s%s)" % (self.filt(), win, part, ", ".join(mes), allm, skip, pt, iv, df)]

    def u_var(self):
        """variables and expression declarations"""
        out = ["create variable int x{n} = 1", self.c("on S(d is not null) as s set x{n} = cast(s.d, int)", "on T as t set x{n} = x{n} + t.n", "on M(i is not null) as m set x{n} = m.i", "on S set x{n} = null")]
        out[1] = self.c("@name('{n}s') ", "") + out[1]
        out.append("@name('{n}') " + self.c("select host, v * x{n} as p from M", "select host, i from M(i > x{n})", "select %shost, v from M#length(3) where i >= x{n}" % self.stream(),
                                            "select %scount(*) as c from M#expr(current_count <= x{n})" % self.stream(), "select host, sum(v) as s from M group by host having count(*) > x{n}",
                                            "expression f{n} {{ (a, b) => a.v + b }} select f{n}(m, x{n}) as q from M as m", "expression g{n} {{ x => x.v > x{n} }} select host, g{n}(m) as q from M as m where g{n}(m)",
                                            "select a.host as h, b.host as g from pattern [every a=M(i = x{n}) -> b=S(d >= x{n})]", "select host from M output when x{n} > 2", "select x{n} as x, count(*) as c from M#time(5 sec)" + self.output(),
                                            "expression int h{n} {{ (select max(d) from S#keepall) }} select host, h{n}() as q, x{n} as x from M".replace("int ", "")))
        return out

    def u_faf(self):
        """named window or table filled, then queried"""
        w = self.c("#keepall", "#length(4)", "#unique(host)", "#time(6 sec)")
        return ["create window F{n}%s as M" % w, "insert into F{n} select * from M%s" % self.filt(), "@name('{n}') select irstream host, v, i from F{n}"]

    def faf_queries(self, n):
        f = "F" + n
        return [self.c("select * from %s", "select host, count(*) as c, sum(v) as s from %s group by host", "select host, v from %s where v > 1 order by v desc, host", "select count(*) as c, max(i) as m from %s",
                       "select distinct host from %s order by host", "select host, v from %s order by i limit 2", "select a.host as h, b.i as i from %s a, %s b where a.host = b.name".replace("%s b", f + " b"),
                       "select host, sum(i) as s from %s group by host having sum(i) > 2 order by host", "select host, name, count(*) as c from %s group by rollup(host, name)", "update %s set v = v + 1, i = 0 where host = 'a'",
                       "delete from %s where v > 2", "insert into %s(host, v) values ('q', 7d)", "insert into %s select 'z' as host, 3d as v, 2 as i", "delete from %s where host is null", "update %s as w set name = w.host || 'k' where w.i > 1",
                       "select window(i) as w, first(host) as f from %s", "select host, avg(v) as a from %s group by host order by avg(v) desc, host limit 1 offset 1", "select i % 2 as k, sum(v) as s from %s group by i % 2".replace("%", "%%").replace("%%s", "%s"),
                       "select (select count(*) from %s) as c, host from %s".replace("from %s) ", "from " + f + ") "), "select host from %s where host in ('a','b') and i between 1 and 3",
                       "select a.host as h, sum(b.v) as s from %s as a left outer join %s as b on a.host = b.name group by a.host".replace("%s as b", f + " as b")) % f]


AREAS = {"select": Gen.u_select, "join": Gen.u_join, "subq": Gen.u_subq, "pattern": Gen.u_pattern, "window": Gen.u_window, "chain": Gen.u_chain,
         "context": Gen.u_context, "table": Gen.u_table, "match": Gen.u_match, "var": Gen.u_var, "faf": Gen.u_faf}


def script(g, n):
    steps, now = [], 0
    hosts, names = ["a", "a", "b", "b", "c", None], ["x", "x", "y", "z"]
    jumps = [500, 1000, 1000, 1500, 2000, 2500, 3000, 5000] if g.p(0.7) else [1000, 5000, 10000, 25000]
    for _ in range(n):
        k = g.r.random()
        if k < 0.45:
            e = {"host": g.c(*hosts), "name": g.c(*names), "v": g.c(0, 1, 2, 3, 1.5, 4, None), "i": g.c(0, 1, 2, 3, 4, 5, None), "ts": max(0, now + g.c(-4000, -1000, 0, 0, 500))}
            e = {k: v for k, v in e.items() if v is not None}
            steps.append({"send": "M", "event": e})
        elif k < 0.62:
            e = {"host": g.c(*hosts), "svc": g.c(*names), "d": g.c(0, 1, 2, 3, None), "err": g.c(True, False)}
            steps.append({"send": "S", "event": {k: v for k, v in e.items() if v is not None}})
        elif k < 0.68:
            steps.append({"send": "T", "event": {"n": g.c(0, 1, 2, 3)}})
        else:
            now += g.c(*jumps)
            steps.append({"advance": now})
    now += 30000
    return steps + [{"advance": now}, {"advance": now + 5000}]


def make(seed, units, area):
    g = Gen(random.Random(seed))
    sc = {"name": "random/%d" % seed, "area": "random", "tier": 1, "about": "composed", "clock": "external", "ordered": False, "epl": SCHEMAS, "steps": []}
    made = []
    early = g.r.randint(0, 3)
    for k in range(units):
        a = area if area else g.c("select", "select", "select", "join", "subq", "pattern", "pattern", "window", "chain", "context", "context", "table", "match", "var", "faf")
        n = "%s%d_%d" % (a[0], seed, k)
        texts = AREAS[a](g)
        texts = [t if t.startswith("@name") else "@name('{n}%s') %s" % ("uvwx"[j], t) for j, t in enumerate(texts)]
        made.append((n, a, ";\n".join(t.replace("{{", "\x01").replace("}}", "\x02").replace("{n}", n).replace("\x01", "{").replace("\x02", "}") for t in texts)))
    evs = script(g, 40)
    sc["steps"] = evs[:early] + [{"deploy": t, "as": n} for n, a, t in made]
    rest = []
    for s in evs[early:]:
        rest.append(s)
        for n, a, t in made:
            if a == "faf" and g.p(0.08):
                rest += [{"query": q, "of": n} for q in g.faf_queries(n)]
    for n, a, t in made:
        if g.p(0.06) and len(rest) > 12:
            rest.insert(g.r.randint(10, len(rest) - 1), {"undeploy": n})
    sc["steps"] += rest
    return sc, made


def tell(sc, text):
    """-> units in which the oracle itself failed, and why units were refused"""
    threw = {re.match(r"([a-z]\d+_\d+)", t).group(1) for t in re.findall(r"runtime exception in '([a-z]\d+_\d+\w*)'", text)}
    told = {}
    for m in re.finditer(r"^step (\d+) (compile|query): (.*(?:\n(?!step |runtime ).*)*)", text, re.M):
        s, why = sc["steps"][int(m.group(1))], m.group(3)
        n = s.get("as") or s.get("of")
        if n is None:
            continue
        told[n] = why
        if re.search(r"CompileException|Fatal exception|Unexpected|NullPointer|streamsJoinedPerStream|ClassCast|OutOfBounds|javac", why):
            threw.add(n)
    return threw, told


def of_unit(sc, entries, n):
    """the entries that belong to a unit; those of an error or query by the step"""
    res = []
    for e in entries:
        if "statement" in e:
            if re.match(re.escape(n) + r"(?![0-9])", e["statement"]):
                res.append(e)
        elif "step" in e:
            s = sc["steps"][e["step"]]
            if s.get("as") == n or s.get("of") == n or s.get("undeploy") == n:
                res.append(e)
    return res


def alone(sc, n, entries):
    """a scenario of this unit alone"""
    out = dict(sc)
    keep = [k for k, s in enumerate(sc["steps"]) if ("deploy" not in s and "query" not in s and "undeploy" not in s) or n in (s.get("as"), s.get("of"), s.get("undeploy"))]
    new = {k: j for j, k in enumerate(keep)}
    out["steps"] = [{x: y for x, y in sc["steps"][k].items() if x != "of"} for k in keep]
    out["expect"] = [dict(e, step=new[e["step"]]) for e in entries]
    return out


def main():
    ap = argparse.ArgumentParser(usage=__doc__)
    ap.add_argument("engine")
    ap.add_argument("oracle")
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--files", type=int, default=4)
    ap.add_argument("--units", type=int, default=15)
    ap.add_argument("--area")
    ap.add_argument("--keep")
    ap.add_argument("--ordered", action="store_true", help="rows in order too, for statements with order by")
    a = ap.parse_args()
    with tempfile.TemporaryDirectory() as d:
        all_ = []
        for k in range(a.files):
            sc, made = make(a.seed + k, a.units, a.area)
            f = os.path.join(d, "r%d.json" % (a.seed + k))
            with open(f, "w") as h:
                json.dump(sc, h)
            all_.append((f, sc, made))
        total = differ = refused = broken = 0
        for f, sc, made in all_:
            run = subprocess.run(a.oracle.split() + [f], capture_output=True, text=True)
            try:
                want = json.loads(run.stdout)
            except ValueError:
                print("no answer for", f, run.stderr[-500:])
                continue
            if any(e.get("error") == "oracle" and "step" not in e for e in want) and "no end within" in run.stderr:
                print("the oracle came to no end:", os.path.basename(f))
                continue
            threw, told = tell(sc, run.stderr)
            mine = subprocess.run([a.engine, "epl", "scenario", f], capture_output=True, text=True)
            try:
                got = json.loads(mine.stdout)
            except ValueError:
                print("ENGINE FAILED", f, mine.returncode, mine.stderr[-300:])
                os.rename(f, "/tmp/failed_%s" % os.path.basename(f))
                continue
            for n, area, text in made:
                if n in threw:
                    broken += 1
                    continue
                total += 1
                w, m = of_unit(sc, want, n), of_unit(sc, got, n)
                if any(e.get("error") == "compile" for e in w):
                    refused += 1
                lines = compare({"expect": w, "ordered": a.ordered and "order by" in text}, m)
                if not lines:
                    continue
                differ += 1
                print("=== %s\n%s\n%s" % (n, text, "\n".join(lines[:8])))
                if n in told:
                    print("   refused:", told[n][:300])
                if a.keep:
                    os.makedirs(a.keep, exist_ok=True)
                    with open(os.path.join(a.keep, n + ".json"), "w") as h:
                        json.dump(alone(sc, n, w), h, indent=1)
        print("%d units, %d refused by the oracle, %d where it failed, %d differ" % (total, refused, broken, differ))


if __name__ == "__main__":
    main()
