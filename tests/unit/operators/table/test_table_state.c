/* SPDX-License-Identifier: Apache-2.0
 *
 * State of tables: rows with plain columns and aggregations, written in one chunk and by key, come
 * back in their order and go on as if nothing had been.
 */
#include "operators/graph/eng_impl.h"
#include "operators/table/table.h"
#include "tests/test.h"
#include "tests/unit/operators/state_fixture.h"

#include <stdio.h>
#include <string.h>

static const char module[] =
    "create schema E(k string, n int, x double); create schema D(k string);"
    "create schema S(k string, n int);"
    "create table T(k string primary key, n int, c count(*), total sum(double),"
    " d count(distinct int), best sorted(x desc) @type(E), was lastever(double));"
    "create table One(c count(*), n int);"
    "into table T select count(*) as c, sum(x) as total, count(distinct n) as d, sorted(*) as best,"
    " lastever(x) as was from E#keepall group by k;"
    "into table One select count(*) as c from E;"
    "on D delete from T where T.k = D.k;"
    "on S update T set n = S.n where T.k = S.k;";

struct chunk {
    uint16_t group;
    struct buf bytes;
};

struct world {
    struct eng *e;
    struct save_types types;
    struct buf out;
    uint64_t serial;
    VEC(struct chunk) chunks;
    struct trows *rows;
};

static const char *const names[] = {"E", "T", "One"};

static uint64_t number(void *arg, const struct etype *t)
{
    (void)arg;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (slice_eq(t->name, slice_str(names[i]))) {
            return i;
        }
    }
    return UINT64_MAX;
}

static const struct etype *type(void *arg, uint64_t n)
{
    const struct world *w = arg;
    return n < ARRAY_LEN(names) ? eng_type(w->e, slice_str(names[n])) : NULL;
}

static void no_rows(void *arg, struct slice statement, const struct eng_rows *rows)
{
    (void)arg;
    (void)statement;
    (void)rows;
}

static void open(struct world *w)
{
    struct err err = {0};
    struct eng_conf conf = {.on_rows = no_rows};
    *w = (struct world){.e = eng_new(&conf), .types = {.number = number, .type = type, .arg = w}};
    vheap_number_from(eng_heap(w->e), &w->serial); /* one count for all that numbers them */
    buf_init(&w->out, 1 << 24);
    CHECK_OK(eng_deploy(w->e, SLICE("m"), slice_str(module), &err), err);
}

static void forget_chunks(struct world *w)
{
    VEC_EACH (&w->chunks, c) {
        buf_done(&c->bytes);
    }
    VEC_DONE(&w->chunks);
}

static void close(struct world *w)
{
    forget_chunks(w);
    eng_free(w->e);
    buf_done(&w->out);
}

static struct trows *rows_of(struct world *w, const char *table)
{
    const struct cat_entry *e = cat_type(&w->e->cat, slice_str(table));
    CHECK(e != NULL && e->kind == CAT_TABLE);
    return table_of(e->what, NULL);
}

/* ---- playing ---- */

static void send(struct world *w, const char *of, uint64_t seed)
{
    struct err err = {0};
    struct vheap *h = eng_heap(w->e);
    struct evt *e = evt_new(h, eng_type(w->e, slice_str(of)));
    char k[2] = {(char)('a' + state_draw(&seed, 12)), '\0'};
    int32_t n = (int32_t)state_draw(&seed, 20);
    evt_set(e, 0, dat_str(vstr_new(h, slice_str(k))));
    if (e->type->n_cols > 1) {
        evt_set(e, 1, dat_int(n));
    }
    if (e->type->n_cols > 2) {
        evt_set(e, 2, dat_double(n / 7.0));
    }
    CHECK_OK(eng_send(w->e, e, &err), err);
}

static void play(struct world *w, uint64_t seed, int steps)
{
    for (int i = 0; i < steps; i++) {
        uint32_t what = state_draw(&seed, 10);
        send(w, what < 7 ? "E" : what < 9 ? "S" : "D", seed);
    }
}

static void show(struct world *w)
{
    static const char *const queries[] = {
        "select k, n, c, total, d, was, best.countEvents() as m, best.firstEvent().x as x from T",
        "select c, n from One"};
    buf_clear(&w->out);
    for (size_t i = 0; i < ARRAY_LEN(queries); i++) {
        struct eng_rows rows;
        struct err err = {0};
        CHECK_OK(eng_query(w->e, slice_str(queries[i]), NULL, 0, &rows, &err), err);
        for (size_t k = 0; k < rows.n_nw; k++) {
            (void)buf_add_str(&w->out, "\n");
            for (uint32_t c = 0; c < rows.nw[k]->type->n_cols; c++) {
                (void)buf_add_str(&w->out, " ");
                dat_text_to(rows.nw[k]->p[c], &w->out);
            }
        }
    }
}

/* ---- saving ---- */

static void on_chunk(void *arg, const struct save_chunk *c)
{
    struct world *w = arg;
    struct chunk *to = VEC_PUSH(&w->chunks);
    to->group = c->group;
    buf_init(&to->bytes, 1 << 24);
    buf_add_slice(&to->bytes, c->bytes);
}

static void write_table(struct world *w, const char *table, bool by_key)
{
    struct save *s = save_new(&w->types, &w->serial, on_chunk, w);
    save_begin(s, 1);
    table_save(rows_of(w, table), s, by_key);
    save_end(s);
    save_free(s);
}

/* The chunks of another world, the last first; false if one was refused. */
static bool read_table(struct world *w, const struct world *from, const char *table, bool by_key,
                       struct err *reterr)
{
    struct load *l = load_new(&w->types, eng_heap(w->e));
    int rc = 0;
    for (size_t i = from->chunks.len; rc == 0 && i-- > 0;) {
        const struct chunk *c = &from->chunks.ptr[i];
        struct save_chunk chunk = {1, c->group, buf_slice(&c->bytes), NULL};
        load_begin(l, &chunk);
        table_load(rows_of(w, table), l, by_key);
        rc = load_end(l, reterr);
    }
    load_begin(l, &(struct save_chunk){.node = 1});
    table_loaded(rows_of(w, table), l);
    rc = rc == 0 ? load_end(l, reterr) : rc;
    load_free(l);
    vheap_drain(eng_heap(w->e));
    return rc == 0;
}

static void check_copy(struct world *a, struct world *b, const char *table, bool by_key)
{
    struct err err = {0};
    forget_chunks(a);
    forget_chunks(b);
    write_table(a, table, by_key);
    if (!read_table(b, a, table, by_key, &err)) {
        test_fail(__FILE__, __LINE__, "%s: %s", table, err.msg);
    }
    write_table(b, table, by_key);
    CHECK_EQ(a->chunks.len, b->chunks.len);
    for (size_t i = 0; i < a->chunks.len; i++) {
        CHECK_EQ(a->chunks.ptr[i].group, b->chunks.ptr[i].group);
        CHECK(slice_eq(buf_slice(&a->chunks.ptr[i].bytes), buf_slice(&b->chunks.ptr[i].bytes)));
    }
}

static void same(struct world *a, struct world *b)
{
    show(a);
    show(b);
    CHECK_STR(buf_cstr(&a->out), buf_cstr(&b->out));
}

static void round_trip(bool by_key, uint64_t seed)
{
    struct world a, b;
    open(&a);
    open(&b);
    play(&a, seed, 80);
    check_copy(&a, &b, "T", by_key);
    check_copy(&a, &b, "One", false);
    same(&a, &b);
    for (uint64_t i = 1; i <= 20; i++) {
        play(&a, seed + i, 2);
        play(&b, seed + i, 2);
        same(&a, &b);
    }
    close(&a);
    close(&b);
}

TEST(table_state_goes_on_in_one_chunk)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        round_trip(false, seed);
    }
}

TEST(table_state_goes_on_by_key)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        round_trip(true, seed);
    }
}

TEST(table_state_refuses_wrong_bytes_or_works)
{
    struct world a;
    uint64_t seed = 7;
    open(&a);
    play(&a, 3, 60);
    for (int i = 0; i < 300; i++) {
        struct world b;
        struct err err = {0};
        forget_chunks(&a);
        write_table(&a, "T", false);
        struct buf *bytes = &a.chunks.ptr[0].bytes;
        size_t at = state_draw(&seed, (uint32_t)bytes->len);
        if (i % 4 == 0) {
            bytes->len = at;
        } else {
            bytes->ptr[at] = (char)(bytes->ptr[at] ^ (1 << state_draw(&seed, 8)));
        }
        open(&b);
        if (read_table(&b, &a, "T", false, &err)) {
            play(&b, seed, 10);
            show(&b);
        } else {
            CHECK(err.msg[0] != '\0');
        }
        close(&b);
    }
    close(&a);
}
