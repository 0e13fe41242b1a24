/* SPDX-License-Identifier: Apache-2.0
 *
 * Saving and loading a pattern: its instances in pages by birth, those of so many births each. An
 * instance is its number, that of its parent, its node, the match it was begun with, and what its
 * kind adds (pat_def.save, load). What is below it is not part of it, so a page stays as it is as
 * long as nothing of its own changes or ends, and may be written by itself before that
 * (save_late.h). Kids are in order of birth. References to kids are not written: a kind finds them
 * again (pat_def.loaded) by their slot or number. Timers come back with their due time and place,
 * leaves of the route index with their number, so that the order of everything to come is the same.
 *
 * Matches are the pattern's own affair: each is numbered when it is first written in a page (its
 * columns follow) and is that number in the rest of it. Loaded, a match is one object in all pages.
 * A tag that repeats is one event in the parts of its until and a list behind it.
 *
 * Pages of many instances have a node of their own: neighbours share a group, so a chunk changes
 * only if one of so many births does. A load that fails leaves a pattern that was never started.
 */
#include "operators/pattern/pat_impl.h"

#include "core/base/mem.h"
#include "operators/sig/evt_serials.h"
#include "operators/sig/save_late.h"

#include <assert.h>
#include <stdlib.h>

enum {
    PAGE = 32,        /* births */
    GROUP_PAGES = 16, /* that lie beside each other in a group */
    FEW = 4,          /* so many instances have no node of their own */
    SOON = 8,         /* instances ahead of the one that is given its place */
};

struct pat_inst *pat_kid(const struct pat_inst *i, uint32_t slot)
{
    for (struct pat_inst *k = i->first; k != NULL; k = k->next) {
        if (k->slot == slot) {
            return k;
        }
    }
    return NULL;
}

/* ---- save ---- */

void pat_save_match(struct pat *p, struct save *s, struct evt *m)
{
    if (m == NULL || m->mark != 0) {
        save_u(s, m == NULL ? 0 : m->mark);
        return;
    }
    assert(m->type == p->plan->type);
    *VEC_PUSH(&p->named) = m;
    m->mark = (uint32_t)p->named.len;
    save_u(s, m->mark);
    save_u(s, m->serial);
    save_vals(s, m->p, m->type->n_cols);
}

static void forget_named(struct pat *p)
{
    VEC_EACH (&p->named, m) {
        (*m)->mark = 0;
    }
    VEC_CLEAR(&p->named);
}

void pat_save_timer(const struct pat_inst *i, struct save *s, const struct tmr *t)
{
    tmr_save_as(s, t, tmr_is_set(t) || t == i->pat->late.firing);
}

static void save_inst(struct pat_inst *i, struct save *s)
{
    assert(!i->dead && !i->probing);
    save_u(s, i->nr % PAGE);
    save_u(s, i->parent != NULL ? i->parent->nr : 0);
    save_u(s, i->node->id);
    pat_save_match(i->pat, s, i->begin);
    if (i->node->def->save != NULL) {
        i->node->def->save(i, s);
    }
}

/* Whether it is in the page, for a cut behind which births `end` and later came. */
static bool in_page(const struct pat_inst *i, uint64_t page, uint64_t end)
{
    return i != NULL && i->nr / PAGE == page && i->nr < end;
}

static struct pat_inst *newer(const struct pat_inst *i)
{
    struct pat_ring *r = i->ring.newer;
    return r != &i->pat->all ? pat_of_ring(r) : NULL;
}

static struct pat_inst *oldest(const struct pat *p)
{
    return p->all.newer != &p->all ? pat_of_ring(p->all.newer) : NULL;
}

/* Of the page that begins with that instance; what comes behind it. */
static struct pat_inst *save_page_inside(struct pat_inst *first, uint64_t end, struct save *s)
{
    uint64_t page = first->nr / PAGE, n = 0;
    struct pat_inst *i;
    for (i = first; in_page(i, page, end); i = newer(i)) {
        n++;
    }
    save_u(s, page);
    save_u(s, n);
    for (i = first; in_page(i, page, end); i = newer(i)) {
        save_inst(i, s);
    }
    forget_named(first->pat);
    return i;
}

static struct pat_inst *save_page(struct pat_inst *first, uint64_t end, struct save *s)
{
    uint64_t page = first->nr / PAGE;
    save_group(s, (uint16_t)(page / GROUP_PAGES % SAVE_GROUPS));
    save_item(s, page);
    save_space(s);
    struct pat_inst *next = save_page_inside(first, end, s);
    save_space_end(s);
    return next;
}

/* Matches may have long lists in them. */
static bool has_lists(const struct pat *p)
{
    const struct etype *t = p->plan->type;
    bool any = false;
    for (uint32_t i = 0; i < t->n_cols; i++) {
        any |= t->cols[i].ty.kind == TY_LIST;
    }
    return any;
}

static bool is_long(const struct pat *p, const struct evt *m)
{
    enum { LONG = 256 };
    bool any = false;
    for (uint32_t i = 0; m != NULL && i < p->plan->type->n_cols; i++) {
        any |= m->p[i].kind == DAT_LIST && m->p[i].l->len > LONG;
    }
    return any;
}

bool pat_is_apart(const struct pat *p)
{
    bool apart = p->live + p->partials > FEW, lists = !apart && has_lists(p);
    for (const struct pat_inst *i = oldest(p); lists && i != NULL; i = newer(i)) {
        apart |= is_long(p, i->begin);
    }
    return apart;
}

void pat_save(struct pat *p, struct save *s, bool apart)
{
    assert(p->depth == 0 && !p->freeing && p->named.len == 0);
    apart = apart && pat_is_apart(p);
    pat_save_match(p, s, p->begin);
    save_u(s, p->refused);
    save_u(s, p->born);
    save_u(s, p->live);
    save_u(s, p->out.len);
    VEC_EACH (&p->out, m) {
        pat_save_match(p, s, *m);
    }
    forget_named(p);
    save_bool(s, apart);
    for (struct pat_inst *i = oldest(p); !apart && i != NULL;) {
        i = save_page_inside(i, UINT64_MAX, s);
    }
}

/* ---- in slices: pages in their order, but those first that are about to change ---- */

static size_t write_page(struct pat_inst *i)
{
    struct pat *p = i->pat;
    uint64_t page = i->nr / PAGE;
    struct save *s = save_late_to(p->late.to);
    for (struct pat_ring *r = i->ring.older;
         r != &p->all && in_page(pat_of_ring(r), page, p->late.end); r = r->older) {
        i = pat_of_ring(r);
    }
    (void)save_page(i, p->late.end, s);
    for (; in_page(i, page, p->late.end); i = newer(i)) {
        i->cut = p->late.cut;
    }
    return save_item_bytes(s);
}

void pat_save_first(struct pat_inst *i)
{
    for (; i != NULL; i = i->parent) {
        if (i->nr < i->pat->late.end && i->cut != i->pat->late.cut) {
            (void)write_page(i);
        }
    }
}

void pat_save_gone(struct pat_inst *i)
{
    struct pat *p = i->pat;
    pat_save_first(i);
    p->late.at = p->late.at == &i->ring ? i->ring.newer : p->late.at;
}

void pat_fired(struct pat_inst *i, const struct tmr *t)
{
    i->pat->late.firing = t;
    pat_touch(i);
    i->pat->late.firing = NULL;
}

static bool late_step(void *arg, size_t bytes)
{
    enum { LOOK = 32 }; /* what it costs to find that it is written already */
    struct pat *p = arg;
    for (size_t n = 0; p->late.to != NULL && n < bytes;) {
        struct pat_inst *i = pat_of_ring(p->late.at);
        if (p->late.at == &p->all || i->nr >= p->late.end) {
            save_late_end(p->late.to);
            p->late.to = NULL;
            continue;
        }
        n += i->cut == p->late.cut ? LOOK : write_page(i);
        p->late.at = i->ring.newer;
    }
    return p->late.to == NULL;
}

static void late_forget(void *arg)
{
    ((struct pat *)arg)->late.to = NULL;
}

void pat_save_rest(struct pat *p)
{
    while (p->late.to != NULL) {
        (void)late_step(p, SIZE_MAX);
    }
}

void pat_save_pages(struct pat *p, struct save *s)
{
    static const struct save_late_ops ops = {late_step, late_forget};
    bool may = p->late.to == NULL && vheap_numbers(p->env->heap);
    size_t size = has_lists(p) ? SIZE_MAX : (p->live + p->partials) * sizeof(struct pat_inst);
    struct save_late *to = may ? save_node_later(s, &ops, p, size) : NULL;
    if (to != NULL) {
        p->late.to = to;
        p->late.at = p->all.newer;
        p->late.end = p->born + 1;
        p->late.cut++;
        return;
    }
    for (struct pat_inst *i = oldest(p); i != NULL;) {
        i = save_page(i, UINT64_MAX, s);
    }
}

/* ---- load ---- */

struct born { /* an instance without its place */
    struct pat_inst *i;
    uint64_t nr, parent;
};

struct born_vec {
    struct born *ptr;
    size_t len, cap;
};

struct run {     /* instances whose numbers ascend, as read */
    uint64_t nr; /* the first one's */
    size_t at, n;
};

struct pat_reader {
    bool apart;
    uint64_t left;            /* instances to be read */
    struct born_vec insts;    /* by number, in the end */
    VEC(struct run) runs;     /* of them, as they were read */
    struct evt_serials known; /* matches of all pages */
    struct born found;        /* what was asked for last; i: NULL, or it */
};

/* A tag's value: its event, or events, or nothing. What a column that is not a tag holds is fine.
 */
static bool fits(const struct ecol *c, struct dat v)
{
    const struct etype *t = c->ty.kind == TY_LIST && c->ty.elem != NULL ? c->ty.elem->ev : c->ty.ev;
    if (v.kind == DAT_LIST) {
        for (uint32_t i = 0; i < v.l->len; i++) {
            if (v.l->v[i].kind != DAT_EVENT || !ety_is(v.l->v[i].ev->type, t)) {
                return false;
            }
        }
        return c->ty.kind == TY_LIST;
    }
    return dat_is_null(v) || (v.kind == DAT_EVENT && ety_is(v.ev->type, t));
}

bool pat_fits(const struct pat *p, int col, struct dat v)
{
    return fits(&p->plan->type->cols[col], v);
}

struct evt *pat_load_match(struct pat *p, struct load *l)
{
    uint64_t number = load_u(l);
    if (number <= p->named.len) {
        return number > 0 ? p->named.ptr[number - 1] : NULL;
    }
    const struct etype *t = p->plan->type;
    if (number != p->named.len + 1) {
        load_fail(l, "match %llu of %zu", (unsigned long long)number, p->named.len);
        return NULL;
    }
    struct evt *m = evt_new(p->env->heap, t);
    m->serial = load_u(l);
    evt_serials_soon(&p->reader->known, m->serial);
    for (uint32_t k = 0; k < t->n_cols && load_ok(l); k++) {
        struct dat v = load_val(l);
        if (!fits(&t->cols[k], v)) {
            load_fail(l, "a value that is no event of its tag");
            return NULL;
        }
        evt_set(m, k, v);
    }
    m = m->serial != 0 ? evt_serials_one(&p->reader->known, m->serial, m) : m;
    *VEC_PUSH(&p->named) = m;
    return m;
}

static void note_birth(struct pat_reader *r, struct pat_inst *i, uint64_t parent)
{
    if (r->insts.len == 0 || VEC_LAST(&r->insts)->nr / PAGE != i->nr / PAGE ||
        VEC_LAST(&r->insts)->nr > i->nr) {
        *VEC_PUSH(&r->runs) = (struct run){.nr = i->nr, .at = r->insts.len};
    }
    VEC_LAST(&r->runs)->n++;
    *VEC_PUSH(&r->insts) = (struct born){i, i->nr, parent};
}

static void load_inst(struct pat *p, uint64_t page, struct load *l)
{
    struct pat_reader *r = p->reader;
    uint64_t at = load_u(l), parent = load_u(l), id = load_u(l), nr = page * PAGE + at;
    if (!load_ok(l) || at >= PAGE || page > p->born / PAGE || nr == 0 || nr > p->born ||
        id >= p->plan->n_nodes || r->left == 0) {
        load_fail(l, "instance %llu of %llu", (unsigned long long)nr, (unsigned long long)p->born);
        return;
    }
    struct pat_inst *i = pat_new_inst(p, p->nodes[id]);
    i->nr = nr;
    r->left--;
    note_birth(r, i, parent);
    pat_begun_with(i, pat_load_match(p, l));
    if (load_ok(l) && i->node->def->load != NULL) {
        i->node->def->load(i, l);
    }
}

static void load_page_inside(struct pat *p, struct load *l)
{
    uint64_t page = load_u(l);
    for (size_t n = load_count(l, 4); n > 0 && load_ok(l); n--) {
        load_inst(p, page, l);
    }
    VEC_CLEAR(&p->named);
}

void pat_load_page(struct pat *p, struct load *l)
{
    size_t space = load_space(l);
    if (p->reader == NULL || !p->reader->apart) {
        load_fail(l, "instances of a pattern that has all of them");
    } else {
        load_page_inside(p, l);
    }
    load_space_end(l, space);
}

/* Those that have no place in the tree are given back, too. */
void pat_reader_free(struct pat *p)
{
    struct pat_reader *r = p->reader;
    if (r == NULL) {
        return;
    }
    VEC_EACH (&r->insts, x) {
        pat_quit(x->i);
    }
    VEC_DONE(&r->insts);
    VEC_DONE(&r->runs);
    evt_serials_done(&r->known);
    mem_free(r);
    p->reader = NULL;
}

static int by_first(const void *a, const void *b)
{
    const struct run *x = a, *y = b;
    return x->nr < y->nr ? -1 : x->nr > y->nr;
}

/* Births of different pages do not mix: whole runs are put in their order, and what does not ascend
 * then is wrong. */
static void put_in_order(struct pat_reader *r)
{
    if (r->runs.len < 2) {
        return;
    }
    qsort(r->runs.ptr, r->runs.len, sizeof *r->runs.ptr, by_first);
    struct born *to = mem_alloc(r->insts.len * sizeof *to);
    size_t n = 0;
    VEC_EACH (&r->runs, x) {
        memcpy(to + n, r->insts.ptr + x->at, x->n * sizeof *to);
        n += x->n;
    }
    assert(n == r->insts.len);
    VEC_DONE(&r->insts);
    r->insts = (struct born_vec){to, n, n};
}

static struct pat_inst *find(struct pat_reader *r, uint64_t nr)
{
    if (r->found.i != NULL && r->found.nr == nr) { /* neighbours often have the same parent */
        return r->found.i;
    }
    size_t low = 0, high = r->insts.len;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (r->insts.ptr[mid].nr < nr) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    bool found = low < r->insts.len && r->insts.ptr[low].nr == nr;
    r->found = found ? r->insts.ptr[low] : (struct born){0};
    return r->found.i;
}

/* Older ones have their places. */
static bool give_place(struct pat *p, const struct born *x)
{
    struct pat_inst *i = x->i;
    if (x->parent == 0 && i->node->up == NULL && p->root == NULL) {
        p->root = i;
        return true;
    }
    struct pat_inst *to = x->parent < x->nr ? find(p->reader, x->parent) : NULL;
    if (to == NULL || to->node != i->node->up ||
        (to->node->def->one_each && pat_kid(to, i->slot) != NULL)) {
        return false;
    }
    pat_link(i, to);
    return true;
}

/* By number: parents before kids, kids in their order. */
static void build(struct pat *p, struct load *l)
{
    struct pat_reader *r = p->reader;
    put_in_order(r);
    for (size_t k = 0; k < r->insts.len; k++) {
        const struct born *x = &r->insts.ptr[k];
        if (k + SOON < r->insts.len) {
            __builtin_prefetch(x[SOON].i, 1);
        }
        if ((k > 0 && x[-1].nr >= x->nr) || !give_place(p, x)) {
            load_fail(l, "instance %llu twice, or where none can be", (unsigned long long)x->nr);
            return;
        }
    }
    VEC_EACH (&r->insts, x) {
        if (x->i->node->def->loaded != NULL) {
            x->i->node->def->loaded(x->i, l);
        }
    }
}

/* It was never started. */
static void give_up(struct pat *p)
{
    VEC_EACH (&p->out, m) {
        evt_drop(p->env->heap, *m);
    }
    VEC_CLEAR(&p->out);
    p->root = NULL;
    pat_reader_free(p);
    if (p->begin != NULL) {
        evt_drop(p->env->heap, p->begin);
        p->begin = NULL;
    }
}

void pat_loaded(struct pat *p, struct load *l)
{
    struct pat_reader *r = p->reader;
    if (r == NULL) {
        return;
    }
    pat_enter(p);
    if (load_ok(l) && r->left > 0) {
        load_fail(l, "%llu instances are missing", (unsigned long long)r->left);
    }
    if (load_ok(l)) {
        build(p, l);
    }
    if (load_ok(l)) {
        VEC_EACH (&r->insts, x) {
            pat_enlist(x->i);
        }
        VEC_CLEAR(&r->insts);
        pat_reader_free(p);
    } else {
        give_up(p);
    }
    pat_leave(p);
}

void pat_load(struct pat *p, struct load *l, bool apart)
{
    assert(p->root == NULL && p->depth == 0 && p->out.len == 0 && p->reader == NULL);
    pat_enter(p);
    VEC_CLEAR(&p->named);
    p->reader = MEM_NEW(struct pat_reader);
    struct evt *begin = pat_load_match(p, l);
    p->refused = load_u(l);
    p->born = load_u(l);
    p->reader->left = load_u(l);
    for (size_t n = load_count(l, 1); n > 0 && load_ok(l); n--) {
        struct evt *m = pat_load_match(p, l);
        if (m == NULL) {
            load_fail(l, "a match that is none");
            break;
        }
        *VEC_PUSH(&p->out) = evt_keep(m);
    }
    VEC_CLEAR(&p->named);
    if (p->begin != NULL) {
        evt_drop(p->env->heap, p->begin);
    }
    p->begin = begin != NULL ? evt_keep(begin) : NULL;
    p->reader->apart = load_bool(l);
    if (p->reader->apart && !apart) {
        load_fail(l, "a pattern without its instances");
    }
    while (load_ok(l) && !p->reader->apart && p->reader->left > 0) {
        load_page_inside(p, l);
    }
    if (!load_ok(l) || !p->reader->apart) {
        pat_loaded(p, l);
    }
    pat_leave(p);
}
