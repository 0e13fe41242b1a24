/* SPDX-License-Identifier: Apache-2.0
 *
 * Which parts of levels run in one engine. Whether an edge may stay within a task is asked of the
 * keys: both ends are deployed into one engine, and the unit that they then are must have the key
 * that each of them has alone.
 *
 * A part may join a group that has a part of the level before, unless something it reads comes from
 * a later group: so groups are in an order in which events go forward only.
 */
#include "operators/shard/layout_impl.h"

#include <assert.h>

void layout_engine_done(struct layout_engine *e)
{
    if (!e->borrowed) {
        keys_done(&e->keys);
        eng_free(e->eng);
    }
    e->eng = NULL;
}

static int open_engine(const struct layout_making *m, uint64_t members, struct layout_engine *e,
                       struct err *reterr)
{
    *e = (struct layout_engine){.members = members,
                                .eng = eng_new(&(struct eng_conf){.on_rows = NULL})};
    int rc = 0;
    bool first = true;
    for (uint32_t i = 0; rc == 0 && i < m->looks->n_parts; i++) {
        const struct layout_part *p = &m->looks->parts[i];
        if ((members >> i & 1) == 0) {
            continue;
        }
        rc = first ? layout_prelude(m->doc, p->level, e->eng, reterr) : 0;
        first = false;
        e->before[i] = (uint32_t)eng_statements(e->eng, NULL, 0);
        rc = rc == 0 ? eng_deploy(e->eng, p->name, p->epl, reterr) : rc;
    }
    return rc == 0 ? eng_keys(e->eng, SLICE_NONE, &e->keys, reterr) : rc;
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

bool layout_part_reads(const struct layout_making *m, uint32_t part, const struct layout_engine *e,
                       const struct key_unit *u, struct slice type)
{
    const struct layout_part *p = &m->looks->parts[part];
    for (uint32_t k = 0; k < u->n_stmts; k++) {
        uint32_t at = u->stmts[k].order - e->before[part] - 1;
        if (at < p->n_stmts && doc_stmt_reads(m->doc, p->stmts[at], type)) {
            return true;
        }
    }
    return false;
}

/* ---- edges that would stay inside ---- */

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

struct trial {
    const struct layout_making *m;
    const struct layout_engine *joint;
    uint32_t from, to;
    bool any, ok;
};

static void try_input(struct trial *t, const struct key_unit *u, const struct etype *type)
{
    const struct layout_part *a = &t->m->looks->parts[t->from], *b = &t->m->looks->parts[t->to];
    for (uint32_t s = 0; s < a->n_stmts; s++) {
        if (inserts(a->stmts[s], b->eng, type)) {
            const struct key_unit *producer = unit_of(&a->keys, a->before + s + 1);
            const struct key_unit *both =
                unit_of(&t->joint->keys, t->joint->before[t->to] + u->stmts[0].order - b->before);
            t->any = true;
            t->ok &= fits(producer, u, both);
        }
    }
}

static void try_edges(struct trial *t)
{
    const struct layout_part *b = &t->m->looks->parts[t->to];
    struct layout_engine alone = {.eng = b->eng};
    alone.before[t->to] = b->before;
    for (uint32_t i = 0; i < b->keys.n_units; i++) {
        const struct key_unit *u = &b->keys.units[i];
        for (uint32_t k = 0; k < u->n_inputs; k++) {
            if (layout_part_reads(t->m, t->to, &alone, u, u->inputs[k].type->name)) {
                try_input(t, u, u->inputs[k].type);
            }
        }
    }
}

/* ---- joining ---- */

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
    if (a->late != b->late || a->bound != b->bound || a->align != b->align ||
        memcmp(a->limits.max, b->limits.max, sizeof a->limits.max) != 0 ||
        memcmp(a->limits.policy, b->limits.policy, sizeof a->limits.policy) != 0) {
        return SLICE("it has another bound, align, policy or limits than the one before");
    }
    return SLICE_NONE;
}

/* The last group with something that the part reads; UINT32_MAX: there is none. */
static uint32_t last_maker(const struct layout_making *m, uint32_t part)
{
    uint32_t last = UINT32_MAX;
    for (uint32_t i = 0; i < m->doc->n_made; i++) {
        bool reads = (m->read_by[i] >> part & 1) != 0;
        for (uint32_t p = 0; reads && p < part; p++) {
            if ((m->inserted_by[i] >> p & 1) != 0) {
                last = last == UINT32_MAX ? m->group_of[p] : MAX(last, m->group_of[p]);
            }
        }
    }
    return last;
}

static bool has_level(const struct layout_making *m, uint64_t members, uint32_t level)
{
    for (uint32_t i = 0; i < m->looks->n_parts; i++) {
        if ((members >> i & 1) != 0 && m->looks->parts[i].level == level) {
            return true;
        }
    }
    return false;
}

/* Does the part join group g? Then *e is the engine of both. */
static bool try_join(struct layout_making *m, uint32_t part, struct layout_group *g,
                     struct layout_engine *e, struct slice *ret_why)
{
    struct err err;
    const struct layout_part *p = &m->looks->parts[part];
    struct layout_engine joint;
    *ret_why = differ(&m->doc->g.levels[p->level - 1], p->doc);
    if (ret_why->len > 0) {
        return false;
    }
    bool open = open_engine(m, g->members | 1ULL << part, &joint, &err) == 0;
    struct trial t = {.m = m, .joint = &joint, .to = part, .ok = open};
    for (t.from = 0; open && t.from < part; t.from++) {
        if ((g->members >> t.from & 1) != 0) {
            try_edges(&t);
        }
    }
    if (!t.any || !t.ok) {
        *ret_why = t.any ? SLICE("what it reads must be moved by another key")
                         : SLICE("it reads nothing that the one before makes");
        layout_engine_done(&joint);
        return false;
    }
    layout_engine_done(e);
    *e = joint;
    g->members |= 1ULL << part;
    g->n = p->level - g->first + 1;
    return true;
}

bool layout_adds_up(const struct layout_making *m, uint64_t members)
{
    return m->looks->parts[__builtin_ctzll(members)].adds_up; /* it is alone then */
}

static bool place(struct layout_making *m, uint32_t part, struct layout_engine *engines,
                  struct slice *ret_why)
{
    const struct layout_part *p = &m->looks->parts[part];
    uint32_t least = p->level > 0 ? last_maker(m, part) : UINT32_MAX;
    if (p->adds_up) { /* the clock of its tasks is that of those who make the parts */
        *ret_why = SLICE("it adds up what others have summed up in parts");
        return false;
    }
    for (uint32_t g = 0; p->level > 0 && g < m->l->n_groups; g++) {
        struct layout_group *to = &m->l->groups[g];
        if (!layout_adds_up(m, to->members) && has_level(m, to->members, p->level - 1) &&
            (least == UINT32_MAX || least <= g) && try_join(m, part, to, &engines[g], ret_why)) {
            m->group_of[part] = g;
            return true;
        }
    }
    if (p->level > 0 && ret_why->len == 0) {
        bool sums = least != UINT32_MAX && layout_adds_up(m, m->l->groups[least].members);
        *ret_why = sums ? SLICE("what it reads is added up in tasks that do nothing else")
                        : SLICE("what it reads comes from several groups");
    }
    return false;
}

void layout_join(struct layout_making *m, struct layout_engine *engines)
{
    struct layout *l = m->l;
    assert(l->n_groups == 0);
    for (uint32_t i = 0; i < m->looks->n_parts; i++) {
        const struct layout_part *p = &m->looks->parts[i];
        struct slice why = SLICE_NONE;
        if (place(m, i, engines, &why)) {
            continue;
        }
        uint32_t at = l->n_groups++;
        l->groups[at] = (struct layout_group){.name = arena_copy(m->a, p->name),
                                              .first = p->level,
                                              .n = 1,
                                              .members = 1ULL << i,
                                              .apart = why};
        m->group_of[i] = at;
        engines[at] = (struct layout_engine){
            .eng = p->eng, .keys = p->keys, .borrowed = true, .members = 1ULL << i};
        engines[at].before[i] = p->before;
    }
}
