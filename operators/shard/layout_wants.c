/* SPDX-License-Identifier: Apache-2.0
 *
 * Which events concern the rules of a group at all, before any of its tasks has met one: said once
 * per layout, for all tasks and threads, and never changed.
 */
#include "operators/graph/eng_wants.h"
#include "operators/shard/layout_impl.h"

static const struct task_wants *wants_of(struct layout_making *m, struct eng *e)
{
    struct eng_wants w = {0};
    struct task_wants *to = NULL;
    if (eng_wants(e, &w)) {
        struct route_want *v = arena_array(m->a, w.v.len + 1, sizeof *v);
        for (size_t i = 0; i < w.v.len; i++) {
            v[i] = route_want_copy(m->a, &w.v.ptr[i]);
        }
        to = ARENA_NEW(m->a, struct task_wants);
        *to = (struct task_wants){.v = v, .n = w.v.len, .version = eng_wants_version(e)};
        to->may_sleep = eng_due(e) == INT64_MAX && eng_numbered(e) == 0;
    }
    VEC_DONE(&w.v);
    return to;
}

const struct task_wants *layout_wants(struct layout_making *m, const struct task_plan *p)
{
    struct err err;
    struct eng *e = eng_new(&(struct eng_conf){.limits = p->limits});
    int rc = 0;
    for (uint32_t i = 0; i < p->n_modules && rc == 0; i++) {
        rc = eng_deploy(e, p->modules[i].id, p->modules[i].text, &err);
    }
    const struct task_wants *to = rc == 0 ? wants_of(m, e) : NULL;
    eng_free(e);
    return to;
}
