/* SPDX-License-Identifier: Apache-2.0 */
#include "operators/doc/doc_check.h"
#include "operators/graph/eng_doc.h"
#include "tests/unit/operators/doc/doc_case.h"

#define HEAD         "apiVersion: kaiju/v1\nkind: RuleGraph\nname: g\nlevels:\n"
#define LEVEL(name_) "- name: " name_ "\n  epl: |\n"

static int check(struct doc_case *c)
{
    struct err err;
    err_clear(&err);
    CHECK(c->d != NULL);
    int rc = doc_check(c->d, &eng_doc, &c->notes, &err);
    CHECK_EQ(c->notes.errors > 0, rc != 0);
    CHECK(rc == 0 || err.msg[0] != '\0');
    return rc;
}

#define NOWHERE                                                                                    \
    " KJ003 its rows go nowhere: it has no alert and no insert into; insert into ... select, or "  \
    "@Alert(...) before it\n"

static void says(const char *text, const char *want)
{
    struct doc_case c = doc_case(text);
    (void)check(&c);
    CHECK_STR(want, doc_case_notes(&c));
    doc_case_done(&c);
}

TEST(the_example_of_the_design)
{
    struct doc_case c = doc_case(HEAD LEVEL(
        "logs") "    @name('errors') insert into ErrorBurst\n"
                "    select service, count(*) as n from LogRecord(severity_number >= 17)#time(1 "
                "min)\n"
                "    group by service having count(*) > 20 output first every 1 min;\n" LEVEL(
                    "hl") "    @Alert(severity='page', key='service', summary='{service}: {n} "
                          "{{x}}')\n"
                          "    @name('alert') select * from ErrorBurst;\n");
    CHECK_EQ(0, check(&c));
    CHECK_STR("", doc_case_notes(&c));
    const struct doc_level *l = &c.d->g.levels[1];
    CHECK_EQ(1, l->n_stmts);
    CHECK_SLICE("alert", l->stmts[0].name);
    CHECK_SLICE("page", l->stmts[0].alert->severity);
    CHECK_EQ(1, l->stmts[0].alert->n_key);
    CHECK_SLICE("service", l->stmts[0].alert->key[0]);
    CHECK_EQ(1, c.d->n_made);
    CHECK_SLICE("ErrorBurst", c.d->made[0].name);
    CHECK_SLICE("create schema `ErrorBurst`(`service` string, `n` long);\n", c.d->made[0].epl);
    doc_case_done(&c);
}

TEST(each_statement_says_its_own)
{
    says(HEAD LEVEL("a") "    @name('a') select x from LogRecrd;\n"
                         "    @name('b') selec;\n"
                         "    @name('c') select bdy from LogRecord;\n",
         "7:30+8 KJ-EPL-0002 there is no event type 'LogRecrd'; did you mean 'LogRecord'?\n"
         "8:16+5 KJ-EPL-0001 expected a statement: select, insert, create, on, ..., found 'selec'; "
         "did you mean 'select'?\n"
         "9:23+3 KJ-EPL-0002 there is no property 'bdy'; did you mean 'body'?\n");
    says(HEAD LEVEL("a") "    @name('a') insert into A select 1 as x from LogRecord;\n"
                         "    @name('b')\n    select count(* from LogRecord;\n",
         "9:20+4 KJ-EPL-0001 expected ')' to close '(' opened at 9:17, found 'from'\n");
}

TEST(one_mistake_is_said_once)
{
    says(
        HEAD LEVEL(
            "a") "    create schema A(x strin);\n    @name('b') insert into B select * from A;\n"
                 "    @name('c') select x from B;\n" LEVEL("b") "    @name('d') select y from B;\n",
        "7:23+5 KJ-EPL-0002 there is no type 'strin'\n");
}

TEST(a_level_sees_those_before_it)
{
    says(HEAD LEVEL("a") "    @name('a') select * from B;\n" LEVEL(
             "b") "    insert into B select body from LogRecord;\n",
         "7:30+1 KJ-EPL-0003 there is no event type 'B'; 'B' is made by level 'b': a level sees "
         "what "
         "those before it make\n");
    says(HEAD LEVEL("a") "    create window W#keepall as (x int);\n    @name('x') insert into X "
                         "select * from "
                         "W;\n" LEVEL("b") "    create table W(x int);\n",
         "11:5+21 KJ-EPL-0004 level 'a' makes 'W' already; use it: it is known here, if it is an "
         "event "
         "type\n");
}

TEST(types_pass_with_all_that_is_in_them)
{
    struct doc_case c = doc_case(HEAD LEVEL(
        "a") "    create schema Base(t long);\n    create schema Kid(k string) inherits Base;\n"
             "    insert into Kid select timestamp as t, body as k from LogRecord;\n"
             "    insert into Pair select a, b.name as n, new {x = 1, y = {1.5}} as st, a.context "
             "as c\n"
             "    from pattern [every a=LogRecord -> b=Span where timer:within(1 sec)];\n" LEVEL(
                 "b") "    insert into P select k, t from Kid;\n    insert into Q select t from "
                      "Base;\n"
                      "    insert into R select a.body, a.attributes('x'), st.x + 1, st.y, c('x'), "
                      "n "
                      "from Pair;\n");
    CHECK_EQ(0, check(&c));
    CHECK_STR("", doc_case_notes(&c));
    CHECK_EQ(6, c.d->n_made);
    CHECK_SLICE("create schema `Kid`(`k` string) inherits `Base`;\n", c.d->made[1].epl);
    CHECK_SLICE("create schema `Pair_st`(`x` int, `y` double[]);\ncreate schema `Pair`(`a` "
                "`LogRecord`, `n` "
                "string, `st` `Pair_st`, `c` Map<string,object>);\n",
                c.d->made[2].epl);
    doc_case_done(&c);
}

TEST(alerts_are_held_against_their_rows)
{
    says(HEAD LEVEL("a") "    @Alert(severity='pge', key='service, nod', summary='{nod} {', "
                         "foo='x', runbook=1)\n"
                         "    @name('a') select service, node from Span;\n"
                         "    @Alert @name('b') create schema X(a int);\n"
                         "    @Alert(severity='page', key='pod', resolve_after='soon') select pod "
                         "from Span;\n",
         "7:21+5 KJ-EPL-0005 there is no severity 'pge'; did you mean 'page'?\n"
         "7:42+3 KJ-EPL-0005 the statement has no column 'nod'; did you mean 'node'?\n"
         "7:56+9 KJ-EPL-0006 a '{' that nothing closes; write '{{' for a brace\n"
         "7:58+3 KJ-EPL-0006 the statement has no column 'nod'; did you mean 'node'?\n"
         "7:71+3 KJ-EPL-0005 @Alert has no 'foo'; did you mean 'key'?\n"
         "7:84+1 KJ-EPL-0005 'runbook' wants a text; put it in quotes\n"
         "9:5+6 KJ-EPL-0005 @Alert needs 'severity'; @Alert(severity='page', ...)\n"
         "9:5+6 KJ-EPL-0005 no rows come out of this statement: nothing would alert; put it on a "
         "select\n"
         "10:5+56 KJ-EPL-0005 an alert of a statement without a name; @name('...'): the name is "
         "part of "
         "the "
         "alert's identity\n"
         "10:34+3 KJ006 key 'pod' changes at every rollout: the alert loses itself; service, or "
         "namespace "
         "and container, stay the same\n"
         "10:54+6 KJ-EPL-0005 'soon' is no time; '500ms', '5s', '1h30m', '7d'\n");
    says(HEAD LEVEL("a") "    @name('x') insert into X select service from Span;\n" LEVEL(
             "b") "    @name('x') @Alert(severity='page') select service from LogRecord;\n",
         "10:16+23 KJ-EPL-0005 another statement of the graph is called 'x', too; the name is part "
         "of the alert's identity\n");
}

TEST(lints)
{
    says(
        HEAD LEVEL(
            "a") "    @name('a') select a.pod as p from pattern [a=LogRecord and b=Span(pod = "
                 "a.pod) where timer:within(1 min)];\n"
                 "    @name('b') select * from pattern [every a=Span -> b=Span(pod = a.pod)];\n"
                 "    @name('c') select * from pattern [every a=Span -> every b=Span where "
                 "timer:within(1 min)];\n"
                 "    @name('d') select * from pattern [every a=Span -[10]> b=Span];\n"
                 "    @name('e') select * from pattern [every (timer:interval(5 sec) and not "
                 "Span)];\n"
                 "    select * from Span;\n    create schema Gone(x int);\n    @name('f') select * "
                 "from Gone;\n"
                 "    @name('g') select * from Span#lastevent as s, Gone#lastevent as h;\n" LEVEL(
                     "b") "    create schema Quiet(x int);\n",
        "7:5+1" NOWHERE
        "7:48+61 KJ007 without 'every' this matches once, and then never again; every (...)\n"
        "7:77+5 KJ002 this can never match: both sides of 'and' begin at once, so 'a' is not known "
        "yet on "
        "the other side, and nothing equals null; every (a=... -> other=...(x = a.x)), and the "
        "other order "
        "behind 'or'\n"
        "8:5+1" NOWHERE
        "8:55+19 KJ001 this waits without bound: what has begun is kept until it comes; put 'where "
        "timer:within(10 min)' behind it\n"
        "9:5+1" NOWHERE "10:5+1" NOWHERE "11:5+1" NOWHERE "12:5+1" NOWHERE "14:5+1" NOWHERE
        "14:30+4 KJ004 nothing here inserts into 'Gone'; it stays empty unless another graph "
        "publishes it\n"
        "15:5+1" NOWHERE "16:3+1 KJ005 nothing comes out of level 'b'\n");
}

/* Of what comes behind `every a ->`: some of it ends by itself. */
TEST(a_wait_that_time_ends_is_bound)
{
    static const struct {
        const char *behind;
        bool bound;
    } rows[] = {
        {"b=Span(pod = a.pod)", false},
        {"timer:interval(5 sec)", true},
        {"(timer:interval(5 sec) and not Span(pod = a.pod))", true},
        {"(Span(pod = a.pod) or timer:interval(5 sec))", true},
        {"(Span(pod = a.pod) and timer:interval(5 sec))", false},
        {"(Span(pod = a.pod) and not timer:interval(5 sec))", false},
        {"(timer:interval(5 sec) -> timer:interval(5 sec))", true},
        {"(timer:interval(5 sec) -> Span(pod = a.pod))", false},
        {"((Span(pod = a.pod) where timer:within(5 sec)) and not Metric)", true},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[800];
        snprintf(
            text, sizeof text,
            HEAD LEVEL("a") "    insert into X select a.pod as p from pattern [every a=Span -> "
                            "%s];\n",
            rows[i].behind);
        struct doc_case c = doc_case(text);
        CHECK_EQ(0, check(&c));
        CHECK_EQ(rows[i].bound, strstr(doc_case_notes(&c), "KJ001") == NULL);
        doc_case_done(&c);
    }
}

TEST(rows_that_a_test_looks_at_go_somewhere)
{
    says(HEAD LEVEL("a") "    @name('a') select service as s from Span;\n"
                         "    @name('b') select service as s from Span;\n"
                         "tests:\n- {name: t, given: [{type: Span}], expect: [{statement: b}]}\n",
         "7:5+1" NOWHERE);
}

TEST(tests_and_objectives_are_held_against_the_levels)
{
    says(HEAD LEVEL(
             "a") "    @name('a') select service as s, count(*) as n from Span group by service;\n"
                  "tests:\n- name: t\n  given:\n  - {type: Spn}\n  - {type: Span, event: {nam: x, "
                  "attributes: {a: 1}}}\n"
                  "  expect:\n  - {statement: b}\n  - {statement: a, row: {s: x, m: 1}}\n"
                  "slos:\n- name: o\n  objective: 99\n  total: Span(kin = 'server')\n  bad: "
                  "duration_ms > 500\n"
                  "- name: p\n  objective: 99\n  total: Span\n  good: |\n    duration_ms < 500\n   "
                  " and nam = 'x'\n"
                  "- name: q\n  objective: 99\n  total: Span\n  good: duration_ms < 500\n  by: "
                  "[service, nod]\n",
         "11:12+3 KJ-DOC-0009 no level knows an event type 'Spn'\n"
         "12:26+3 KJ-DOC-0009 the type has no column 'nam'; did you mean 'name'?\n"
         "14:17+1 KJ-DOC-0009 no statement has the name 'b'; did you mean 'a'?\n"
         "15:32+1 KJ-DOC-0009 the statement has no column 'm'; did you mean 's'?\n"
         "19:15+3 KJ-EPL-0002 there is no property 'kin'; did you mean 'kind'?\n"
         "26:9+3 KJ-EPL-0002 there is no property 'nam'; did you mean 'name'?\n"
         "31:17+3 KJ-DOC-0009 'total' has no property 'nod'; did you mean 'node'?\n");
}

TEST(what_means_the_same_has_one_form)
{
    struct doc_case a = doc_case("name: g\nkind: RuleGraph\napiVersion: kaiju/v1\nlevels:\n- name: "
                                 "a # comment\n  epl: |-\n    select 1\n"
                                 "  bound: 60s\ntests:\n- {name: t, given: [{type: A, event: {b: "
                                 "1, a: [x]}}], expect: [{statement: s}]}\n");
    struct doc_case b =
        doc_case("{\"apiVersion\": \"kaiju/v1\", \"kind\": \"RuleGraph\", \"name\": \"g\", "
                 "\"tenant\": \"default\", \"levels\":"
                 "[{\"epl\": \"select 1\", \"name\": \"a\", \"bound\": \"PT1M\", \"late\": "
                 "\"admit\"}], \"tests\":"
                 "[{\"name\": \"t\", \"given\": [{\"type\": \"A\", \"event\": {\"a\": [\"x\"], "
                 "\"b\": 1}}], \"expect\": [{\"statement\": \"s\"}]}]}");
    struct doc_case d = doc_case(
        "name: g\nkind: RuleGraph\napiVersion: kaiju/v1\nlevels:\n- name: a\n  epl: select 2\n");
    struct buf x, y;
    buf_init(&x, 1 << 20);
    buf_init(&y, 1 << 20);
    doc_canonical(a.d, &x);
    doc_canonical(b.d, &y);
    CHECK_STR(buf_cstr(&x), buf_cstr(&y));
    CHECK(doc_hash(a.d) == doc_hash(b.d));
    CHECK(doc_hash(a.d) != doc_hash(d.d));
    buf_done(&x);
    buf_done(&y);
    doc_case_done(&a);
    doc_case_done(&b);
    doc_case_done(&d);
}

TEST(a_prelude_declares_what_a_level_sees)
{
    struct doc_case c =
        doc_case(HEAD LEVEL("a") "    insert into B select body from LogRecord;\n" LEVEL(
            "b") "    @name('x') select body from B;\n");
    CHECK_EQ(0, check(&c));
    for (uint32_t i = 0; i < 2; i++) {
        struct eng *e = eng_new(&(struct eng_conf){.on_rows = NULL});
        struct buf b;
        struct err err;
        buf_init(&b, 1 << 20);
        doc_prelude(c.d, i, &b);
        CHECK_OK(eng_deploy(e, SLICE("prelude"), buf_slice(&b), &err), err);
        CHECK_OK(eng_deploy(e, SLICE("level"), c.d->g.levels[i].epl, &err), err);
        buf_done(&b);
        eng_free(e);
    }
    doc_case_done(&c);
}

TEST(who_inserts_what)
{
    struct doc_case c = doc_case(
        HEAD "- name: a\n  types: original\n  epl: |\n    create schema Base(t long);\n   "
             " create schema Kid() inherits Base;\n"
             "    insert into Event select timestamp as timestamp from FLog;\n"
             "- name: b\n  types: original\n  epl: |\n    insert into Event select 1L as "
             "timestamp from Span;\n"
             "    insert into Kid select 1L as t from Span;\n"
             "- name: c\n  types: original\n  epl: |\n    @Alert(severity='info') @name('x') "
             "select timestamp from Event;\n    @Alert(severity='info') @name('y') select t from "
             "Base;\n");
    CHECK_EQ(0, check(&c));
    CHECK_STR("", doc_case_notes(&c));
    CHECK_EQ(3, c.d->n_made);
    CHECK_SLICE("Kid", c.d->made[1].name);
    CHECK_EQ(0, c.d->made[1].level);
    CHECK_EQ(2, c.d->made[1].inserted_by);
    CHECK_EQ(1, c.d->made[1].n_supers);
    CHECK_SLICE("Base", c.d->made[1].supers[0]);
    CHECK_SLICE("Event", c.d->made[2].name);
    CHECK_EQ(3, c.d->made[2].inserted_by);
    CHECK_SLICE("Event", c.d->g.levels[1].stmts[0].inserts[0]);
    doc_case_done(&c);
}

TEST(errors_come_before_warnings_when_there_are_many)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    (void)buf_add_str(&b, HEAD LEVEL("a"));
    for (int i = 0; i < 300; i++) {
        (void)buf_add_str(&b, "    select * from Span;\n");
    }
    (void)buf_add_str(&b, "    @name('x') select wrong from Span;\n");
    struct doc_case c = doc_case(buf_cstr(&b));
    CHECK(check(&c) != 0);
    CHECK_EQ(1, c.notes.errors);
    CHECK_EQ(300, c.notes.warnings);
    CHECK_EQ(DOC_NOTES_MAX, c.notes.list.len);
    CHECK_HAS("307:23+5 KJ-EPL-0002 there is no property 'wrong'", doc_case_notes(&c));
    buf_done(&b);
    doc_case_done(&c);
}

TEST(names_are_found_however_many_there_are)
{
    struct doc_names names = {.ptr = NULL};
    struct arena *a = arena_new(NULL, "names", 1 << 20);
    enum { MANY = 1000 };
    for (uint32_t i = 0; i < 2 * MANY; i++) {
        struct slice name = slice_str(arena_printf(a, "name%u", i % MANY));
        CHECK_EQ(i >= MANY, doc_names_has(&names, name));
        doc_names_add(&names, name);
    }
    CHECK_EQ(MANY, names.len);
    CHECK_SLICE("name31", names.ptr[31]);
    CHECK_SLICE("name999", names.ptr[999]);
    CHECK(!doc_names_has(&names, SLICE("name1000")) && !doc_names_has(&names, SLICE("")));
    doc_names_done(&names);
    arena_free(a);
}
