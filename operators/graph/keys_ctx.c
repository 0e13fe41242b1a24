/* SPDX-License-Identifier: Apache-2.0
 *
 * Facts of contexts. Levels that time alone or categories decide change nothing: their partitions
 * are the same everywhere. Inside of a level by key (or by hash, or one per event that initiates
 * it) the state of a statement belongs to one value of that key, and is local if the key of the
 * unit is among it.
 */
#include "operators/graph/keys_build.h"

#include <assert.h>

enum level_kind { LEVEL_SAME, LEVEL_KEYED, LEVEL_TIED, LEVEL_OPEN };

static bool by_events(const struct ctx_point *p)
{
    return p->pat.root != NULL;
}

static enum level_kind kind_of(const struct ctx_level *l)
{
    if (l->kind == CTX_KEYED || l->kind == CTX_HASH) {
        return l->ast->preallocate ? LEVEL_OPEN : LEVEL_KEYED;
    }
    if (l->kind == CTX_CATEGORY) {
        return LEVEL_SAME;
    }
    bool start = l->n_starts > 0 && by_events(&l->starts[0]), end = by_events(&l->end);
    if (!start) {
        return end ? LEVEL_OPEN : LEVEL_SAME;
    }
    bool one = l->kind == CTX_INIT_TERM && l->starts[0].kind == POINT_FILTER && !l->starts[0].now;
    return one && l->plan->n_levels == 1 ? LEVEL_TIED : LEVEL_OPEN;
}

/* The first level that is not the same everywhere; NULL if all are. */
static const struct ctx_level *deciding(const struct ctx_plan *p, enum level_kind *ret_kind)
{
    for (uint32_t i = 0; i < p->n_levels; i++) {
        *ret_kind = kind_of(&p->levels[i]);
        if (*ret_kind != LEVEL_SAME) {
            return &p->levels[i];
        }
    }
    *ret_kind = LEVEL_SAME;
    return NULL;
}

static int *new_tags(struct keys_build *b)
{
    int *tags = arena_array(b->f->a, KEYS_TAGS_MAX, sizeof *tags);
    for (uint32_t i = 0; i < KEYS_TAGS_MAX; i++) {
        tags[i] = -1;
    }
    return tags;
}

/* The event that opened the partition, as a source of each statement of it. */
static void initiator(struct keys_build *b, const struct ctx_level *l)
{
    int *tags = new_tags(b);
    uint32_t at = (uint32_t)b->s->srcs.len;
    keys_pattern(b, &l->starts[0].pat, false, tags);
    assert(b->s->srcs.len == at + 1);
    b->s->srcs.ptr[at].tie = KEYS_context_tied;
    b->initiator = (int)at;
    b->tags = l->tags;
    b->tag_src = tags;
    b->n_tags = KEYS_TAGS_MAX;
    b->inner = true;
}

/* Whether a partition ends by the clock; from the level on, within which keys are apart. */
static bool ends_by_clock(const struct ctx_level *l)
{
    for (uint32_t i = l->depth; i < l->plan->n_levels; i++) {
        enum ast_point_kind k = l->plan->levels[i].end.kind;
        if (k == POINT_AFTER || k == POINT_CRON || k == POINT_PATTERN) {
            return true;
        }
    }
    return false;
}

void keys_enter(struct keys_build *b)
{
    const struct cat_entry *c = b->s->st->context;
    b->initiator = b->keyed_src = -1;
    b->number_ok = true;
    if (c == NULL) {
        return;
    }
    enum level_kind kind;
    const struct ctx_level *l = deciding(c->what, &kind);
    b->number_ok = kind == LEVEL_SAME;
    b->ends = kind != LEVEL_SAME && ends_by_clock(l);
    switch (kind) {
    case LEVEL_SAME: break;
    case LEVEL_KEYED:
        b->keyed = l;
        b->inner = true;
        break;
    case LEVEL_TIED: initiator(b, l); break;
    case LEVEL_OPEN: keys_need(b, KEYS_context_open, "its context", false); break;
    }
}

void keys_keyed(struct keys_build *b, uint32_t src)
{
    const struct etype *t = b->s->srcs.ptr[src].place->type;
    const struct ctx_stream *s = b->keyed != NULL ? ctx_stream_for(b->keyed, t) : NULL;
    if (s == NULL) {
        return;
    }
    struct keys_base base = {.src = (int)src};
    struct keys_scope sc = {.outer = NULL, .bases = &base, .n = 1};
    keys_need_keys(b, &sc, KEYS_context, "its context", s->keys, s->n_keys, 0, false);
    bool first = b->keyed_src < 0, all = s->n_keys <= KEYS_COLS_MAX;
    for (uint32_t i = 0; all && i < s->n_keys; i++) {
        struct keys_side mine;
        all = keys_side(b, &sc, s->keys[i], &mine);
        if (all && first) {
            b->ctx_expr[i] = mine.expr;
        } else if (all) {
            struct keys_side other = {(uint16_t)b->keyed_src, b->ctx_expr[i]};
            *VEC_PUSH(&b->s->ties) = (struct keys_tie){mine, other, false};
        }
    }
    b->keyed_src = all && first ? (int)src : b->keyed_src;
}

/* ---- windows and tables ---- */

/* Whether rows of that name are of the statement's own context, of none, or of another. */
static int at_home(const struct keys_build *b, const struct etype *t)
{
    const struct cat_entry *e = cat_type(&b->f->eng->cat, t->name);
    if (e == NULL || e->context.len == 0) {
        return 0;
    }
    return slice_eq(e->context, b->s->st->ast->context) ? 1 : -1;
}

void keys_shared(struct keys_build *b, uint32_t src)
{
    const struct keys_src *s = &b->s->srcs.ptr[src];
    int home = at_home(b, s->place->type);
    if (home < 0) {
        keys_need(b, KEYS_context_foreign, "what it reads", false);
    }
    b->s->srcs.ptr[src].lone |= home > 0 && b->inner;
}

void keys_gives(struct keys_build *b, struct keys_flow f)
{
    if (!f.to->events && at_home(b, f.to->type) < 0) {
        keys_need(b, KEYS_context_foreign, "what it inserts into", false);
    }
    *VEC_PUSH(&b->s->flows) = f;
}

/* ---- create context ---- */

static void keyed_level(struct keys_build *b, const struct ctx_level *l)
{
    int *tags = new_tags(b);
    b->keyed = l;
    for (uint32_t i = 0; i < l->n_streams; i++) {
        uint32_t src = keys_add_src(b, l->streams[i].type, true, KEYS_context_tied, "it");
        keys_keyed(b, src);
        for (uint32_t k = 0; k < l->n_starts; k++) {
            bool of = l->starts[k].stream == &l->streams[i] && l->starts[k].tag >= 0 &&
                      l->starts[k].tag < KEYS_TAGS_MAX;
            if (of) {
                tags[l->starts[k].tag] = (int)src;
            }
        }
    }
    if (by_events(&l->end)) {
        keys_pattern(b, &l->end.pat, true, tags);
    }
}

static void tied_level(struct keys_build *b, const struct ctx_level *l)
{
    initiator(b, l);
    struct keys_base bases[2] = {{.src = b->initiator},
                                 {.src = -1, .tag_src = b->tag_src, .n_tags = b->n_tags}};
    struct keys_scope sc = {.outer = NULL, .bases = bases, .n = 2};
    if (l->n_distinct > 0) {
        keys_need_keys(b, &sc, KEYS_context, "it", l->distinct, l->n_distinct, 0, false);
    }
    if (by_events(&l->end)) {
        int *tags = new_tags(b);
        memcpy(tags, b->tag_src, KEYS_TAGS_MAX * sizeof *tags);
        keys_pattern(b, &l->end.pat, true, tags);
    }
}

void keys_context(struct keys_build *b)
{
    enum level_kind kind;
    const struct ctx_plan *p = b->s->st->plan;
    const struct ctx_level *l = deciding(p, &kind);
    b->initiator = b->keyed_src = -1;
    if (kind == LEVEL_KEYED) {
        keyed_level(b, l);
    } else if (kind == LEVEL_TIED) {
        tied_level(b, l);
    } else if (kind == LEVEL_OPEN) {
        keys_need(b, KEYS_context_open, "it", false);
        for (uint32_t i = 0; i < l->n_streams; i++) {
            (void)keys_add_src(b, l->streams[i].type, true, KEYS_context_tied, "it");
        }
        const struct ctx_point *points[2] = {l->n_starts > 0 ? &l->starts[0] : NULL, &l->end};
        for (int i = 0; i < 2; i++) {
            if (points[i] != NULL && by_events(points[i])) {
                keys_pattern(b, &points[i]->pat, i == 1, new_tags(b));
            }
        }
    }
}
