/* SPDX-License-Identifier: Apache-2.0
 *
 * See eng_levels.h. Whether an edge may stay within a task is asked of the keys: both levels are
 * deployed into one engine, and the unit that the two ends then are must have the key that each of
 * them has alone.
 */
#include "operators/graph/eng_levels.h"

#include "core/base/vec.h"
#include "operators/graph/eng.h"
#include "operators/sig/builtin.h"

#include <assert.h>

enum { TEXT_MAX = 16 << 20, ARENA_MAX = 256 << 20, EDGES_MAX = 4096 };

struct joint { /* levels first..last in one engine */
    struct eng *eng;
    struct key_plan keys;
    uint32_t first, before[DOC_LEVELS_MAX];
};

/* ---- engines ---- */

static int deploy_prelude(const struct doc *d, uint32_t level, struct eng *e, struct err *reterr)
{
    struct buf b;
    buf_init(&b, TEXT_MAX);
    doc_prelude(d, level, &b);
    int rc = eng_deploy(e, SLICE(BUILTIN_DEPLOYMENT), buf_slice(&b), reterr);
    buf_done(&b);
    return rc;
}

static int open_level(const struct doc *d, uint32_t i, struct eng_level *l, struct err *reterr)
{
    const struct doc_level *level = &d->g.levels[i];
    l->eng = eng_new(&(struct eng_conf){.limits = &level->limits});
    int rc = deploy_prelude(d, i, l->eng, reterr);
    l->before = (uint32_t)eng_statements(l->eng, NULL, 0);
    rc = rc == 0 ? eng_deploy(l->eng, level->name, level->epl, reterr) : rc;
    return rc == 0 ? eng_keys(l->eng, level->name, &l->keys, reterr) : rc;
}

static int open_joint(const struct doc *d, uint32_t first, uint32_t last, struct joint *j,
                      struct err *reterr)
{
    *j = (struct joint){.first = first, .eng = eng_new(&(struct eng_conf){.on_rows = NULL})};
    int rc = deploy_prelude(d, first, j->eng, reterr);
    for (uint32_t i = first; rc == 0 && i <= last; i++) {
        j->before[i] = (uint32_t)eng_statements(j->eng, NULL, 0);
        rc = eng_deploy(j->eng, d->g.levels[i].name, d->g.levels[i].epl, reterr);
    }
    return rc == 0 ? eng_keys(j->eng, SLICE_NONE, &j->keys, reterr) : rc;
}

static void close_joint(struct joint *j)
{
    keys_done(&j->keys);
    eng_free(j->eng);
}

static const struct key_unit *unit_of(const struct key_plan *p, uint32_t order)
{
    for (uint32_t i = 0; i < p->n_units; i++) {
        for (uint32_t k = 0; k < p->units[i].n_stmts; k++) {
            if (p->units[i].stmts[k].order == order) {
                return &p->units[i];
            }
        }
    }
    return NULL;
}

/* ---- ends of an edge ---- */

static bool inserts(const struct doc_stmt *s, struct eng *e, const struct etype *t)
{
    for (uint32_t i = 0; i < s->n_inserts; i++) {
        const struct etype *made = eng_type(e, s->inserts[i]);
        if (made != NULL && (made == t || ety_is(made, t))) {
            return true;
        }
    }
    return false;
}

/* Inputs of a unit are also what it inserts itself; does a statement of level i read it? */
static bool reads(const struct doc *d, uint32_t i, const struct eng_level *l,
                  const struct key_unit *u, struct slice type)
{
    uint32_t order = l->before;
    for (uint32_t k = 0; k < d->g.levels[i].n_stmts; k++) {
        const struct doc_stmt *s = &d->g.levels[i].stmts[k];
        order += s->ast != NULL;
        for (uint32_t m = 0; s->ast != NULL && m < u->n_stmts; m++) {
            if (u->stmts[m].order == order && doc_stmt_reads(d, s, type)) {
                return true;
            }
        }
    }
    return false;
}

static bool is_signal(const struct doc_level *l, const struct etype *t)
{
    enum builtin_world w = l->types == DOC_TYPES_ORIGINAL ? BUILTIN_ORIGINAL : BUILTIN_KAIJU;
    const struct builtin_type *row = builtin_find(w, t->name);
    return row != NULL && (row->records[0] != '\0' || slice_eq(t->name, SLICE("Telemetry")) ||
                           slice_eq(t->name, SLICE("Batch")));
}

static struct slice key_text(struct arena *a, const struct key_unit *u, const struct key_input *in)
{
    struct buf b;
    buf_init(&b, 64 * 1024);
    for (uint32_t i = 0; in->cols != NULL && i < u->n_cols; i++) {
        (void)buf_add_str(&b, i > 0 ? ", " : "");
        (void)buf_add_slice(&b, in->texts[i]);
    }
    struct slice s = arena_copy(a, buf_slice(&b));
    buf_done(&b);
    return s;
}

static bool is_keyed(const struct key_unit *u)
{
    return u->choice == KEY_BY || u->choice == KEY_USER;
}

/* May the two ends be one task per key, as each of them is alone? */
static bool fits(const struct key_unit *from, const struct key_unit *to,
                 const struct key_unit *both)
{
    if (from == NULL || to == NULL || both == NULL) {
        return false;
    }
    if (to->choice == KEY_ANY) {
        return both->choice == from->choice && both->n_cols == from->n_cols;
    }
    if (is_keyed(from) && is_keyed(to)) {
        return is_keyed(both) && both->n_cols == from->n_cols && both->n_cols == to->n_cols;
    }
    return from->choice == KEY_ONE && to->choice == KEY_ONE;
}

static const char *words(const struct key_unit *u)
{
    return u->choice == KEY_ONE   ? "one task"
           : u->choice == KEY_ANY ? "any partition"
                                  : "by a key of its own";
}

/* ---- edges ---- */

struct walk {
    const struct doc *d;
    struct eng_levels *l;
    VEC(struct eng_edge) edges;
};

static void add_edge(struct walk *w, struct eng_edge e)
{
    VEC_EACH (&w->edges, x) {
        if (x->from == e.from && x->to == e.to && x->shuffle == e.shuffle &&
            slice_eq(x->stream, e.stream) && slice_eq(x->key, e.key)) {
            return;
        }
    }
    if (w->edges.len < EDGES_MAX) {
        *VEC_PUSH(&w->edges) = e;
    }
}

static void raw_edge(struct walk *w, uint32_t to, const struct key_unit *u,
                     const struct key_input *in)
{
    struct eng_edge e = {.from = ENG_LEVEL_RAW,
                         .to = to,
                         .stream = in->type->name,
                         .key = key_text(w->l->arena, u, in),
                         .shuffle = is_keyed(u)};
    if (u->choice == KEY_ANY) {
        e.why = SLICE("each event goes by itself: in the partitions of the topic");
    } else if (u->choice == KEY_ONE) {
        e.why = SLICE("one task reads all partitions");
    } else if (slice_eq(in->type->name, SLICE("Span")) && slice_eq(e.key, SLICE("trace_id"))) {
        e.shuffle = false;
        e.why = SLICE("the topic has that key already");
    } else {
        e.why = SLICE("the topic is keyed by the subject: filtered at the source, then moved");
    }
    add_edge(w, e);
}

/* One input of a unit, from the statements of a level that insert it. */
static bool input_edges(struct walk *w, struct eng_edge e, const struct key_unit *u,
                        const struct key_input *in, const struct joint *both, bool *ret_any)
{
    const struct eng_level *a = &w->l->levels[e.from], *b = &w->l->levels[e.to];
    const struct doc_level *maker = &w->d->g.levels[e.from];
    uint32_t order = a->before;
    bool ok = true;
    for (uint32_t s = 0; s < maker->n_stmts; s++) {
        order += maker->stmts[s].ast != NULL;
        if (maker->stmts[s].ast == NULL || !inserts(&maker->stmts[s], b->eng, in->type)) {
            continue;
        }
        const struct key_unit *producer = unit_of(&a->keys, order), *one = NULL;
        if (both != NULL) {
            one = unit_of(&both->keys, both->before[e.to] + u->stmts[0].order - b->before);
        }
        bool stays = both != NULL && fits(producer, u, one);
        char *why = arena_printf(w->l->arena, "from %s to %s",
                                 producer != NULL ? words(producer) : "nobody", words(u));
        e.stream = in->type->name;
        e.key = key_text(w->l->arena, u, in);
        e.shuffle = !stays;
        e.why = stays ? SLICE("within the task") : slice_str(why);
        add_edge(w, e);
        *ret_any = true;
        ok &= stays;
    }
    return ok;
}

/* Edges from one level to another; both: NULL, or the two in one engine. False: one of them does
 * not stay within a task. */
static bool level_edges(struct walk *w, uint32_t from, uint32_t to, const struct joint *both,
                        bool *ret_any)
{
    const struct eng_level *b = &w->l->levels[to];
    bool ok = true;
    for (uint32_t i = 0; i < b->keys.n_units; i++) {
        const struct key_unit *u = &b->keys.units[i];
        for (uint32_t k = 0; k < u->n_inputs; k++) {
            struct eng_edge e = {.from = from, .to = to};
            if (reads(w->d, to, b, u, u->inputs[k].type->name)) {
                ok &= input_edges(w, e, u, &u->inputs[k], both, ret_any);
            }
        }
    }
    return ok;
}

static struct slice differ(const struct doc_level *a, const struct doc_level *b)
{
    if (a->scale == DOC_SCALE_OWN || b->scale == DOC_SCALE_OWN) {
        return SLICE("it, or the one before, says scale: own");
    }
    if (a->types != b->types) {
        return SLICE("it sees signals in other shapes than the one before");
    }
    if (a->partitions != b->partitions) {
        return SLICE("it has other partitions than the one before");
    }
    return SLICE_NONE;
}

/* Does level i join the group that begins with `first`? Then the two are in j. */
static int try_join(struct walk *w, uint32_t first, uint32_t i, struct joint *j, struct err *reterr)
{
    struct eng_level *l = &w->l->levels[i];
    bool any = false, ok = true;
    l->why = differ(&w->d->g.levels[i - 1], &w->d->g.levels[i]);
    if (l->why.len > 0) {
        return 0;
    }
    int rc = open_joint(w->d, first, i, j, reterr);
    size_t had = w->edges.len;
    for (uint32_t k = first; rc == 0 && k < i; k++) {
        ok &= level_edges(w, k, i, j, &any);
    }
    w->edges.len = had; /* they were only tried */
    if (any && ok) {
        l->group = first;
    } else {
        l->why = any ? SLICE("what it reads must be moved by another key")
                     : SLICE("it reads nothing that the one before makes");
    }
    return rc;
}

static int place(struct walk *w, uint32_t i, struct err *reterr)
{
    struct eng_level *l = &w->l->levels[i];
    struct joint j = {.eng = NULL};
    bool any = false;
    l->group = i;
    int rc = i > 0 ? try_join(w, w->l->levels[i - 1].group, i, &j, reterr) : 0;
    for (uint32_t k = 0; rc == 0 && k < i; k++) {
        (void)level_edges(w, k, i, l->group != i && k >= l->group ? &j : NULL, &any);
    }
    close_joint(&j);
    for (uint32_t u = 0; rc == 0 && u < l->keys.n_units; u++) {
        for (uint32_t k = 0; k < l->keys.units[u].n_inputs; k++) {
            const struct key_unit *unit = &l->keys.units[u];
            const struct etype *t = unit->inputs[k].type;
            if (is_signal(&w->d->g.levels[i], t) && reads(w->d, i, l, unit, t->name)) {
                raw_edge(w, i, unit, &unit->inputs[k]);
            }
        }
    }
    return rc;
}

int eng_levels(const struct doc *d, struct eng_levels *ret, struct err *reterr)
{
    struct eng_levels l = {.arena = arena_new(NULL, "levels", ARENA_MAX),
                           .n_levels = d->g.n_levels};
    struct walk w = {.d = d, .l = &l};
    int rc = 0;
    assert(d->g.n_levels <= DOC_LEVELS_MAX);
    l.levels = arena_array(l.arena, l.n_levels + 1, sizeof *l.levels);
    for (uint32_t i = 0; rc == 0 && i < l.n_levels; i++) {
        rc = open_level(d, i, &l.levels[i], reterr);
    }
    for (uint32_t i = 0; rc == 0 && i < l.n_levels; i++) {
        rc = place(&w, i, reterr);
    }
    l.n_edges = (uint32_t)w.edges.len;
    l.edges = arena_array(l.arena, w.edges.len + 1, sizeof *l.edges);
    if (l.edges != NULL && w.edges.len > 0) {
        memcpy(l.edges, w.edges.ptr, w.edges.len * sizeof *l.edges);
    }
    VEC_DONE(&w.edges);
    if (rc != 0) {
        eng_levels_done(&l);
        return rc;
    }
    *ret = l;
    return 0;
}

void eng_levels_done(struct eng_levels *l)
{
    for (uint32_t i = 0; i < l->n_levels; i++) {
        keys_done(&l->levels[i].keys);
        eng_free(l->levels[i].eng);
    }
    arena_free(l->arena);
}
