/* SPDX-License-Identifier: Apache-2.0 */
#include "operators/doc/doc_impl.h"
#include "tests/unit/operators/doc/doc_case.h"

#define HEAD "apiVersion: kaiju/v1\nkind: RuleGraph\nname: g\n"

static void says(const char *text, const char *want)
{
    struct doc_case c = doc_case(text);
    CHECK_STR(want, doc_case_notes(&c));
    doc_case_done(&c);
}

TEST(a_whole_document)
{
    struct doc_case c = doc_case(
        HEAD
        "tenant: shop\ntags: [a, 7]\nlimits: {rows: 10, partials: '5:stop_statement'}\n"
        "idle_after: PT1M\nlevels:\n- name: logs\n  epl: select 1\n"
        "- {name: hl, epl: x, parallelism: 4, partitions: 8, scale: own, types: original,\n"
        "   bound: 1m, align: 0s, late: dlq, dedupe: 1h30m}\n"
        "sinks:\n- {name: s, type: webhook, url: 'http://x', severities: [page], match: {a: b}}\n"
        "tests:\n- name: t\n  given: [{type: A, event: {x: [1]}}]\n"
        "  expect: [{statement: s, at: 5s, count: 2, row: {x: 1}}]\n"
        "slos:\n- {name: o, objective: 99.9, total: A, bad: x, by: [k],\n"
        "   burn: [{rate: 14.4, over: 1h, and_over: 5m, severity: page}]}\n");
    CHECK_STR("11:35+1 KJ008 'parallelism' is checked, and does nothing yet\n"
              "12:45+5 KJ008 'dedupe' is checked, and does nothing yet\n",
              doc_case_notes(&c));
    const struct doc_graph *g = &c.d->g;
    CHECK_SLICE("shop", g->tenant);
    CHECK_SLICE("7", g->tags[1]);
    CHECK_EQ(10, g->limits.max[LIM_ROWS]);
    CHECK_EQ(LIM_STOP, g->limits.policy[LIM_PARTIALS]);
    CHECK_EQ(60000000000, g->idle_after);
    CHECK_EQ(24 * 3600000000000, g->archive_every);
    CHECK_EQ(2, g->n_levels);
    const struct doc_level *l = &g->levels[0], *m = &g->levels[1];
    CHECK_EQ(0, l->parallelism);
    CHECK_EQ(0, l->partitions);
    CHECK_EQ(-1, l->bound);
    CHECK_EQ(DOC_TYPES_KAIJU, l->types);
    CHECK_EQ(4, m->parallelism);
    CHECK_EQ(8, m->partitions);
    CHECK_EQ(DOC_SCALE_OWN, m->scale);
    CHECK_EQ(DOC_TYPES_ORIGINAL, m->types);
    CHECK_EQ(DOC_LATE_DLQ, m->late);
    CHECK_EQ(0, m->align);
    CHECK_EQ(5400000000000, m->dedupe);
    CHECK_SLICE("b", g->sinks[0].match[0].value);
    CHECK_EQ(10000000000, g->sinks[0].timeout);
    CHECK(g->sinks[0].send_resolved);
    CHECK_EQ(5000000000, g->tests[0].expect[0].at);
    CHECK_EQ(-1, g->tests[0].given[0].node == NULL ? 0 : -1);
    CHECK_EQ(1, g->tests[0].given[0].repeat);
    CHECK_EQ(30 * 24 * 3600000000000, g->slos[0].period);
    CHECK(g->slos[0].burn[0].rate == 14.4);
    doc_case_done(&c);
}

TEST(everything_is_said_at_once)
{
    says(
        "kind: Rulegraph\nname: G\nlevel: []\nlevels:\n- nam: x\n  epl: [1]\n  late: drp\n"
        "  partitions: 6\n  bound: 5\n  dedupe: soon\n  parallelism: many\n- 7\n",
        "1:1+4 KJ-DOC-0005 'apiVersion' is missing; add apiVersion: kaiju/v1\n"
        "1:7+9 KJ-DOC-0007 'kind' has another value; write kind: RuleGraph\n"
        "2:7+1 KJ-DOC-0007 'name' is no name; 1 to 63 of a-z, 0-9 and '-', which is not at an end\n"
        "3:1+5 KJ-DOC-0004 the graph has no field 'level'; did you mean 'levels'?\n"
        "5:3+3 KJ-DOC-0004 a level has no field 'nam'; did you mean 'name'?\n"
        "5:3+3 KJ-DOC-0005 'name' is missing\n"
        "6:8+3 KJ-DOC-0006 'epl' wants a text, found a list\n"
        "7:9+3 KJ-DOC-0007 'late' is one of admit|drop|dlq, not 'drp'; did you mean 'drop'?\n"
        "8:15+1 KJ-DOC-0007 'partitions' is a power of two; 4 or 8\n"
        "9:10+1 KJ-DOC-0007 'bound' wants a time with its unit; did you mean '5s'?\n"
        "10:11+4 KJ-DOC-0007 'dedupe' is no time; 500ms, 5s, 1h30m, 7d, or PT5M\n"
        "11:16+4 KJ-DOC-0007 'parallelism' wants a whole number, or auto\n"
        "12:3+1 KJ-DOC-0006 a level wants fields, found a whole number\n");
}

TEST(what_has_no_effect_yet_is_said)
{
    says("apiVersion: kaiju/v1\nkind: RuleGraph\nname: g\nrollback_window: 2h\nlevels:\n"
         "- {name: a, epl: x, parallelism: 4, dedupe: 1m}\n"
         "- {name: b, epl: x, parallelism: auto, dedupe: 0s}\n",
         "4:18+2 KJ008 'rollback_window' is checked, and does nothing yet\n"
         "6:34+1 KJ008 'parallelism' is checked, and does nothing yet\n"
         "6:45+2 KJ008 'dedupe' is checked, and does nothing yet\n");
}

TEST(names_differ)
{
    says(HEAD "levels: [{name: a, epl: x}, {name: a, epl: y}]\n",
         "4:36+1 KJ-DOC-0008 there is a level 'a' already; it is in line 4\n");
}

TEST(what_no_field_says_alone)
{
    says(
        HEAD "levels: [{name: a, epl: x}]\nsinks:\n- {name: s, type: webhook}\n"
             "- {name: t, type: log, severities: [pag]}\nslos:\n"
             "- {name: o, objective: 90, total: A, period: 2h,\n"
             "   burn: [{rate: 20, over: 3h, and_over: 4h, severity: loud}]}\n",
        "6:19+7 KJ-DOC-0005 a sink of type 'webhook' needs a url\n"
        "7:37+3 KJ-DOC-0007 there is no severity 'pag'; did you mean 'page'?\n"
        "9:10+1 KJ-DOC-0005 an objective needs 'good' or 'bad'\n"
        "10:18+2 KJ002 20 times the allowed share of bad events is more than all of them; at most "
        "10 for an objective of 90\n"
        "10:28+2 KJ-DOC-0007 'over' is no longer than the period of the objective\n"
        "10:42+2 KJ-DOC-0007 'and_over' is shorter than 'over'\n"
        "10:56+4 KJ-DOC-0007 there is no severity 'loud'; critical, page, ticket, warning, info\n");
}

TEST(limits_have_their_places)
{
    says(HEAD "levels: [{name: a, epl: x, limits: {rows: no, room: 1, partials: '1, rows=2'}}]\n",
         "4:37+8 KJ-DOC-0007 rows: 'no' is no number from 1\n"
         "4:47+7 KJ-DOC-0007 there is no limit 'room'; there is rows, bytes, groups, "
         "partials, output, cascade, joined, state\n"
         "4:56+21 KJ-DOC-0007 one limit each\n");
}

TEST(notes_as_text_and_json)
{
    struct doc_case c = doc_case("apiVersion: kaiju/v1\nkind: RuleGraph\nname: g\nlevls: []\n");
    struct buf b;
    buf_init(&b, 1 << 16);
    doc_notes_text(&c.notes, SLICE("g.yaml"), c.text, &b);
    CHECK_HAS(
        "g.yaml:4:1: error KJ-DOC-0004: the graph has no field 'levls'\n    levls: []\n    ^^^^^\n"
        "    hint: did you mean 'levels'?\n",
        buf_cstr(&b));
    buf_clear(&b);
    doc_notes_json(&c.notes, SLICE("g.yaml"), &b);
    CHECK_HAS("\"errors\": 2, \"warnings\": 0", buf_cstr(&b));
    CHECK_HAS("\"pointer\": \"/levls\", \"line\": 4, \"column\": 1, \"length\": 5}", buf_cstr(&b));
    buf_done(&b);
    doc_case_done(&c);
}

TEST(so_many_notes_and_no_more)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    for (int i = 0; i < 500; i++) {
        (void)buf_addf(&b, "x%d: 1\n", i);
    }
    struct doc_case c = doc_case(buf_cstr(&b));
    CHECK_EQ(504, c.notes.errors);
    CHECK_EQ(DOC_NOTES_MAX, c.notes.list.len);
    buf_clear(&b);
    doc_notes_text(&c.notes, SLICE("f"), c.text, &b);
    CHECK_HAS("f: and 304 more\n", buf_cstr(&b));
    buf_done(&b);
    doc_case_done(&c);
}

TEST(texts_that_look_like_something_else)
{
    struct doc_case c = doc_case(HEAD "owner: 2026\nrunbook: true\nlevels: [{name: a, epl: x}]\n");
    CHECK_STR("", doc_case_notes(&c));
    CHECK_SLICE("2026", c.d->g.owner);
    CHECK_SLICE("true", c.d->g.runbook);
    doc_case_done(&c);
    c = doc_case(
        "{\"apiVersion\": \"kaiju/v1\", \"kind\": \"RuleGraph\", \"name\": \"g\", \"owner\": true,"
        "\"levels\": [{\"name\": \"a\", \"epl\": 5}]}");
    CHECK_STR("1:108+1 KJ-DOC-0006 'epl' wants a text, found a whole number\n", doc_case_notes(&c));
    CHECK_SLICE("true", c.d->g.owner);
    doc_case_done(&c);
}

static void duration(const char *text, int64_t want)
{
    int64_t ns = -1;
    bool ok = doc_duration(slice_str(text), &ns);
    if (ok != (want >= 0) || (ok && ns != want)) {
        test_fail(__FILE__, __LINE__, "%s: %d %lld", text, ok, (long long)ns);
    }
}

TEST(durations)
{
    struct buf b;
    duration("5s", 5000000000);
    duration("1h30m", 5400000000000);
    duration("1.5s", 1500000000);
    duration("7d", 604800000000000);
    duration("1w", 604800000000000);
    duration("10us", 10000);
    duration("PT5M", 300000000000);
    duration("P1DT1S", 86401000000000);
    duration("P2W", 1209600000000000);
    duration("0s", 0);
    static const char *const bad[] = {"",    "5",     "s",   "5 s", "-5s",  "5x",
                                      "P",   "PT",    "PT5", "P5S", "1e9d", "99999999999999999d",
                                      "5sm", "PT1H1D"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        duration(bad[i], -1);
    }
    buf_init(&b, 100);
    doc_duration_print(90061001000000, &b);
    CHECK_STR("1d1h1m1s1ms", buf_cstr(&b));
    buf_done(&b);
}
