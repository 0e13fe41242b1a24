/* SPDX-License-Identifier: Apache-2.0
 *
 * Which events concern the rules of a group at all, before any of its tasks has met one: said once
 * per layout, for all tasks and threads, and never changed.
 */
#include "operators/graph/eng_wants.h"
#include "operators/shard/layout_impl.h"

const struct task_wants *layout_wants(struct layout_making *m, struct eng *e)
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

const struct task_wants *layout_wants_of(struct layout_making *m, uint32_t level, struct slice epl)
{
    struct err err;
    struct eng *e = eng_new(&(struct eng_conf){.on_rows = NULL});
    bool fine = layout_prelude(m->doc, level, e, &err) == 0 &&
                eng_deploy(e, SLICE("source"), epl, &err) == 0;
    const struct task_wants *to = fine ? layout_wants(m, e) : NULL;
    eng_free(e);
    return to;
}
