/* SPDX-License-Identifier: Apache-2.0
 *
 * See share.h.
 */
#include "operators/graph/share.h"

#include "operators/graph/sel.h"
#include "operators/sig/load.h"
#include "operators/window/win_store.h"

#include <assert.h>

static struct win_pack *pack_of(const struct sel_src *s)
{
    return s->view->pack;
}

static const struct route_filter *filter_of(const struct sel_src *s)
{
    return &s->in->p->streams[s->num].filter;
}

/* Its like may be there, or come: a filter that asks more than the event may have another answer
 * for each statement, and windows of partitions begin and end with these. */
static bool may_share(const struct sel_src *s)
{
    const struct stmt *st = s->in->in.st;
    const struct sel_stream *p = &s->in->p->streams[s->num];
    bool plain = p->kind == SRC_FILTER && p->contained == NULL && st->context == NULL;
    return plain && !st->eng->conf.unshared && s->view != NULL && s->view->pack != NULL &&
           (p->filter.cond == NULL || route_is_of_event(p->filter.cond));
}

static bool ex_same(const struct ex *a, const struct ex *b)
{
    return route_is_of_event(a) && route_asks_same(a, b);
}

static bool is_like(const struct sel_src *a, const struct sel_src *b)
{
    const struct route_filter *f = filter_of(a), *g = filter_of(b);
    bool both = f->cond != NULL && g->cond != NULL;
    return f->type == g->type && (both ? route_asks_same(f->cond, g->cond) : f->cond == g->cond) &&
           view_same(a->view, b->view, ex_same);
}

/* Thousands may look for their like: most are told apart by what their filters ask. */
void share_begin(struct sel_src *s)
{
    struct eng *e = s->in->in.eng;
    if (!may_share(s)) {
        return;
    }
    const struct ex *cond = filter_of(s)->cond;
    const struct share mine = {cond != NULL ? route_ex_hash(cond) : 0, s};
    pack_of(s)->owner = s->in->in.st->id;
    for (size_t i = 0; !e->loading && i < e->shares.len; i++) {
        const struct share *with = &e->shares.ptr[i];
        if (with->asks == mine.asks && is_like(with->src, s) &&
            win_store_is_open(pack_of(with->src))) {
            win_store_join(pack_of(with->src), pack_of(s));
            break;
        }
    }
    *VEC_PUSH(&e->shares) = mine;
}

void share_end(struct sel_src *s)
{
    struct eng *e = s->in->in.eng;
    if (s->view == NULL || s->view->pack == NULL || pack_of(s)->owner == 0) {
        return;
    }
    for (size_t i = e->shares.len; i > 0; i--) {
        if (e->shares.ptr[i - 1].src == s) {
            (void)VEC_REMOVE(&e->shares, i - 1);
            return;
        }
    }
}

/* ---- state ---- */

static struct win_store *store_of(const struct sel_src *s)
{
    const struct win_seat *seat = pack_of(s)->seat;
    return seat != NULL ? seat->store : NULL;
}

void share_settle(struct eng *e)
{
    VEC_EACH (&e->shares, of) {
        struct win_store *store = store_of(of->src);
        if (store != NULL && store->seats.ptr[0] == pack_of(of->src)->seat) { /* once for all */
            win_store_settle(store);
        }
    }
}

/* The stream of the statement that may be shared, if there is one; or NULL. */
static struct sel_src *src_of(const struct stmt *st)
{
    if (st->ops->start != sel_start || st->insts.len != 1) {
        return NULL;
    }
    struct sel_src *s = ((struct sel_inst *)(void *)st->insts.ptr[0])->src;
    return s->view != NULL && s->view->pack != NULL && pack_of(s)->owner != 0 ? s : NULL;
}

struct win_store *share_saved_with(const struct stmt *st)
{
    const struct sel_src *s = src_of(st);
    struct win_store *store = s != NULL ? store_of(s) : NULL;
    return store != NULL && store->number == st->id ? store : NULL;
}

static bool awaits(const struct sel_src *s, uint64_t number)
{
    const struct win_seat *seat = pack_of(s)->seat;
    return seat != NULL && seat->store == NULL && (number == 0 || seat->awaits == number);
}

/* The first from `at` on; number 0: of any store. */
static size_t who_awaits(const struct eng *e, uint64_t number, size_t at)
{
    while (at < e->shares.len && !awaits(e->shares.ptr[at].src, number)) {
        at++;
    }
    return at;
}

bool share_is_awaited(const struct eng *e, uint64_t number)
{
    return who_awaits(e, number, 0) < e->shares.len;
}

void share_load(struct eng *e, uint64_t number, struct load *l)
{
    size_t at = who_awaits(e, number, 0);
    assert(at < e->shares.len);
    struct win_store *store = win_store_load(pack_of(e->shares.ptr[at].src), l);
    for (; load_ok(l) && at < e->shares.len; at = who_awaits(e, number, at + 1)) {
        if (!win_store_seat(store, pack_of(e->shares.ptr[at].src))) {
            load_fail(l, "a window that is not of its store");
        }
    }
    if (store != NULL && store->seats.len == 0) {
        win_store_free(store);
    }
}

/* ---- for tools ---- */

size_t eng_shares(const struct eng *e, size_t statement, size_t *ret, size_t max)
{
    const struct sel_src *s = statement < e->stmts.len ? src_of(e->stmts.ptr[statement]) : NULL;
    const struct win_store *store = s != NULL ? store_of(s) : NULL;
    size_t n = 0;
    for (size_t i = 0; store != NULL && i < e->stmts.len; i++) {
        const struct sel_src *other = src_of(e->stmts.ptr[i]);
        if (other != NULL && store_of(other) == store) {
            if (n < max) {
                ret[n] = i;
            }
            n++;
        }
    }
    return n;
}
