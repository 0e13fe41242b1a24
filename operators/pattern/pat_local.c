/* SPDX-License-Identifier: Apache-2.0
 *
 * See pat_local.h. `open` is the part of the tree whose instances hold no event yet; what is right
 * of an arrow, or within an `every` that is, holds one.
 */
#include "operators/pattern/pat_local.h"

#include "operators/pattern/pat_impl.h"

#include <assert.h>

enum locality { ATOM, EACH, FIRST, ANY, ALONE, WHOLE };

struct row {
    const struct pat_def *def;
    enum locality locality;
};

static const struct row rows[] = {
#define PAT(name, text, locality, doc) {&pat_def_##name, locality},
#include "operators/pattern/pat.def"
#undef PAT
};

static enum locality locality_of(const struct pat_node *n)
{
    size_t i = 0;
    while (rows[i].def != n->def) {
        i++;
        assert(i < ARRAY_LEN(rows));
    }
    return rows[i].locality;
}

struct walk {
    struct pat_local *to;
};

static void never(struct walk *w, const char *why)
{
    if (w->to->why == NULL) {
        w->to->why = why;
    }
}

static struct pat_told told_of(const struct pat_node *n)
{
    struct pat_told t = {.tag = -1};
    if (n->def->tell != NULL) {
        n->def->tell(n, &t);
    }
    return t;
}

static void atom(struct walk *w, const struct pat_node *n, bool begins, bool sure)
{
    if (w->to->n_atoms == PAT_ATOMS_MAX) {
        never(w, "it has too many parts");
        return;
    }
    struct pat_told t = told_of(n);
    w->to->atoms[w->to->n_atoms++] = (struct pat_atom){t.filter, t.tag, begins, sure};
}

static void held(struct walk *w, const struct pat_node *n, bool sure)
{
    if (n->def == &pat_def_filter) {
        atom(w, n, false, sure);
    }
    bool alone = n->def == &pat_def_or || n->def == &pat_def_not || n->def == &pat_def_until;
    for (uint32_t i = 0; i < n->n_kids; i++) {
        held(w, n->kids[i], sure && !alone);
    }
}

/* What `every` begins anew with each event: an atom, or one of several. */
static void each_event(struct walk *w, const struct pat_node *n, bool sure)
{
    enum locality l = locality_of(n);
    if (l == ATOM) {
        atom(w, n, true, sure);
        return;
    }
    if (l != ANY) {
        never(w, l == ALONE ? "a timer alone belongs to no key"
                            : "'every' over several parts begins anew for all keys at once");
        held(w, n, false);
        return;
    }
    for (uint32_t i = 0; i < n->n_kids; i++) {
        each_event(w, n->kids[i], false);
    }
}

static void each(struct walk *w, const struct pat_node *n, bool sure)
{
    struct pat_told t = told_of(n);
    each_event(w, n->kids[0], sure);
    if (t.n_keys > 0 && w->to->n_distinct > 0) {
        never(w, "every-distinct stands twice");
    } else if (t.n_keys > 0 && locality_of(n->kids[0]) != ATOM) {
        never(w, "every-distinct over several parts compares keys of all of them");
    } else if (t.n_keys > 0) {
        w->to->distinct = t.keys;
        w->to->n_distinct = t.n_keys;
    }
}

static void open(struct walk *w, const struct pat_node *n, bool sure)
{
    switch (locality_of(n)) {
    case EACH: each(w, n, sure); break;
    case FIRST:
        if (told_of(n).bounded) {
            never(w, "'-[n]>' counts what waits of all keys");
        }
        open(w, n->kids[0], sure);
        for (uint32_t i = 1; i < n->n_kids; i++) {
            held(w, n->kids[i], sure);
        }
        break;
    case ANY:
        for (uint32_t i = 0; i < n->n_kids; i++) {
            open(w, n->kids[i], false);
        }
        break;
    case ATOM:
        never(w, "it begins without 'every': once for all keys");
        held(w, n, false);
        break;
    case ALONE: never(w, "a timer alone belongs to no key"); break;
    case WHOLE:
        never(w, "it begins with a part that holds for all keys at once");
        held(w, n, false);
        break;
    }
}

static bool timed(const struct pat_node *n)
{
    bool any = n->def == &pat_def_within || n->def == &pat_def_withinmax || n->def->observer ||
               n->def == &pat_def_distinct;
    for (uint32_t i = 0; !any && i < n->n_kids; i++) {
        any = timed(n->kids[i]);
    }
    return any;
}

void pat_local(const struct pat_plan *p, bool is_held, struct pat_local *ret)
{
    *ret = (struct pat_local){.n_atoms = 0};
    struct walk w = {.to = ret};
    assert(p->root != NULL);
    ret->timed = timed(p->root);
    if (is_held) {
        held(&w, p->root, true);
    } else {
        open(&w, p->root, true);
    }
}
