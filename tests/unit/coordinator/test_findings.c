/* SPDX-License-Identifier: Apache-2.0
 *
 * coordinator/cli/cli_findings.h: a healthy cluster gives no finding; each row of its tables is met
 * by one case, which gives that finding, its words and nothing else.
 */
#include "coordinator/cli/cli_findings.h"
#include "tests/test.h"

#include <string.h>

static const char healthy[] =
    "{'key':'default/g/logs/0','state':'live','why':'','taken':1000,'lag_records':0,'lag_ns':0,"
    "'waits_for':'','waits_ns':0,'aborts':3,'commit_p50_ns':8000000,'commit_p99_ns':20000000,"
    "'commit_partitions':9,'restarts':0,'refused':0,'poison':0,'dropped':0,'late':0,"
    "'rules':[{'name':'r','ns_per_event':900,'events':128}]}";
static const char well[] = "{'writable':true,'graphs':1,'workers':1,'phases':{'running':1},"
                           "'retention_ns':1000000000000,"
                           "'storage':{'used_bytes':1,'quota_bytes':1000,'pins':[]}}";

static json_t *read_json(const char *quoted)
{
    char text[2000];
    snprintf(text, sizeof text, "%s", quoted);
    for (char *p = text; *p != '\0'; p++) {
        *p = *p == '\'' ? '"' : *p;
    }
    json_t *j = json_loads(text, 0, NULL);
    CHECK(j != NULL);
    return j;
}

/* What is there with what is said over it; "": nothing is. */
static json_t *with(const char *base, const char *over)
{
    json_t *j = read_json(base);
    if (over[0] != '\0') {
        json_t *o = read_json(over);
        CHECK_EQ(0, json_object_update(j, o));
        json_decref(o);
    }
    return j;
}

static json_t *find(const char *status, const char *before, const char *now, bool ready)
{
    json_t *b = json_pack("[o]", with(healthy, before)), *n = json_pack("[o]", with(healthy, now));
    json_t *s = with(well, status);
    json_t *was = read_json(well);
    const struct cli_seen seen = {was, s, b, n, ready, SLICE("topics: 'logs' has 4 partitions\n")};
    json_t *list = cli_findings(&seen);
    json_decref(b);
    json_decref(n);
    json_decref(was);
    json_decref(s);
    return list;
}

static const char behind[] = "{'lag_ns':9000000000,'lag_records':70,'taken':1000}";

static const struct {
    const char *code, *severity, *status, *before, *now, *words;
} cases[] = {
    {"not_ready", "problem", "", "", "", "'logs' has 4 partitions"},
    {"not_writable", "problem", "{'writable':false,'why':'no leader'}", "", "", "no leader"},
    {"no_workers", "problem", "{'workers':0}", "", "", "1 rule graphs, and no worker"},
    {"name_taken", "problem", "{'refused_workers':['w']}", "", "",
     "workers run nothing, for others have their name: 'w'"},
    {"no_tasks", "warning", "{'phases':{'pending':2}}", "", "", "of 2 rule graphs"},
    {"bus_full", "problem", "{'storage':{'used_bytes':99614720,'quota_bytes':104857600}}", "", "",
     "95 of 100 MiB"},
    {"bus_refuses", "problem",
     "{'storage':{'used_bytes':1,'quota_bytes':1000,'fulls':7,'disk_free_bytes':2097152}}", "", "",
     "7 transactions were refused just now, 7 in all; its disk has 2 MiB free"},
    {"bus_pins", "warning", "{'storage':{'pins':[{'pid':77,'held_ns':9000000000}]}}", "", "",
     "process 77 has been reading at one point for 9 s"},
    {"not_swept", "warning",
     "{'sweep':{'state':'waits','waits_ns':900000000000,'why':'graph a/b cannot be laid out'}}", "",
     "", "for 15 min now: graph a/b cannot be laid out"},
    {"task_lost", "problem", "", "", "{'state':'lost','why':'gone by retention'}",
     "gone by retention"},
    {"task_failed", "problem", "", "", "{'why':'x is no column'}", "x is no column"},
    {"near_retention", "problem", "{'retention_ns':10000000000}", behind,
     "{'lag_ns':9000000000,'taken':2000}", "behind by 9 s, and its input is kept for 10 s"},
    {"task_stands", "problem", "", "",
     "{'waits_for':'x.a.b/3','waits_ns':20000000000,'waiting_bytes':8388608,"
     "'waiting_most':20971520,'reads_past':true}",
     "x.a.b/3 holds its clock, for 20 s now; 8.0 of at most 20.0 MiB of other inputs wait in its "
     "memory, and it reads on past more"},
    {"task_stuck", "problem", "", behind, behind, "takes nothing, though 70 records wait"},
    {"spans_time", "warning", "", behind,
     "{'lag_ns':9000000000,'lag_records':90,'taken':1000,'clock':0,'span_fired':700,"
     "'span_to':9000000000000}",
     "700 so far, and its clock is 2.5 hours before"},
    {"lag_grows", "problem", "", behind, "{'lag_ns':12000000000,'lag_records':90,'taken':1100}",
     "its dearest rule is 'r' with 900 ns"},
    {"aborts", "warning", "", "", "{'aborts':5}", "2 commits aborted just now, 5 in all"},
    {"slow_commits", "warning", "", "", "{'commit_p99_ns':2500000000}", "takes 2.50 s"},
    {"many_partitions", "warning", "", "", "{'commit_partitions':65}", "up to 65 partitions"},
    {"restarts", "warning", "", "", "{'restarts':2}", "2 times"},
    {"refused", "warning", "", "", "{'poison':4,'dropped':1}",
     "4 inputs could not be processed, 1 late inputs"},
    {"degraded", "warning", "", "", "{'degraded':'rows: no more than 5, then drop-newest'}",
     "does less than its rules say: rows: no more than 5"},
    {"incomplete", "warning", "", "",
     "{'incomplete':[{'statement':'hl/a'},{'statement':'hl/#2','turns_over_ms':9}],"
     "'incomplete_statements':5}",
     "hl/a, hl/#2, and 3 more"},
    {"late", "warning", "", "", "{'late':5000,'taken':9000}", "5000 of 9000 inputs"},
};

TEST(nothing_is_found_where_nothing_is_wrong)
{
    json_t *list = find("", "", "", true);
    CHECK_EQ(0, json_array_size(list));
    json_decref(list);
    list = find("", behind, "{'lag_ns':8000000000,'lag_records':60,'taken':1100}", true);
    CHECK_EQ(0, json_array_size(list)); /* it catches up */
    json_decref(list);
    list = find("", "", "{'degraded':'what rules held was lost; input was lost'}", true);
    CHECK_EQ(0, json_array_size(list)); /* no statement lacks it any more */
    json_decref(list);
    list = find("", "", "{'degraded':'its journal was lost; input was lost'}", true);
    CHECK_EQ(1, json_array_size(list));
    json_decref(list);
}

TEST(retention_may_come_near_to_what_a_snapshot_needs)
{
    json_t *list =
        find("", "", "{'floor_near':true,'floor_of':'logs/3','floor':70,'floor_low':60}", true);
    const json_t *f = json_array_get(list, 0);
    CHECK_EQ(1, json_array_size(list));
    CHECK_STR("near_retention", json_string_value(json_object_get(f, "code")));
    CHECK_HAS(
        "needs logs/3 from offset 70 on if it has to begin again, and retention has removed it "
        "up to 60",
        json_string_value(json_object_get(f, "what")));
    json_decref(list);
}

TEST(the_embedded_bus_writes_to_many_partitions_for_nothing)
{
    json_t *list = find("{'bus':'local'}", "", "{'commit_partitions':500}", true);
    CHECK_EQ(0, json_array_size(list));
    json_decref(list);
}

TEST(each_finding_has_a_case)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        bool ready = strcmp(cases[i].code, "not_ready") != 0;
        json_t *list = find(cases[i].status, cases[i].before, cases[i].now, ready);
        const json_t *f = json_array_get(list, 0);
        CHECK_EQ(1, json_array_size(list));
        CHECK_STR(cases[i].code, json_string_value(json_object_get(f, "code")));
        CHECK_STR(cases[i].severity, json_string_value(json_object_get(f, "severity")));
        CHECK_HAS(cases[i].words, json_string_value(json_object_get(f, "what")));
        CHECK(json_string_length(json_object_get(f, "do")) > 10);
        CHECK_EQ(1, cli_findings_count(list, cases[i].severity));
        json_decref(list);
    }
    size_t n = 0;
    for (; cli_findings_code(n) != NULL; n++) {
        bool has = false;
        for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
            has |= strcmp(cases[i].code, cli_findings_code(n)) == 0;
        }
        CHECK(has);
    }
    CHECK_EQ(ARRAY_LEN(cases), n);
}
