/* SPDX-License-Identifier: Apache-2.0
 *
 * State as bytes: what is written is read again, events stay one object wherever they stand, chunks
 * go by key group, and wrong bytes are refused at whatever place they are wrong.
 */
#include "core/base/arena.h"
#include "core/base/mem.h"
#include "core/base/vec.h"
#include "operators/sig/evt_serials.h"
#include "operators/sig/load.h"
#include "tests/test.h"

#include <math.h>
#include <string.h>

struct box {
    struct arena *a;
    struct vheap *h;
    struct etypes made;
    struct etype *plain, *row;
    struct save_types types;
    uint64_t serial;
    VEC(struct save_chunk) chunks;
};

static uint64_t number(void *arg, const struct etype *t)
{
    (void)arg;
    return t->made_at;
}

static const struct etype *type(void *arg, uint64_t n)
{
    return n <= UINT32_MAX ? ety_at(arg, (uint32_t)n) : NULL;
}

static void box_init(struct box *b)
{
    *b = (struct box){.a = arena_new(NULL, "box", 1 << 20), .h = vheap_new()};
    struct ecol cols[] = {{.name = SLICE("k"), .ty = TY(STRING)},
                          {.name = SLICE("n"), .ty = TY(LONG)},
                          {.name = SLICE("e"), .ty = TY(EVENT)}};
    b->plain = ety_new(b->a, &b->made, ETYPE_PLAIN, SLICE("E"), cols, 3, NULL, 0);
    cols[2] = (struct ecol){.name = SLICE(""), .ty = TY(LONG)};
    b->row = ety_new(b->a, &b->made, ETYPE_TABLE, SLICE("T"), cols, 3, NULL, 0);
    b->types = (struct save_types){.number = number, .type = type, .arg = &b->made};
}

static void add(void *arg, const struct save_chunk *c)
{
    struct box *b = arg;
    char *bytes = mem_alloc(c->bytes.len + 1);
    memcpy(bytes, c->bytes.ptr, c->bytes.len);
    *VEC_PUSH(&b->chunks) = (struct save_chunk){c->node, c->group, {bytes, c->bytes.len}, NULL};
}

static void box_clear(struct box *b)
{
    VEC_EACH (&b->chunks, c) {
        mem_free((char *)(uintptr_t)c->bytes.ptr);
    }
    VEC_CLEAR(&b->chunks);
}

static void box_done(struct box *b)
{
    box_clear(b);
    VEC_DONE(&b->chunks);
    vheap_free(b->h);
    arena_free(b->a);
}

static struct save *saving(struct box *b)
{
    return save_new(&b->types, &b->serial, add, b);
}

static struct evt *event(struct box *b, const char *k, int64_t n)
{
    struct evt *e = evt_new(b->h, b->plain);
    evt_set(e, 0, dat_str(vstr_new(b->h, slice_str(k))));
    evt_set(e, 1, dat_long(n));
    return e;
}

static struct dat big(struct box *b, enum dat_kind kind, int32_t scale, __int128 n)
{
    struct vbig *v = vheap_obj(b->h, kind, sizeof *v);
    v->scale = scale;
    v->unscaled = n;
    struct dat d = {.kind = (uint8_t)kind, .i = 0};
    d.big = v;
    return d;
}

enum { VALUES = 15 };

static void values(struct box *b, struct dat *v)
{
    struct vlist *l = vlist_new(b->h, 2);
    struct vmap *m = vmap_new(b->h, 1);
    vlist_set(l, 1, dat_int(-5));
    vmap_set(m, 0, dat_str(vstr_new(b->h, SLICE("key"))), dat_list(l));
    const struct dat all[VALUES] = {DAT_NONE,
                                    dat_bool(true),
                                    dat_int(INT32_MIN),
                                    dat_long(INT64_MAX),
                                    dat_long(INT64_MIN),
                                    dat_double(-0.0),
                                    dat_double(INFINITY),
                                    dat_float(0.1),
                                    dat_str(vstr_new(b->h, SLICE(""))),
                                    dat_str(vstr_new(b->h, slice_of("a\0\xc3\xa4", 4))),
                                    big(b, DAT_BIGINT, 0, -((__int128)1 << 100)),
                                    big(b, DAT_BIGDEC, 3, 12345),
                                    dat_list(l),
                                    dat_map(m),
                                    dat_evt(event(b, "x", 1))};
    memcpy(v, all, sizeof all);
}

TEST(save_and_load_every_kind_of_value)
{
    struct box b;
    struct err err;
    struct dat was[VALUES], now[VALUES];
    box_init(&b);
    values(&b, was);
    struct save *s = saving(&b);
    save_begin(s, 7);
    save_vals(s, was, VALUES);
    save_end(s);
    save_free(s);
    CHECK_EQ(1, b.chunks.len);
    CHECK_EQ(7, b.chunks.ptr[0].node);
    CHECK_EQ(SAVE_NO_GROUP, b.chunks.ptr[0].group);
    struct load *l = load_new(&b.types, b.h);
    load_begin(l, &b.chunks.ptr[0]);
    CHECK(load_more(l));
    load_vals(l, now, VALUES);
    CHECK(!load_more(l));
    CHECK_EQ(0, load_end(l, &err));
    for (size_t i = 0; i + 1 < VALUES; i++) {
        CHECK_EQ(was[i].kind, now[i].kind);
        CHECK(dat_same(was[i], now[i]));
    }
    CHECK(signbit(now[5].d));
    CHECK_EQ(1, now[VALUES - 1].ev->p[1].i);
    CHECK(now[VALUES - 1].ev->type == b.plain);
    load_free(l);
    box_done(&b);
}

TEST(save_keeps_events_one_object_between_chunks)
{
    struct box b;
    struct err err;
    box_init(&b);
    struct evt *e = event(&b, "x", 1), *outer = event(&b, "y", 2);
    evt_set(outer, 2, dat_evt(e));
    struct save *s = saving(&b);
    save_begin(s, 1);
    save_evt(s, e);
    save_evt(s, NULL);
    save_evt(s, e);
    save_group(s, 3);
    save_evt(s, outer);
    save_end(s);
    save_begin(s, 2);
    save_evt(s, outer);
    save_end(s);
    save_free(s);
    CHECK_EQ(3, b.chunks.len);
    CHECK_EQ(3, b.chunks.ptr[0].group);
    CHECK_EQ(2, b.serial);
    struct load *l = load_new(&b.types, b.h);
    load_begin(l, &b.chunks.ptr[1]);
    struct evt *first = load_evt(l), *none = load_evt(l), *second = load_evt(l);
    CHECK_EQ(0, load_end(l, &err));
    CHECK(first != NULL && first != e && first == second && none == NULL);
    CHECK_EQ(e->serial, first->serial);
    load_begin(l, &b.chunks.ptr[0]);
    struct evt *o = load_evt_of(l, b.plain);
    CHECK_EQ(0, load_end(l, &err));
    CHECK(o->p[2].ev == first);
    load_begin(l, &b.chunks.ptr[2]);
    CHECK(load_evt(l) == o);
    CHECK_EQ(0, load_end(l, &err));
    load_free(l);
    box_done(&b);
}

TEST(save_writes_references_causes_and_undeclared_properties)
{
    struct box b;
    struct err err;
    box_init(&b);
    struct evt *e = event(&b, "x", 1);
    e->ref = (struct eref){1, 2};
    e->causes = causes_new(b.h, 1);
    obj_keep(&e->causes->o);
    e->causes->r[0] = (struct eref){3, 4};
    e->extra = vmap_new(b.h, 1);
    obj_keep(&e->extra->o);
    vmap_set(e->extra, 0, dat_str(vstr_new(b.h, SLICE("q"))), dat_int(9));
    struct save *s = saving(&b);
    save_begin(s, 1);
    save_evt(s, e);
    save_end(s);
    save_free(s);
    struct load *l = load_new(&b.types, b.h);
    load_begin(l, &b.chunks.ptr[0]);
    struct evt *now = load_evt(l);
    CHECK_EQ(0, load_end(l, &err));
    CHECK_EQ(1, now->ref.hi);
    CHECK_EQ(2, now->ref.lo);
    CHECK_EQ(1, now->causes->len);
    CHECK_EQ(4, now->causes->r[0].lo);
    CHECK_EQ(9, vmap_get(now->extra, SLICE("q"), NULL).i);
    load_free(l);
    box_done(&b);
}

TEST(save_leaves_out_where_a_table_keeps_its_row)
{
    struct box b;
    struct err err;
    box_init(&b);
    struct evt *row = evt_new(b.h, b.row);
    row->p[1] = dat_long(5);
    row->p[2] = dat_long((int64_t)(uintptr_t)row);
    struct save *s = saving(&b);
    save_begin(s, 1);
    save_evt(s, row);
    save_end(s);
    save_free(s);
    struct load *l = load_new(&b.types, b.h);
    load_begin(l, &b.chunks.ptr[0]);
    struct evt *now = load_evt(l);
    CHECK_EQ(0, load_end(l, &err));
    CHECK_EQ(5, now->p[1].i);
    CHECK(dat_is_null(now->p[2]));
    load_free(l);
    box_done(&b);
}

TEST(save_groups_are_those_of_keys)
{
    struct box b;
    box_init(&b);
    struct dat k[2] = {dat_str(vstr_new(b.h, SLICE("a"))), dat_int(1)};
    uint16_t one = save_group_of(k, 1), two = save_group_of(k, 2);
    CHECK(one < SAVE_GROUPS && two < SAVE_GROUPS && one != two);
    k[0] = dat_long(3);
    k[1] = dat_double(3);
    CHECK_EQ(save_group_of(&k[0], 1), save_group_of(&k[1], 1));
    k[0] = dat_evt(event(&b, "x", 1));
    k[1] = dat_evt(event(&b, "x", 1));
    CHECK_EQ(save_group_of(&k[0], 1), save_group_of(&k[1], 1)); /* wherever they lie */
    box_done(&b);
}

TEST(save_empty_chunks_are_none)
{
    struct box b;
    box_init(&b);
    struct save *s = saving(&b);
    save_begin(s, 1);
    save_group(s, 5);
    save_end(s);
    CHECK_EQ(0, b.chunks.len);
    save_begin(s, 2);
    save_group(s, 900);
    save_u(s, 1);
    save_group(s, 5);
    save_u(s, 2);
    save_group(s, 900);
    save_u(s, 3);
    save_end(s);
    save_free(s);
    CHECK_EQ(2, b.chunks.len);
    CHECK_EQ(5, b.chunks.ptr[0].group);
    CHECK_EQ(2, b.chunks.ptr[1].bytes.len);
    box_done(&b);
}

/* Reads what save_and_load_every_kind_of_value writes out of other bytes. */
static bool reads(struct box *b, struct slice bytes)
{
    struct dat v[VALUES];
    struct err err;
    struct save_chunk c = {.node = 7, .group = SAVE_NO_GROUP, .bytes = bytes};
    struct load *l = load_new(&b->types, b->h);
    load_begin(l, &c);
    load_vals(l, v, VALUES);
    bool fine = load_end(l, &err) == 0;
    load_free(l);
    vheap_drain(b->h);
    return fine;
}

/* One object each, whether serials follow each other, lie far apart, or are the last there are. */
TEST(evt_serials_keep_the_first_of_each)
{
    enum { N = 100000 };
    const uint64_t far = UINT64_C(0x9e3779b97f4a7c15);
    struct evt_serials s = {0};
    uint64_t *events = mem_calloc(3 * N, sizeof *events);
    for (int round = 0; round < 2; round++) {
        for (uint64_t i = 0; i < N; i++) {
            const uint64_t serials[] = {i, UINT64_MAX - i, (i + N) * far};
            for (size_t k = 0; k < ARRAY_LEN(serials); k++) {
                struct evt *e = (struct evt *)(void *)&events[3 * i + k], other;
                evt_serials_soon(&s, serials[k]);
                CHECK(evt_serials_one(&s, serials[k], round == 0 ? e : &other) == e);
            }
        }
        CHECK_EQ(s.n, 3 * N);
    }
    evt_serials_done(&s);
    mem_free(events);
}

TEST(load_refuses_what_is_cut_off_or_changed)
{
    struct box b;
    struct dat v[VALUES];
    box_init(&b);
    values(&b, v);
    struct save *s = saving(&b);
    save_begin(s, 7);
    save_vals(s, v, VALUES);
    save_end(s);
    save_free(s);
    vheap_drain(b.h);
    struct slice all = b.chunks.ptr[0].bytes;
    CHECK(reads(&b, all));
    char copy[1024];
    CHECK(all.len < sizeof copy);
    for (size_t n = 0; n < all.len; n++) {
        CHECK(!reads(&b, slice_of(all.ptr, n)));
    }
    memcpy(copy, all.ptr, all.len);
    copy[all.len] = 0;
    CHECK(!reads(&b, slice_of(copy, all.len + 1)));
    size_t live = vheap_live(b.h);
    for (size_t at = 0; at < all.len; at++) {
        for (int bit = 0; bit < 8; bit++) {
            copy[at] = (char)(all.ptr[at] ^ (1 << bit));
            (void)reads(&b, slice_of(copy, all.len)); /* right or wrong, nothing stays */
        }
        copy[at] = all.ptr[at];
    }
    CHECK_EQ(live, vheap_live(b.h));
    box_done(&b);
}

TEST(load_refuses_lists_that_are_too_deep)
{
    enum { MOST = 255, DEEP = 100000 };
    static char bytes[2 * DEEP + 1];
    struct box b;
    struct err err;
    box_init(&b);
    struct load *l = load_new(&b.types, b.h);
    for (size_t i = 0; i < DEEP; i++) { /* each of one item */
        bytes[2 * i] = DAT_LIST;
        bytes[2 * i + 1] = 1;
    }
    bytes[2 * DEEP] = DAT_NULL;
    struct save_chunk c = {.node = 1, .bytes = slice_of(bytes, sizeof bytes)};
    load_begin(l, &c);
    (void)load_val(l);
    CHECK_EQ(-ERR_CORRUPT, load_end(l, &err));
    CHECK_HAS("deep", err.msg);
    c.bytes = slice_of(bytes + sizeof bytes - 2 * MOST - 1, 2 * MOST + 1);
    load_begin(l, &c);
    CHECK(load_val(l).kind == DAT_LIST);
    CHECK_EQ(0, load_end(l, &err));
    load_free(l);
    box_done(&b);
}

TEST(load_holds_values_against_types)
{
    struct box b;
    struct err err;
    box_init(&b);
    const struct ty elem = TY(LONG);
    struct vlist *ints = vlist_new(b.h, 1), *mixed = vlist_new(b.h, 1);
    vlist_set(ints, 0, dat_long(1));
    vlist_set(mixed, 0, dat_str(vstr_new(b.h, SLICE("a"))));
    const struct {
        struct dat v;
        struct ty ty;
        bool fine;
    } rows[] = {
        {dat_int(1), TY(LONG), true},
        {DAT_NONE, TY(STRING), true},
        {dat_int(1), TY(STRING), false},
        {dat_double(1), TY(LONG), false},
        {dat_long(1), TY(DOUBLE), false},
        {dat_long(1), TY(BIGINT), false},
        {dat_list(ints), {.kind = TY_LIST, .elem = &elem}, true},
        {dat_list(mixed), {.kind = TY_LIST, .elem = &elem}, false},
        {dat_list(mixed), TY(LIST), true},
        {dat_list(mixed), TY(OBJECT), true},
        {dat_evt(event(&b, "x", 1)), {.kind = TY_EVENT, .ev = b.plain}, true},
        {dat_evt(event(&b, "x", 1)), {.kind = TY_EVENT, .ev = b.row}, false},
    };
    struct load *l = load_new(&b.types, b.h);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct save *s = saving(&b);
        save_begin(s, 1);
        save_val(s, rows[i].v);
        save_end(s);
        save_free(s);
        load_begin(l, &b.chunks.ptr[0]);
        (void)load_val_of(l, rows[i].ty);
        CHECK_EQ(rows[i].fine, load_end(l, &err) == 0);
        box_clear(&b);
    }
    load_free(l);
    box_done(&b);
}
