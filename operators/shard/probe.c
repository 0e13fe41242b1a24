/* SPDX-License-Identifier: Apache-2.0
 *
 * See probe.h. The types are those of an engine without rules; the index is the same as an
 * engine's, with parties instead of statements at its leaves.
 */
#include "operators/shard/probe.h"

#include "core/base/arena.h"
#include "core/base/mem.h"
#include "operators/graph/eng.h"
#include "operators/sig/dat_intake.h"

#include <assert.h>

enum { TYPES_TEXT = 1 << 20, TYPES_MAX = 16 };

struct probe_party {
    const void *shared;
    uint64_t id;
    uint32_t refs;
    size_t at; /* among the parties */
    struct route_filter *filters;
    VEC(struct route_leaf *) leaves;
    uint64_t record; /* that `events` is of */
    VEC(uint32_t) events;
    VEC(void *) watchers;
    const uint32_t *wanted; /* in the arena of that record */
};

struct type { /* of records, and its columns */
    const struct etype *type;
    bool *asked; /* per column */
};

struct probe {
    struct intern *keys;
    struct eng *eng;
    struct route *route;
    struct dat_intake *intake;
    struct type types[TYPES_MAX];
    uint32_t n_types;
    VEC(struct probe_party *) parties;
    VEC(struct probe_party *) touched;
    struct route_hits hits;
    int64_t now; /* no want asks for it */
    uint64_t ids, record;
    bool stale; /* a column is asked for that the intake leaves out */
};

static void add_type(struct probe *p, const struct builtin_type *row)
{
    const struct etype *type = eng_type(p->eng, slice_str(row->name));
    if (row->world == BUILTIN_KAIJU && type != NULL && p->n_types < TYPES_MAX) {
        p->types[p->n_types++] = (struct type){type, mem_calloc(type->n_cols + 1, sizeof(bool))};
    }
}

struct probe *probe_new(struct intern *keys)
{
    struct probe *p = MEM_NEW(struct probe);
    struct buf text;
    struct err err;
    p->keys = keys;
    p->eng = eng_new(&(struct eng_conf){.on_rows = NULL});
    p->route = route_new(eng_heap(p->eng), &p->now, false);
    buf_init(&text, TYPES_TEXT);
    builtin_epl(BUILTIN_KAIJU, &text);
    int rc = eng_deploy(p->eng, SLICE(BUILTIN_DEPLOYMENT), buf_slice(&text), &err);
    assert(rc == 0);
    (void)rc;
    buf_done(&text);
    for (size_t i = 0; i < builtin_n_types; i++) {
        add_type(p, &builtin_types[i]);
    }
    p->stale = true;
    return p;
}

static void party_free(struct probe *p, struct probe_party *who)
{
    VEC_EACH (&who->leaves, l) {
        route_remove(p->route, *l);
    }
    route_sweep(p->route);
    VEC_DONE(&who->leaves);
    VEC_DONE(&who->events);
    VEC_DONE(&who->watchers);
    mem_free(who->filters);
    mem_free(who);
}

void probe_free(struct probe *p)
{
    if (p == NULL) {
        return;
    }
    VEC_EACH (&p->parties, who) {
        party_free(p, *who);
    }
    VEC_DONE(&p->parties);
    VEC_DONE(&p->touched);
    VEC_DONE(&p->hits.v);
    dat_intake_free(p->intake);
    route_free(p->route);
    for (uint32_t i = 0; i < p->n_types; i++) {
        mem_free(p->types[i].asked);
    }
    eng_free(p->eng);
    mem_free(p);
}

/* ---- parties ---- */

static void ask_for(struct probe *p, const struct etype *as, uint32_t col)
{
    for (uint32_t i = 0; i < p->n_types; i++) {
        struct type *t = &p->types[i];
        const uint16_t *view = ety_view(t->type, as);
        if (t->type == as || view != NULL) {
            uint32_t at = view != NULL ? view[col] : col;
            p->stale |= !t->asked[at];
            t->asked[at] = true;
        }
    }
}

static void add_leaf(struct probe *p, struct probe_party *who, const struct etype *type,
                     const struct route_want *w, struct route_filter *f)
{
    struct route_leaf *l = NULL;
    struct route_want all = {.type = w->type};
    if (!route_want_add(p->route, type, w, f, who, &l)) {
        bool fits = route_want_add(p->route, type, &all, f, who, &l);
        assert(fits);
        (void)fits;
    }
    *VEC_PUSH(&who->leaves) = l;
    for (uint32_t i = 0; i < f->n_keys; i++) {
        ask_for(p, type, f->key_slot[i]);
    }
    if (f->ranged) {
        ask_for(p, type, f->range_slot);
    }
}

struct probe_party *probe_join(struct probe *p, const struct route_want *wants, size_t n,
                               const void *shared)
{
    VEC_EACH (&p->parties, of) {
        if (shared != NULL && (*of)->shared == shared) {
            (*of)->refs++;
            return *of;
        }
    }
    struct probe_party *who = MEM_NEW(struct probe_party);
    *who = (struct probe_party){.shared = shared, .id = ++p->ids, .refs = 1, .at = p->parties.len};
    *VEC_PUSH(&p->parties) = who;
    who->filters = mem_calloc(n + 1, sizeof *who->filters);
    for (size_t i = 0; i < n; i++) {
        const struct etype *type = eng_type(p->eng, wants[i].type);
        if (type != NULL) { /* else no record that is probed becomes an event of it */
            add_leaf(p, who, type, &wants[i], &who->filters[i]);
        }
    }
    vheap_drain(eng_heap(p->eng));
    return who;
}

void probe_leave(struct probe *p, struct probe_party *who)
{
    if (who == NULL || --who->refs > 0) {
        return;
    }
    VEC_REMOVE(&p->parties, who->at);
    for (size_t i = who->at; i < p->parties.len; i++) {
        p->parties.ptr[i]->at = i;
    }
    party_free(p, who);
}

uint64_t probe_id(const struct probe_party *who)
{
    return who->id;
}

/* ---- records ---- */

static void make_intake(struct probe *p)
{
    dat_intake_free(p->intake);
    p->intake = dat_intake_new(eng_heap(p->eng), p->keys);
    for (uint32_t i = 0; i < p->n_types; i++) {
        const struct type *t = &p->types[i];
        (void)dat_intake_builtin(p->intake, t->type, BUILTIN_KAIJU);
        for (uint32_t k = 0; k < t->type->n_cols; k++) {
            if (!t->asked[k]) {
                dat_intake_skip(p->intake, t->type, k);
            }
        }
    }
    p->stale = false;
}

static void add_event(struct probe *p, struct probe_party *who, uint32_t event)
{
    if (who->record != p->record) {
        who->record = p->record;
        VEC_CLEAR(&who->events);
        *VEC_PUSH(&p->touched) = who;
    }
    if (who->events.len == 0 || *VEC_LAST(&who->events) != event) {
        *VEC_PUSH(&who->events) = event;
    }
}

static bool match(struct probe *p, const struct rec *r)
{
    struct evt *e = dat_intake_again(p->intake, r);
    if (e == NULL) {
        return false;
    }
    route_probe(p->route, e, &p->hits);
    size_t n = 0;
    VEC_EACH (&p->hits.v, h) {
        if (route_want_spans(h->leaf, e)) {
            p->hits.v.ptr[n++] = *h;
        }
    }
    p->hits.v.len = n;
    return true;
}

void probe_record(struct probe *p, struct arena *a, const struct rec *events, uint32_t n)
{
    p->record++;
    VEC_CLEAR(&p->touched);
    if (p->stale) {
        make_intake(p);
    }
    dat_intake_begin(p->intake);
    for (uint32_t i = 0; i < n; i++) {
        bool known = match(p, &events[i]);
        for (size_t k = 0; known && k < p->hits.v.len; k++) {
            add_event(p, p->hits.v.ptr[k].leaf->arg, i);
        }
        for (size_t k = 0; !known && k < p->parties.len; k++) {
            add_event(p, p->parties.ptr[k], i);
        }
        vheap_drain(eng_heap(p->eng));
    }
    VEC_EACH (&p->touched, who) {
        size_t bytes = (*who)->events.len * sizeof(uint32_t);
        uint32_t *to = arena_alloc(a, bytes);
        if (to != NULL) {
            memcpy(to, (*who)->events.ptr, bytes);
        }
        (*who)->wanted = to;
    }
}

void probe_watch(struct probe_party *who, void *arg)
{
    *VEC_PUSH(&who->watchers) = arg;
}

void probe_unwatch(struct probe_party *who, const void *arg)
{
    for (size_t i = who->watchers.len; i > 0; i--) {
        if (who->watchers.ptr[i - 1] == arg) {
            who->watchers.ptr[i - 1] = *VEC_LAST(&who->watchers);
            who->watchers.len--;
            return;
        }
    }
}

void probe_tell(const struct probe *p, void (*f)(void *to, void *arg), void *to)
{
    VEC_EACH (&p->touched, who) { /* from the last on: into the place of one told comes another */
        for (size_t i = (*who)->watchers.len; i > 0; i--) {
            f(to, (*who)->watchers.ptr[i - 1]);
        }
    }
}

const uint32_t *probe_wanted(const struct probe *p, const struct probe_party *who, uint32_t *ret_n)
{
    static const uint32_t none[1] = {0};
    *ret_n = who->record == p->record ? (uint32_t)who->events.len : 0;
    return *ret_n > 0 ? who->wanted : none;
}

bool probe_one(struct probe *p, const struct probe_party *who, const struct rec *event)
{
    if (p->stale) {
        make_intake(p);
    }
    dat_intake_begin(p->intake);
    bool wants = !match(p, event);
    for (size_t k = 0; !wants && k < p->hits.v.len; k++) {
        wants = p->hits.v.ptr[k].leaf->arg == who;
    }
    vheap_drain(eng_heap(p->eng));
    return wants;
}
