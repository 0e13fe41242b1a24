/* SPDX-License-Identifier: Apache-2.0
 *
 * Deploying many rules is long: who has other things to do is asked after each (sig/breath.h), and
 * may tell the engine that nobody waits for them any more.
 */
#include "operators/graph/eng.h"
#include "operators/sig/breath.h"
#include "tests/test.h"

#include "core/base/buf.h"

enum { RULES = 1000 };

struct asked {
    struct vheap_breath *breath;
    uint32_t n, enough; /* enough: it ends then; 0: never */
};

static void on_breath(void *arg)
{
    struct asked *a = arg;
    a->breath->over |= ++a->n == a->enough;
}

static int deploy(struct eng *e, struct asked *a, struct err *err)
{
    struct buf text;
    buf_init(&text, 1 << 20);
    (void)buf_add_str(&text, "create schema M(name string, value double);\n");
    for (uint32_t i = 1; i < RULES; i++) {
        (void)buf_addf(&text, "@name('r%u') select value from M(name = 'm%u');\n", i, i);
    }
    a->breath = eng_breath(e);
    a->breath->take = on_breath;
    a->breath->arg = a;
    int rc = eng_deploy(e, SLICE("rules"), buf_slice(&text), err);
    buf_done(&text);
    return rc;
}

TEST(each_rule_that_is_deployed_is_followed_by_a_breath)
{
    struct eng *e = eng_new(&(struct eng_conf){.on_rows = NULL});
    struct asked a = {.n = 0};
    struct err err;
    CHECK_OK(deploy(e, &a, &err), err);
    CHECK(a.n >= 3 * RULES); /* as it is parsed, bound, and begins */
    CHECK_EQ(RULES, eng_statements(e, NULL, 0));
    eng_free(e);
}

TEST(rules_nobody_waits_for_any_more_are_not_deployed)
{
    struct eng *e = eng_new(&(struct eng_conf){.on_rows = NULL});
    struct asked a = {.enough = RULES + RULES / 2};
    struct err err;
    CHECK_EQ(-ERR_CLOSED, deploy(e, &a, &err));
    CHECK(a.n < a.enough + RULES / 2);
    CHECK_EQ(0, eng_statements(e, NULL, 0));
    eng_free(e);
}
