/* SPDX-License-Identifier: Apache-2.0
 *
 * See state_rig.h.
 */
#include "tests/unit/operators/pattern/state_rig.h"

#include "tests/test.h"

#include <stdio.h>

enum { NODE = 7 };

uint32_t dice_roll(struct dice *d, uint32_t n)
{
    d->at += 0x9e3779b97f4a7c15ULL;
    uint64_t x = d->at;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
    return (uint32_t)((x ^ (x >> 31)) % n);
}

static void on_rows(void *arg, struct slice statement, const struct eng_rows *rows)
{
    struct buf *out = arg;
    (void)statement;
    (void)buf_add_str(out, "|");
    for (size_t i = 0; i < rows->n_nw; i++) {
        for (uint32_t k = 0; k < rows->nw[i]->type->n_cols; k++) {
            (void)buf_add_str(out, k > 0 ? "," : " ");
            if (dat_is_null(rows->nw[i]->p[k])) {
                (void)buf_add_str(out, "-");
            } else {
                dat_text_to(rows->nw[i]->p[k], out);
            }
        }
    }
}

static struct sel_src *source(struct rig *r)
{
    struct stmt *st = *VEC_LAST(&r->e->stmts);
    CHECK(st->insts.len == 1);
    return &((struct sel_inst *)(void *)st->insts.ptr[0])->src[0];
}

void rig_open(struct rig *r, const char *text)
{
    static const char schemas[] = "create schema A(id string, x int);"
                                  "create schema B(id string, x int);"
                                  "create schema C(id string, x int);";
    char all[3000];
    struct err err;
    *r = (struct rig){.e = NULL};
    buf_init(&r->out, 1 << 24);
    struct eng_conf conf = {.on_rows = on_rows, .arg = &r->out};
    r->e = eng_new(&conf);
    (void)snprintf(all, sizeof all, "%s @name('out') %s", schemas, text);
    err_clear(&err);
    CHECK_OK(eng_deploy(r->e, SLICE("main"), slice_str(all), &err), err);
    r->types[r->n_types++] = eng_type(r->e, SLICE("A"));
    r->types[r->n_types++] = eng_type(r->e, SLICE("B"));
    r->types[r->n_types++] = eng_type(r->e, SLICE("C"));
}

void rig_close(struct rig *r)
{
    eng_free(r->e);
    buf_done(&r->out);
}

void rig_play(struct rig *r, struct dice *d)
{
    static const char *const ids[] = {"p", "q", "r"};
    struct err err;
    uint32_t what = dice_roll(d, 10);
    if (what >= 8) {
        eng_advance(r->e, eng_now(r->e) + dice_roll(d, 3) * 1000 + dice_roll(d, 3) * 500);
        return;
    }
    struct vheap *h = eng_heap(r->e);
    struct evt *e = evt_new(h, r->types[what < 4 ? 0 : what < 7 ? 1 : 2]);
    evt_set(e, 0, dat_str(vstr_new(h, slice_str(ids[dice_roll(d, ARRAY_LEN(ids))]))));
    evt_set(e, 1, dat_int((int32_t)dice_roll(d, 4)));
    CHECK_OK(eng_send(r->e, e, &err), err);
}

struct slice rig_rows(struct rig *r)
{
    return buf_slice(&r->out);
}

void rig_forget(struct rig *r)
{
    buf_clear(&r->out);
}

/* ---- state ---- */

static uint64_t number_of(void *arg, const struct etype *t)
{
    const struct rig *r = arg;
    for (uint32_t i = 0; i < r->n_types; i++) {
        if (r->types[i] == t) {
            return i;
        }
    }
    return UINT64_MAX;
}

static const struct etype *type_of(void *arg, uint64_t number)
{
    const struct rig *r = arg;
    return number < r->n_types ? r->types[number] : NULL;
}

static struct save_types types_of(struct rig *r)
{
    return (struct save_types){number_of, type_of, r};
}

static void on_chunk(void *arg, const struct save_chunk *c)
{
    CHECK(c->node == NODE && c->group == SAVE_NO_GROUP);
    buf_add_slice(arg, c->bytes);
}

void rig_save(struct rig *r, struct buf *to)
{
    struct save_types types = types_of(r);
    struct save *s = save_new(&types, &r->e->serial, on_chunk, to);
    const struct sel_src *src = source(r);
    buf_clear(to);
    save_begin(s, NODE);
    if (src->pat != NULL) {
        pat_save(src->pat, s, false);
    } else {
        mr_save(src->mr, s, false);
    }
    save_end(s);
    save_free(s);
    vheap_drain(eng_heap(r->e));
}

int rig_load(struct rig *r, const struct rig *like, struct slice bytes, struct err *reterr)
{
    struct save_types types = types_of(r);
    struct load *l = load_new(&types, eng_heap(r->e));
    struct sel_src *src = source(r);
    struct save_chunk c = {NODE, SAVE_NO_GROUP, bytes, NULL};
    if (src->pat != NULL) {
        pat_stop(src->pat);
        route_sweep(r->e->route);
    }
    eng_advance(r->e, eng_now(like->e));
    load_begin(l, &c);
    if (src->pat != NULL) {
        pat_load(src->pat, l, false);
    } else {
        mr_load(src->mr, l, false);
    }
    int rc = load_end(l, reterr);
    r->e->serial = like->e->serial;
    r->e->next_ref = like->e->next_ref;
    if (!route_set_seq(r->e->route, route_seq(like->e->route)) && rc == 0) {
        rc = err_set(reterr, ERR_CORRUPT, "leaves that are newer than the newest");
    }
    tmr_set_places(r->e->timers, tmr_places(like->e->timers));
    load_free(l);
    vheap_drain(eng_heap(r->e));
    return rc;
}

/* The same bytes when what was loaded is saved. */
static void reload(struct rig *from, struct rig *to, const char *text)
{
    struct buf a, b;
    struct err err;
    buf_init(&a, 1 << 26);
    buf_init(&b, 1 << 26);
    rig_open(to, text);
    rig_save(from, &a);
    err_clear(&err);
    CHECK_OK(rig_load(to, from, buf_slice(&a), &err), err);
    rig_save(to, &b);
    CHECK_EQ(from->e->serial, to->e->serial);
    CHECK(slice_eq(buf_slice(&a), buf_slice(&b)));
    CHECK_EQ(route_count(from->e->route), route_count(to->e->route));
    CHECK_EQ(tmr_count(from->e->timers), tmr_count(to->e->timers));
    buf_done(&a);
    buf_done(&b);
}

void rig_compare(const char *text, uint32_t seed, uint32_t rounds)
{
    struct rig a, b;
    struct dice dice = {seed};
    size_t rows = 0;
    rig_open(&a, text);
    for (uint32_t round = 0; round < rounds; round++) {
        for (uint32_t n = dice_roll(&dice, 12); n > 0; n--) {
            rig_play(&a, &dice);
        }
        rig_forget(&a);
        reload(&a, &b, text);
        rig_forget(&b);
        for (uint32_t n = 1 + dice_roll(&dice, 25); n > 0; n--) {
            struct dice same = dice;
            rig_play(&a, &dice);
            rig_play(&b, &same);
            if (!slice_eq(rig_rows(&a), rig_rows(&b))) {
                (void)fprintf(stderr, "%s\n" SLICE_FMT "\n" SLICE_FMT "\n", text,
                              SLICE_ARG(rig_rows(&a)), SLICE_ARG(rig_rows(&b)));
                CHECK(false);
            }
        }
        rows += rig_rows(&a).len;
        rig_close(&a);
        a = b;
        a.e->conf.arg = &a.out;
    }
    if (rows == 0) {
        (void)fprintf(stderr, "nothing came of: %s\n", text);
    }
    CHECK(rows > 0);
    rig_close(&a);
}

void rig_break(const char *text, uint32_t seed, uint32_t rounds)
{
    struct rig a, b;
    struct dice dice = {seed};
    struct buf bytes;
    struct err err;
    buf_init(&bytes, 1 << 26);
    rig_open(&a, text);
    for (uint32_t round = 0; round < rounds; round++) {
        rig_play(&a, &dice);
        rig_save(&a, &bytes);
        rig_open(&b, text);
        struct sel_src *src = source(&b);
        if (src->pat != NULL) {
            pat_stop(src->pat);
            route_sweep(b.e->route);
            vheap_drain(eng_heap(b.e));
        }
        size_t live = vheap_live(eng_heap(b.e)), leaves = route_count(b.e->route);
        size_t len = buf_slice(&bytes).len;
        if (dice_roll(&dice, 4) == 0) {
            len = dice_roll(&dice, (uint32_t)len);
        } else {
            for (uint32_t n = 1 + dice_roll(&dice, 3); n > 0; n--) {
                bytes.ptr[dice_roll(&dice, (uint32_t)len)] ^= (char)(1U << dice_roll(&dice, 8));
            }
        }
        if (rig_load(&b, &a, slice_sub(buf_slice(&bytes), 0, len), &err) != 0) {
            CHECK_EQ(ERR_CORRUPT, err.code);
            pat_free(src->pat); /* bytes may be left over: then it is loaded */
            mr_free(src->mr);
            src->pat = NULL;
            src->mr = NULL;
            route_sweep(b.e->route);
            vheap_drain(eng_heap(b.e));
            CHECK_EQ(live, vheap_live(eng_heap(b.e)));
            CHECK_EQ(leaves, route_count(b.e->route));
            CHECK_EQ(0, tmr_count(b.e->timers));
        } else {
            for (int n = 0; n < 10; n++) {
                rig_play(&b, &dice);
            }
        }
        rig_close(&b);
    }
    rig_close(&a);
    buf_done(&bytes);
}
