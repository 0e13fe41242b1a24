/* SPDX-License-Identifier: Apache-2.0
 *
 * Partitions between a beginning and an end. Without overlap (start, end) a control waits, has one
 * part, and waits again; with overlap (initiated, terminated) each beginning opens another part.
 *
 * Who sees the event that begins: after a filter the new part does; after a pattern those of an
 * overlapping context do, and others if it is @inclusive (all tagged events then). The event that
 * ends a part is not seen by it; it may begin the next one.
 */
#include "operators/graph/ctx_impl.h"

#include <assert.h>

/* ---- ends ---- */

int64_t ctx_end_due(const struct ctx_ctl *c, struct evt *match)
{
    const struct ctx_point *end = &c->level->end;
    struct evt *row[2] = {NULL, match};
    struct ectx x = inst_ctx(&c->owner->in, row);
    if (end->kind == POINT_AFTER) {
        int64_t due = ex_after(end->after, &x, x.now, 1);
        if (due <= x.now && due != INT64_MIN && c->level->kind == CTX_START_END) {
            due = x.now + 1; /* one follows the other: they must get on */
        }
        return due == INT64_MIN ? INT64_MAX : due;
    }
    struct tmr_cron cron;
    struct err err;
    if (end->kind == POINT_CRON && ex_cron_eval(&end->cron, &x, &cron, &err) == 0) {
        return tmr_cron_next(&cron, x.now);
    }
    return INT64_MAX;
}

static void ended(struct ctx_part *p, struct evt *e)
{
    struct ctx_ctl *c = p->ctl;
    ctx_close(p);
    if (c->level->kind == CTX_START_END) {
        c->ended = p;
        ctx_wait(c, false, ctx_told(p) ? NULL : e);
    }
}

static void on_end(void *arg, struct evt *match)
{
    (void)match;
    struct ctx_part *p = arg;
    if (!p->closed) {
        ended(p, p->in.eng->current);
    }
}

static void end_fires(struct tmr *t, int64_t now)
{
    (void)now;
    ended(CONTAINER_OF(t, struct ctx_part, timer), NULL);
}

void ctx_await_end(struct ctx_part *p, int64_t due)
{
    const struct ctx_level *l = p->ctl->level;
    p->timer = (struct tmr){.rank = l->plan->st->rank, .fire = end_fires, .inst = &p->in};
    if (due != INT64_MAX) {
        tmr_set(p->in.eng->timers, &p->timer, due);
    }
    if (l->end.pat.root != NULL) {
        p->env = inst_pat_env(&p->in);
        p->env.by_kind = l->plan->n_levels == 1;
        p->env.plain_last = l->kind == CTX_KEYED; /* all have the condition of the key */
        p->end = pat_new(&l->end.pat, &p->env, on_end, p);
        if (!p->in.eng->loading) {
            pat_start(p->end, p->match);
        }
    }
}

/* ---- beginnings ---- */

/* Adds the events of a match, each once, in the order of the tags. */
static void tagged(const struct evt *match, struct evts *to)
{
    for (uint32_t i = 0; i < match->type->n_cols; i++) {
        const struct dat *v = &match->p[i];
        bool list = v->kind == DAT_LIST;
        uint32_t n = list ? v->l->len : v->kind == DAT_EVENT ? 1 : 0;
        for (uint32_t k = 0; k < n; k++) {
            struct dat one = list ? v->l->v[k] : *v;
            bool have = one.kind != DAT_EVENT;
            for (size_t j = 0; !have && j < to->len; j++) {
                have = to->ptr[j] == one.ev;
            }
            if (!have) {
                evts_add(to, one.ev);
            }
        }
    }
}

static struct dat distinct_key(const struct ctx_ctl *c, struct evt *match)
{
    const struct ctx_level *l = c->level;
    struct eng *e = c->owner->in.eng;
    struct evt *row[2] = {e->current, match};
    struct ectx x = inst_ctx(&c->owner->in, row);
    struct vlist *list = vlist_new(x.heap, l->n_distinct);
    for (uint32_t i = 0; i < l->n_distinct; i++) {
        vlist_set(list, i, ex_eval(l->distinct[i], &x));
    }
    return dat_list(list);
}

/* The match as the level keeps it: with its name, if the pattern has one. */
static struct evt *named(const struct ctx_ctl *c, struct evt *match)
{
    if (match == NULL || !c->level->named) {
        return match;
    }
    struct evt *e = evt_new(c->owner->in.eng->heap, c->level->match);
    assert(c->level->match->n_cols == match->type->n_cols + 1);
    for (uint32_t i = 0; i < match->type->n_cols; i++) {
        evt_set(e, i, match->p[i]);
    }
    evt_set(e, match->type->n_cols, dat_evt(match));
    return e;
}

/* A part opens; `match` is that of the beginning's pattern, NULL for times. */
static void begin(struct ctx_ctl *c, struct evt *match)
{
    const struct ctx_level *l = c->level;
    struct eng *e = c->owner->in.eng;
    struct dat key = DAT_NONE;
    struct evt *kept = named(c, match);
    if (l->n_distinct > 0) {
        key = distinct_key(c, kept);
        if (ctx_find(c, key) != NULL) {
            return;
        }
    }
    c->opening = true;
    struct ctx_part *p = ctx_open(c, ctx_new_props(c), kept, l->n_distinct > 0, key);
    c->opening = false;
    if (p->closed || match == NULL) {
        return;
    }
    struct evts seen = {NULL, 0, 0};
    const struct ctx_point *start = &l->starts[0];
    /* Where partitions overlap, a match that has a name does not show its events. */
    bool shows = l->kind == CTX_INIT_TERM ? !l->named : start->inclusive;
    if (start->kind == POINT_PATTERN && shows) {
        tagged(match, &seen);
    } else if (start->kind == POINT_FILTER && e->current != NULL) {
        evts_add(&seen, e->current);
    }
    ctx_show(p, seen.ptr, seen.len);
    evts_done(&seen);
}

static void on_start(void *arg, struct evt *match)
{
    struct ctx_ctl *c = arg;
    pat_pass(c->start);
    if (c->level->kind == CTX_START_END) {
        if (c->first != NULL) {
            return;
        }
        pat_stop(c->start);
    }
    begin(c, match);
}

static int64_t start_due(const struct ctx_ctl *c)
{
    const struct ctx_point *s = &c->level->starts[0];
    struct evt *row[2] = {NULL, NULL};
    struct ectx x = inst_ctx(&c->owner->in, row);
    struct tmr_cron cron;
    struct err err;
    if (s->kind == POINT_AFTER) {
        int64_t due = ex_after(s->after, &x, x.now, 1);
        return due == INT64_MIN ? INT64_MAX : due;
    }
    return ex_cron_eval(&s->cron, &x, &cron, &err) == 0 ? tmr_cron_next(&cron, x.now) : INT64_MAX;
}

static void start_fires(struct tmr *t, int64_t now);

static void timer_at(struct ctx_ctl *c, int64_t due)
{
    struct eng *e = c->owner->in.eng;
    c->timer =
        (struct tmr){.rank = c->level->plan->st->rank, .fire = start_fires, .inst = &c->owner->in};
    if (due != INT64_MAX) {
        tmr_set(e->timers, &c->timer, due);
    }
}

static void start_fires(struct tmr *t, int64_t now)
{
    struct ctx_ctl *c = CONTAINER_OF(t, struct ctx_ctl, timer);
    if (c->level->starts[0].kind == POINT_NONE) { /* @now, put off */
        ctx_wait(c, false, NULL);
        return;
    }
    if (c->level->kind == CTX_INIT_TERM) {
        timer_at(c, MAX(start_due(c), now + 1)); /* `after 0 sec` must get on, too */
    }
    begin(c, NULL);
}

static void set_timer(struct ctx_ctl *c)
{
    timer_at(c, start_due(c));
}

/* Between two crontabs: a start that is further away than the end has been already. */
static bool running(const struct ctx_ctl *c)
{
    const struct ctx_level *l = c->level;
    if (l->kind != CTX_START_END) {
        return false;
    }
    if (l->starts[0].kind == POINT_CRON && l->end.kind == POINT_CRON) {
        return start_due(c) >= ctx_end_due(c, NULL);
    }
    return l->starts[0].kind == POINT_AFTER && start_due(c) <= c->owner->in.eng->now;
}

struct pat *ctx_start_pat(struct ctx_ctl *c)
{
    if (c->start == NULL) {
        c->start = pat_new(&c->level->starts[0].pat, &c->env, on_start, c);
    }
    return c->start;
}

void ctx_start_timer(struct ctx_ctl *c)
{
    timer_at(c, INT64_MAX);
}

static void wait_pattern(struct ctx_ctl *c, struct evt *again)
{
    struct eng *e = c->owner->in.eng;
    (void)ctx_start_pat(c);
    uint64_t seq = route_seq(e->route);
    pat_start(c->start, NULL);
    if (again != NULL && c->level->starts[0].kind == POINT_FILTER) {
        ctx_offer(e, seq, &again, 1);
    }
}

void ctx_wait(struct ctx_ctl *c, bool first, struct evt *again)
{
    const struct ctx_point *s = &c->level->starts[0];
    struct eng *e = c->owner->in.eng;
    if (c->opening) { /* a part that ended as it began: not before the next step */
        timer_at(c, s->kind == POINT_NONE ? e->now : INT64_MAX);
        if (s->kind == POINT_NONE) {
            return;
        }
    }
    if (s->now || (first && running(c))) {
        c->opening = true;
        struct ctx_part *p = ctx_open(c, ctx_new_props(c), NULL, false, DAT_NONE);
        c->opening = false;
        if (again != NULL) {
            ctx_show(p, &again, 1);
        }
        c->ended = NULL;
        if (c->level->kind == CTX_START_END) {
            return;
        }
    }
    c->ended = NULL;
    switch (s->kind) {
    case POINT_AFTER:
    case POINT_CRON: set_timer(c); break;
    case POINT_FILTER:
    case POINT_PATTERN: wait_pattern(c, again); break;
    default: break;
    }
}
