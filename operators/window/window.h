/* SPDX-License-Identifier: Apache-2.0
 *
 * Data windows and derived views: a chain of views between a stream's filter and the statement. A
 * view takes what enters and leaves its parent and emits what enters and leaves itself, at once or
 * when its timer fires. The last view's emissions go to the statement.
 *
 * `window.def` has a row per view: name, file, locality, parameters, doc. To add one: a row there,
 * `win_NAME.c` with a `struct view_def view_def_NAME`, a scenario.
 */
#ifndef OPERATORS_WINDOW_WINDOW_H
#define OPERATORS_WINDOW_WINDOW_H

#include "operators/expr/ectx.h"
#include "operators/plan/bind.h"
#include "operators/sig/lim.h"
#include "operators/time/tmr.h"

struct view;
struct view_step;

struct win_pack;

/* What a statement reads of a stream, where that is columns alone (operators/graph/sel_cols.c): a
 * window that can keeps those instead of events, in the order of `type`, a type below `in` whose
 * other columns are null. */
struct view_pack {
    const struct etype *in, *type;
    const uint16_t *slot; /* column i of type: where it lies in `in`, for the n that are kept */
    uint32_t n;
    const uint16_t *key_col; /* which of them are the keys of groups; n_keys 0: nobody tells */
    uint32_t n_keys;
};

struct view_env { /* of one stream of one statement instance; outlives its views */
    struct vheap *heap;
    struct tmr_queue *timers;
    struct ectx *ctx; /* for key and ts expressions: row[stream] is set to the event before */
    uint16_t stream;
    uint64_t rank;                /* for timers */
    void *inst;                   /* likewise */
    struct lim *lim;              /* rows are counted there; or NULL */
    const struct view_pack *pack; /* NULL: events are kept */
    bool prev;                    /* the statement uses prev: keep what it needs */
    bool causes;                  /* rows of derived views tell theirs; events leave those: */
    bool leaves;
};

struct view_def {
    const char *name;
    const char *parameters; /* as in window.def */
    size_t step_bytes;      /* of the step's own struct, which begins with struct view_step */
    bool data_window;       /* not for derived views */
    bool batch;             /* emits whole batches */
    bool refuses;           /* may not take an event at all (the first of each key ...) */
    bool prev;              /* prev can look into it */
    bool queue;             /* events leave in the order in which they came */
    bool packs;             /* and it can hold the columns of view_env.pack instead */
    /* Parameters are bound in a scope of the one stream (its type is `in`); *ret_out is the type of
     * what comes out (`in` for data windows, a new one for derived views). */
    int (*bind)(struct bind *b, const struct ast_view *v, const struct etype *in,
                struct view_step *step, const struct etype **ret_out, struct err *reterr);
    struct view *(*make)(const struct view_step *step, struct view_env *env);
    const struct win_figures *figures; /* of views of sums: what they show (win_figures.h) */
};

struct view_step { /* a bound view; the plan of a stream has an array of pointers to them */
    const struct view_def *def;
    const struct etype *in, *out;
};

struct view_plan {
    struct view_step **steps; /* as written; several data windows: their intersection or union */
    uint32_t n_steps;
    bool retain_union;
    const struct etype *in, *out;
    bool has_window;       /* some step is a data window */
    bool queue;            /* one alone, from which events leave in the order they came */
    bool group_win;        /* the first is #groupwin: the rest lives once per key */
    bool prev_ok;          /* prev and its kin may be used: one data window that has an order */
    const int *group_cols; /* keys that are the last columns of `out` */
    uint32_t n_group_cols;
};

typedef void view_sink(void *arg, struct evt **nw, size_t n_nw, struct evt **old, size_t n_old);
typedef bool view_like(const struct view *a, const struct view *b,
                       bool (*ex_same)(const struct ex *a, const struct ex *b));

struct view_ops {
    void (*update)(struct view *v, struct evt **nw, size_t n_nw, struct evt **old, size_t n_old);
    /* What it holds now, in the order prev sees reversed: oldest first. */
    void (*each)(struct view *v, void (*fn)(void *arg, struct evt *e), void *arg);
    /* For prev. In windows the event n places before the newest (in sorted ones: behind the
     * first), in batches n places before `of`; NULL if there is none. `of` decides the group. */
    struct evt *(*prev)(struct view *v, const struct evt *of, int64_t n);
    /* How many events the window, the batch, the group of `of` has; and the n-th of them, newest
     * first (sorted ones: the first first). */
    size_t (*count)(struct view *v, const struct evt *of);
    struct evt *(*at)(struct view *v, const struct evt *of, size_t n);
    bool (*idle)(struct view *v); /* whether it is as if it were new; NULL: never */
    /* Of an idle one: all as if it were just made, but for the memory it has. With idle only. */
    void (*renew)(struct view *v), (*free)(struct view *v); /* timers cancelled, events dropped */
    void (*save)(struct view *v, struct save *s); /* NULL until written: load then fails */
    void (*load)(struct view *v, struct load *l); /* into a new view */
    /* A variable changed: #expr looks again at the next clock step if it asks for it. */
    void (*poke)(struct view *v, const struct var *changed);
    view_like *same; /* for view_same (win_store.h); NULL: nobody knows */
};

struct view {
    const struct view_ops *ops;
    const struct view_step *step;
    struct view_env *env;
    view_sink *sink;
    void *sink_arg;
    struct win_pack *pack; /* holds its events, if they are packed */
    uint32_t windows;      /* of view_new: how many hold each event, one row in each */
    bool holds;            /* it is a data window whose rows are counted in env->lim: */
    uint64_t rows, bytes, cost;
};

/* Binds the views of a stream. A plan without views has n_steps 0. */
int view_plan(struct bind *b, const struct ast_stream *s, const struct etype *in,
              struct view_plan *ret, struct err *reterr) NODISCARD;
/* The whole chain as one view; NULL if the plan has none. Emissions go to sink. */
struct view *view_new(const struct view_plan *p, struct view_env *env, view_sink *sink, void *arg);
static inline void view_update(struct view *v, struct evt **nw, size_t n_nw, struct evt **old,
                               size_t n_old)
{
    v->ops->update(v, nw, n_nw, old, n_old);
}
uint64_t view_cost(const struct view *v, struct evt *const *e, size_t n); /* of LIM_STATE */
void view_each(struct view *v, void (*fn)(void *arg, struct evt *e), void *arg);
void view_free(struct view *v);
struct evt *view_prev(struct view *v, const struct evt *of, int64_t n);
size_t view_count(struct view *v, const struct evt *of);
struct evt *view_at(struct view *v, const struct evt *of, size_t n);
void view_poke(struct view *v, const struct var *changed);
/* All it holds, as a part of its stream's state; into a view just made. NULL has no state. */
void view_save(struct view *v, struct save *s);
void view_load(struct view *v, struct load *l);
const struct view_def *view_find(struct slice name);
/* What a shard may hold alone (window.def): any part of the stream, all events of a key, or the
 * whole stream. */
enum view_locality { VIEW_ANY, VIEW_KEYED, VIEW_WHOLE };
enum view_locality view_locality(const struct view_def *d);
/* The keys of a view that is KEYED. */
struct ex *const *view_keys(const struct view_step *s, uint32_t *ret_n);
const struct view_def *const *view_all(size_t *ret_n); /* for tools and documentation */

#endif
