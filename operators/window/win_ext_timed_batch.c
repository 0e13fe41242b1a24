/* SPDX-License-Identifier: Apache-2.0
 *
 * #ext_timed_batch(ts, T): batches by a time the events bring with them, on the grid ref + k * T
 * (ref is given, or the first event's time). The event that lies beyond the end of the batch puts
 * it out and begins the next; a late event goes into the batch under way. What is deleted is passed
 * on at once, also if it was not put out yet.
 */
#include "core/base/mem.h"
#include "operators/window/win_param.h"
#include "operators/window/win_state.h"

struct ext_batch_step {
    struct view_step step;
    struct ex *ts, *period;
    bool has_ref;
    int64_t ref;
};

struct ext_batch {
    struct win_batch b;
    const struct ext_batch_step *s;
    struct win_span span;
    bool begun;
    int64_t ref, end;
};

static void set_end(struct ext_batch *w, int64_t ts)
{
    if (!w->begun) {
        w->begun = true;
        w->ref = w->s->has_ref ? w->s->ref : ts;
    }
    w->end = win_span_add(w->span, win_span_floor(w->span, w->ref, ts), 1);
}

static void update(struct view *v, struct evt **nw, size_t n_nw, struct evt **old, size_t n_old)
{
    struct ext_batch *w = (struct ext_batch *)(void *)v;
    win_batch_forget(&w->b, old, n_old);
    win_emit(&w->b.w, NULL, 0, old, n_old);
    for (size_t i = 0; i < n_nw; i++) {
        struct dat at = win_eval(v->env, w->s->ts, nw[i]);
        if (!dat_is_number(at)) { /* without a time it is nowhere */
            continue;
        }
        int64_t ts = dat_to_long(at);
        if (!w->begun) {
            set_end(w, ts);
        } else if (ts >= w->end) {
            (void)win_batch_flush(&w->b, false);
            set_end(w, ts);
        }
        win_batch_push(&w->b, nw[i], 0);
    }
}

static void free_it(struct view *v)
{
    win_batch_done((struct win_batch *)(void *)v);
    mem_free(v);
}

/* Period; whether it has begun, reference, end; batch. */
static void save(struct view *v, struct save *s)
{
    struct ext_batch *w = (struct ext_batch *)(void *)v;
    win_span_save(w->span, s);
    save_bool(s, w->begun);
    save_i(s, w->ref);
    save_i(s, w->end);
    win_batch_save(&w->b, s);
}

static void load(struct view *v, struct load *l)
{
    struct ext_batch *w = (struct ext_batch *)(void *)v;
    w->span = win_span_load(l);
    w->begun = load_bool(l);
    w->ref = load_i(l);
    w->end = load_i(l);
    win_batch_load(&w->b, l);
}

static const struct view_ops ops = {
    .update = update,
    .each = win_batch_each,
    .prev = win_batch_prev,
    .count = win_batch_count,
    .at = win_batch_at,
    .free = free_it,
    .save = save,
    .load = load,
};

static struct view *make(const struct view_step *step, struct view_env *env)
{
    struct ext_batch *w = MEM_NEW(struct ext_batch);
    win_init(&w->b.w, &ops, step, env);
    w->s = (const struct ext_batch_step *)(const void *)step;
    w->span = win_span_of(env, w->s->period);
    return &w->b.w.v;
}

static int bind_it(struct bind *b, const struct ast_view *v, const struct etype *in,
                   struct view_step *step, const struct etype **ret_out, struct err *reterr)
{
    (void)ret_out;
    struct ext_batch_step *s = (struct ext_batch_step *)(void *)step;
    int rc = win_count(step->def, v, 2, 3, reterr);
    rc = rc == 0 ? win_number(b, step->def, v->args[0], in, false, &s->ts, reterr) : rc;
    rc = rc == 0 ? win_period(b, step->def, v->args[1], &s->period, reterr) : rc;
    if (rc == 0 && v->n_args == 3) {
        s->has_ref = true;
        rc = win_reference(b, step->def, v->args[2], &s->ref, reterr);
    }
    return rc;
}

const struct view_def view_def_ext_timed_batch = {
    .name = "ext_timed_batch",
    .parameters = "timestamp ms, period [, reference ms]",
    .step_bytes = sizeof(struct ext_batch_step),
    .data_window = true,
    .queue = true,
    .batch = true,
    .prev = true,
    .bind = bind_it,
    .make = make,
};
