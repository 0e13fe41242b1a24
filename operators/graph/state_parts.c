/* SPDX-License-Identifier: Apache-2.0
 *
 * What is saved by partition: the parts of a context, and what each statement of it holds in each
 * of its partitions. Each partition is written by itself, at once or in slices, those first that
 * are about to change or to end (inst_touch). See state.h and sig/save_late.h.
 */
#include "operators/graph/state_parts.h"

#include "core/base/mem.h"
#include "operators/graph/ctx_impl.h"
#include "operators/graph/state.h"
#include "operators/sig/save_late.h"

#include <assert.h>

/* Units of the statement `create context` are the parts of its first level, with all below. */
static bool is_context(const struct stmt *st)
{
    return st->ops == &ctx_ops;
}

static struct ctx_part *first_of(const struct stmt *st)
{
    if (!is_context(st)) {
        return ((const struct ctx_plan *)st->context->what)->first;
    }
    const struct ctx_part *root = (const struct ctx_part *)(const void *)st->insts.ptr[0];
    return root->inner != NULL ? root->inner->first : NULL;
}

static struct ctx_part *next_of(const struct stmt *st, const struct ctx_part *p)
{
    return is_context(st) ? p->next : p->all_next;
}

static struct inst *unit_of(const struct stmt *st, struct ctx_part *p)
{
    return is_context(st) ? &p->in : ctx_part_inst(p, st);
}

static struct ctx_part *part_of(struct inst *in)
{
    if (!is_context(in->st)) {
        return in->part;
    }
    struct ctx_part *p = (struct ctx_part *)(void *)in;
    while (p->ctl != NULL && p->ctl->owner->ctl != NULL) {
        p = p->ctl->owner;
    }
    return p->ctl != NULL ? p : NULL;
}

static void save_unit(const struct stmt *st, struct ctx_part *p, struct inst *in, struct save *s)
{
    save_group(s, ctx_part_group(p));
    save_item(s, is_context(st) ? p->nr : (uint64_t)ctx_part_number(p));
    save_space(s);
    if (is_context(st)) {
        ctx_save_part(p, s);
    } else {
        save_i(s, ctx_part_number(p));
        save_u(s, in->at);
        state_save_inst(in, s);
    }
    save_space_end(s);
}

/* ---- in slices ---- */

static void late_done(struct stmt *st)
{
    st->late = NULL;
    st->eng->lates--;
}

static size_t write_unit(struct stmt *st, struct ctx_part *p, struct inst *in)
{
    struct save *s = save_late_to(st->late);
    in->cut = st->cut;
    save_unit(st, p, in, s);
    if (--st->late_left == 0) {
        save_late_end(st->late);
        late_done(st);
    }
    return save_item_bytes(s);
}

void state_save_first(struct inst *in)
{
    struct stmt *st = in->st;
    struct ctx_part *p = st->late != NULL ? part_of(in) : NULL;
    if (p == NULL) {
        return; /* it is the root of a context, which is written already */
    }
    in = is_context(st) ? &p->in : in;
    if (in->cut != st->cut) {
        (void)write_unit(st, p, in);
    }
    st->late_at = st->late_at == p ? next_of(st, p) : st->late_at; /* it may go */
}

static bool late_step(void *arg, size_t bytes)
{
    enum { LOOK = 32 }; /* what it costs to find that it is written already */
    struct stmt *st = arg;
    for (size_t n = 0; st->late != NULL && n < bytes;) {
        struct ctx_part *p = st->late_at;
        struct inst *in = unit_of(st, p);
        st->late_at = next_of(st, p);
        n += in->cut == st->cut ? LOOK : write_unit(st, p, in);
    }
    return st->late == NULL;
}

static void late_forget(void *arg)
{
    late_done(arg);
}

void state_save_rest(struct stmt *st)
{
    while (st->late != NULL) {
        (void)late_step(st, SIZE_MAX);
    }
}

/* Nobody changes an instance but its own leaves, timers, windows and the end of its part, where the
 * engine says so first: named windows and tables of a context are others' business, too. */
static bool save_later_on(struct stmt *st, struct save *s)
{
    static const struct save_late_ops ops = {late_step, late_forget};
    size_t n = 0;
    for (const struct ctx_part *p = first_of(st); p != NULL; p = next_of(st, p)) {
        n++;
    }
    if (st->late != NULL || n == 0 || !st->ops->by_part) {
        return false;
    }
    /* what an instance holds may be large: it is not looked at */
    st->late =
        save_node_later(s, &ops, st, is_context(st) ? n * sizeof(struct ctx_part) : SIZE_MAX);
    if (st->late == NULL) {
        return false;
    }
    st->late_at = first_of(st);
    st->late_left = n;
    st->cut++;
    st->eng->lates++;
    return true;
}

void state_save_parts(struct stmt *st, struct save *s)
{
    if (save_later_on(st, s)) {
        return;
    }
    for (struct ctx_part *p = first_of(st); p != NULL; p = next_of(st, p)) {
        save_unit(st, p, unit_of(st, p), s);
    }
}
