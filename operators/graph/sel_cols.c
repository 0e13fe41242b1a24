/* SPDX-License-Identifier: Apache-2.0
 *
 * How the columns of result rows are had, and which columns of its stream a select reads. A
 * statement that looks at columns of one stream and never at an event itself can do with a window
 * that keeps those columns and the reference (window/win_pack.h; batches hold events of that type):
 * its expressions find them by the type of what leaves, which is below the stream's own and has
 * nothing but null in the other columns.
 *
 * Not for: whole events (select *, e.method(), window(*), dynamic properties), prev and prior,
 * subqueries, joins, contained events, named windows, samples (whose causes lie in other columns),
 * snapshots (which go through all events), and not where bytes are limited, which are those of
 * whole events.
 */
#include "operators/graph/sel.h"
#include "operators/sig/cause.h"

#include <assert.h>

enum { COLS_MAX = 32 };

struct reads {
    const struct etype *of;
    uint16_t slot[COLS_MAX];
    uint32_t n;
    bool more; /* something else than so many columns */
};

static uint32_t place_of(struct reads *r, uint16_t slot)
{
    uint32_t i = 0;
    while (i < r->n && r->slot[i] != slot) {
        i++;
    }
    if (i == r->n && i < COLS_MAX) {
        r->slot[r->n++] = slot;
    }
    r->more |= i == COLS_MAX;
    return i;
}

static void walk(void *arg, struct ex *e)
{
    struct reads *r = arg;
    if (e == NULL) {
        return;
    }
    if (e->op == EX_PROP) {
        r->more |= e->level != 0 || e->of != r->of;
        (void)place_of(r, e->slot);
    }
    r->more |= sel_looks_beyond(e);
    for (uint32_t i = 0; i < e->n_args; i++) {
        walk(r, e->args[i]);
    }
}

static bool is_simple(const struct sel_plan *p)
{
    const struct sel_stream *s = &p->streams[0];
    return p->n_streams == 1 && s->kind == SRC_FILTER && s->contained == NULL && s->mr == NULL &&
           s->views.n_steps == 1 && s->views.steps[0]->def->packs && s->prior == 0 && !p->pass &&
           p->wild < 0 && p->into == NULL && !p->triggered && s->type->kind == ETYPE_PLAIN &&
           !cause_is_sample(s->type) && p->output.kind != OUT_SNAPSHOT;
}

/* The type of what leaves: the columns that are kept, and one that stands for the others. */
static struct etype *type_of(struct bind *b, const struct reads *r)
{
    struct ecol cols[COLS_MAX + 1];
    for (uint32_t i = 0; i < r->n; i++) {
        cols[i] = r->of->cols[r->slot[i]];
        cols[i].key = false;
    }
    cols[r->n] = (struct ecol){.name = SLICE(""), .ty = TY(OBJECT)};
    struct etype *t = ety_new(b->a, b->types, ETYPE_ANON, SLICE_NONE, cols, r->n + 1, NULL, 0);
    uint16_t *slot = arena_array(b->a, r->of->n_cols + 1, sizeof *slot);
    if (t == NULL || slot == NULL) {
        return NULL;
    }
    for (uint32_t i = 0; i < r->of->n_cols; i++) {
        slot[i] = (uint16_t)r->n;
    }
    for (uint32_t i = 0; i < r->n; i++) {
        slot[r->slot[i]] = (uint16_t)i;
    }
    t->supers = ARENA_NEW(b->a, struct etype_super);
    *t->supers = (struct etype_super){r->of, slot};
    t->n_supers = 1;
    return t;
}

/* Whether each row that leaves is of the group it was of when it entered, and has been in it. */
static bool groups_stay(const struct sel_plan *p)
{
    bool stay = p->where == NULL && p->n_levels == 0 && p->n_group > 0;
    for (uint32_t i = 0; stay && i < p->n_group; i++) {
        stay = p->group[i]->op == EX_PROP;
    }
    return stay;
}

/* No value that would have to be looked at once more (make_row): an event, or anything. */
static bool is_plain(const struct ex *e)
{
    return e->level == 0 && e->ty.kind > TY_NULL && e->ty.kind < TY_OBJECT;
}

static void set_ways(struct bind *b, struct sel_plan *p)
{
    struct sel_way *ways = arena_array(b->a, p->n_cols + 1, sizeof *ways);
    if (ways == NULL || p->pass || p->wild >= 0 || p->out->n_cols != p->n_cols) {
        return;
    }
    for (uint32_t i = 0; i < p->n_cols; i++) {
        const struct ex *e = p->cols[i];
        enum sel_way_kind kind = !is_plain(e)       ? WAY_PROGRAM
                                 : e->op == EX_PROP ? WAY_COLUMN
                                 : e->op == EX_AGG  ? WAY_AGG
                                                    : WAY_PROGRAM;
        ways[i] = (struct sel_way){kind, e->stream, e->slot, e->of};
    }
    p->ways = ways;
}

void sel_set_columns(struct bind *b, struct sel_plan *p)
{
    set_ways(b, p);
    if (!is_simple(p)) {
        return;
    }
    struct reads r = {.of = p->streams[0].type, .more = sel_aggs_take_events(p)};
    sel_each_ex(p, walk, &r);
    struct etype *t = r.more ? NULL : type_of(b, &r);
    struct view_pack *pack = t != NULL ? ARENA_NEW(b->a, struct view_pack) : NULL;
    if (pack == NULL) {
        return;
    }
    uint16_t *slot = arena_array(b->a, r.n + 1, sizeof *slot);
    uint16_t *key_col = arena_array(b->a, p->n_group + 1, sizeof *key_col);
    memcpy(slot, r.slot, r.n * sizeof *slot);
    *pack = (struct view_pack){.in = r.of, .type = t, .slot = slot, .n = r.n, .key_col = key_col};
    if (groups_stay(p)) {
        pack->n_keys = p->n_group;
        for (uint32_t i = 0; i < p->n_group; i++) {
            key_col[i] = (uint16_t)place_of(&r, p->group[i]->slot);
        }
    }
    assert(pack->n == r.n);
    p->streams[0].pack = pack;
}
