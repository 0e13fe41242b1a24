/* SPDX-License-Identifier: Apache-2.0
 *
 * Which columns rules may look at (eng_reads.h).
 */
#include "operators/graph/eng.h"
#include "operators/graph/eng_reads.h"

#include "tests/test.h"

#define TYPES                                                                                      \
    "create schema Base(host string, zone string);"                                                \
    "create schema M(name string, value double, unit string) inherits Base;"                       \
    "create schema N(name string, n long);"                                                        \
    "create schema F(`max` double, `count` long, tags java.util.Map);"                             \
    "create schema K(name string, `context` java.util.Map);"

/* The columns of a type that are left out, one letter each. */
static void left_out_of(const char *type, const char *rules, const char *want)
{
    struct eng *e = eng_new(&(struct eng_conf){.on_rows = NULL});
    struct eng_reads *r = eng_reads_new();
    struct err err;
    char got[16] = "";
    bool looks[16];
    CHECK_OK(eng_deploy(e, SLICE("types"), SLICE(TYPES), &err), err);
    CHECK_OK(eng_deploy(e, SLICE("rules"), slice_str(rules), &err), err);
    eng_reads_add(r, SLICE(TYPES));
    eng_reads_add(r, slice_str(rules));
    const struct etype *m = eng_type(e, slice_str(type));
    eng_reads_columns(r, m, looks);
    for (uint32_t i = 0, n = 0; i < m->n_cols; i++) {
        if (!looks[i]) {
            got[n++] = m->cols[i].name.ptr[0];
        }
    }
    CHECK_STR(want, got);
    eng_reads_free(r);
    eng_free(e);
}

/* Of M: n v u h z. */
static void left_out(const char *rules, const char *want)
{
    left_out_of("M", rules, want);
}

TEST(a_function_does_not_read_the_column_of_its_name)
{
    left_out_of("F", "select count(*) as n, max(1) as m from F;", "mct");
    left_out_of("F", "select count(*) as n, max(`max`) as m from F;", "ct");
    left_out_of("F", "select max(1), `count` as n from F;", "mt");
    left_out_of("F", "select tags('x') as n from F;", "mc");
}

TEST(who_names_a_context_does_not_read_the_column_of_that_name)
{
    left_out_of("K", "create context C start @now end after 9 sec; context C select name from K;",
                "c");
    left_out_of("K",
                "create context C start @now end after 9 sec; "
                "context C select `context` from K;",
                "n");
    left_out_of("K", "select name, `context`('x') as x from K;", "");
}

TEST(only_columns_that_are_named_are_read)
{
    left_out("select name from M(value > 3);", "hzu");
    left_out("select count(*) as c, host from M#length(3) group by host;", "znvu");
    left_out("select m.name as a from M#lastevent as m, N#lastevent as n where m.name = n.name;",
             "hzvu");
    left_out("select a.value as x from pattern [every a=M(name = 'x') -> b=N(name = a.unit)];",
             "hz");
    left_out("select * from N;", "hznvu");
    left_out("create window W#keepall as N; on M(value > 1) as m select w.n as x from W as w;",
             "hznu");
}

TEST(who_looks_at_events_as_a_whole_reads_all_of_them)
{
    left_out("select * from M;", "");
    left_out("select m from M as m;", "");
    left_out("select a from pattern [every a=M];", "");
    left_out("insert into Copy select * from M(name = 'x');", "");
    left_out("select window(*) as w from M#length(2);", "");
    left_out("create window W#keepall as M; insert into W select * from M; select host from W;",
             "");
    left_out("select b.* as w from pattern [every a=N -> b=M];", "");
    left_out("select zone from Base;", "hnvu");
    left_out("select * from Base;", "");
}
