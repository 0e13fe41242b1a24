/* SPDX-License-Identifier: Apache-2.0
 *
 * Changed modules go on with the state of those before (eng_succeed.h): statements that are the
 * same give the rows they would have given; those that are not begin anew, as if they had been
 * deployed into the running engine.
 */
#include "core/base/buf.h"
#include "core/base/mem.h"
#include "core/base/vec.h"
#include "operators/graph/eng_state.h"
#include "operators/graph/eng_succeed.h"
#include "operators/graph/ident.h"
#include "tests/test.h"

struct rig {
    struct eng *e;
    struct buf rows;
    const char *only; /* of that statement alone; NULL: all */
    VEC(struct save_chunk) chunks;
    uint64_t seed;
};

static void on_rows(void *arg, struct slice name, const struct eng_rows *rows)
{
    struct rig *r = arg;
    if (r->only != NULL && !slice_eq(name, slice_str(r->only))) {
        return;
    }
    for (size_t i = 0; i < rows->n_nw + rows->n_old; i++) {
        const struct evt *e = i < rows->n_nw ? rows->nw[i] : rows->old[i - rows->n_nw];
        (void)buf_addf(&r->rows, "%c" SLICE_FMT, i < rows->n_nw ? '+' : '-', SLICE_ARG(name));
        for (uint32_t k = 0; k < e->type->n_cols; k++) {
            (void)buf_add_str(&r->rows, ":");
            dat_text_to(e->p[k], &r->rows);
        }
        (void)buf_add_str(&r->rows, "\n");
    }
}

static void rig_init(struct rig *r, const struct eng_module *m, size_t n)
{
    struct err err;
    *r = (struct rig){.seed = 1};
    buf_init(&r->rows, 1 << 24);
    r->e = eng_new(&(struct eng_conf){.on_rows = on_rows, .arg = r, .causes = true});
    for (size_t i = 0; i < n; i++) {
        CHECK_OK(eng_deploy(r->e, m[i].id, m[i].text, &err), err);
    }
}

static void forget(struct rig *r)
{
    VEC_EACH (&r->chunks, c) {
        mem_free((char *)(uintptr_t)c->bytes.ptr);
    }
    VEC_DONE(&r->chunks);
}

static void rig_done(struct rig *r)
{
    eng_free(r->e);
    forget(r);
    buf_done(&r->rows);
}

static void add(void *arg, const struct save_chunk *c)
{
    struct rig *r = arg;
    char *bytes = mem_alloc(c->bytes.len + 1);
    memcpy(bytes, c->bytes.ptr, c->bytes.len);
    *VEC_PUSH(&r->chunks) = (struct save_chunk){c->node, c->group, {bytes, c->bytes.len}, NULL};
}

static struct eng_succeeded succeed(struct rig *r, const struct eng_module *m, size_t n)
{
    struct err err;
    struct eng_succeeded got = {0};
    forget(r);
    eng_save(r->e, add, r);
    struct eng *e = eng_new(&(struct eng_conf){.on_rows = on_rows, .arg = r, .causes = true});
    CHECK_OK(eng_succeed(e, m, n, r->chunks.ptr, r->chunks.len, &got, &err), err);
    eng_free(r->e);
    r->e = e;
    return got;
}

static void play(struct rig *r, int events)
{
    struct err err;
    for (int i = 0; i < events; i++) {
        r->seed = r->seed * 6364136223846793005ULL + 1442695040888963407ULL;
        uint32_t x = (uint32_t)(r->seed >> 33);
        eng_advance_span(r->e, eng_now(r->e) + (x >> 20) % 400);
        char key[3] = {"abcd"[x % 4], 0, 0};
        struct evt *e = evt_new(eng_heap(r->e), eng_type(r->e, x % 3 ? SLICE("A") : SLICE("B")));
        evt_set(e, 0, dat_int((int)(x >> 8) % 100));
        evt_set(e, 1, dat_str(vstr_new(eng_heap(r->e), slice_str(key))));
        CHECK_OK(eng_send(r->e, e, &err), err);
    }
}

static char *taken(struct rig *r)
{
    char *text = mem_alloc(r->rows.len + 1);
    memcpy(text, buf_cstr(&r->rows), r->rows.len + 1);
    buf_clear(&r->rows);
    return text;
}

#define TEXT(t) ((struct slice){t, sizeof t - 1})
#define BASE    "create schema A(x int, k string); create schema B(y int, k string);"
#define KEPT                                                                                       \
    "@name('w') select irstream x, k from A#time(2 sec);"                                          \
    "@name('g') select k, sum(x) as s, count(*) as n from A group by k;"                           \
    "@name('p') select a.x as ax, b.y as bx from pattern[every a=A -> b=B(k=a.k)];"                \
    "create window W#length(5) as A; insert into W select * from A(x > 50);"                       \
    "@name('c') select count(*) as n, max(x) as m from W;"                                         \
    "create context K partition by k from A, k from B;"                                            \
    "@name('k') context K select context.key1 as k, count(*) as n from A#length(3);"               \
    "create table T(k string primary key, s sum(int));"                                            \
    "into table T select sum(x) as s from A group by k;"                                           \
    "@name('t') select y, T[k].s as s from B;"                                                     \
    "create variable int v = 3; on B(y > 90) set v = v + 1; @name('v') select v as v from B;"      \
    "insert into D select x as x, k as k from A; @name('d') select x, k from D#length(4);"         \
    "@name('o') select k, sum(x) as s from A#time(3 sec) group by k output last every 2 sec;"      \
    "@name('q') select y, (select max(x) from A#length(6)) as m from B;"                           \
    "@name('j') select a.x as x, b.y as y from A#length(3) as a, B#length(3) as b where a.k = "    \
    "b.k;"

TEST(what_is_the_same_goes_on_and_the_rest_begins_anew)
{
    static const char old_text[] = "@name('z') select irstream x from A#length(2);"
                                   "@name('s') select sum(x) as s from A;";
    static const char new_text[] = "@name('z') select irstream x from A#length(3);"
                                   "@name('s') select sum(x) as s from A;"
                                   "@name('y') select sum(y) as s from B#time(1 sec);";
    const struct eng_module was[] = {
        {SLICE("b"), TEXT(BASE)}, {SLICE("m"), TEXT(KEPT)}, {SLICE("n"), TEXT(old_text)}};
    struct eng_module now[] = {was[0], was[1], {SLICE("n"), TEXT(new_text)}};
    struct rig plain, r;
    struct err err;
    rig_init(&plain, was, 3);
    rig_init(&r, was, 3);
    play(&plain, 300);
    play(&r, 300);
    CHECK_OK(eng_undeploy(plain.e, SLICE("n"), &err), err);
    CHECK_OK(eng_deploy(plain.e, SLICE("n"), TEXT(new_text), &err), err);
    struct eng_succeeded got = succeed(&r, now, 3);
    CHECK_EQ(2, got.begun);
    CHECK_EQ(1, got.dropped);
    CHECK(got.kept > 20);
    buf_clear(&plain.rows);
    buf_clear(&r.rows);
    plain.only = r.only = "s";
    play(&plain, 10);
    play(&r, 10);
    char *a = taken(&plain), *b = taken(&r);
    CHECK(strcmp(a, b) != 0); /* it was kept here and not there */
    mem_free(a);
    mem_free(b);
    static const char *const others[] = {"z", "y", "w", "g", "p", "c", "k",
                                         "t", "v", "d", "o", "q", "j"};
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        plain.only = r.only = others[i];
        play(&plain, 60);
        play(&r, 60);
        a = taken(&plain);
        b = taken(&r);
        if (strcmp(a, b) != 0 || a[0] == '\0') {
            test_fail(__FILE__, __LINE__, "'%s' gave\n%s, not\n%s", others[i], b, a);
        }
        mem_free(a);
        mem_free(b);
    }
    rig_done(&plain);
    rig_done(&r);
}

TEST(wherever_a_module_changes_the_others_go_on)
{
    static const char before[] = BASE "@name('x') select x from A;" KEPT;
    static const char after[] = BASE "@name('x2') select x, k from A#length(7);" KEPT
                                     "@name('new') context K select count(*) as n from B;";
    const struct eng_module was = {SLICE("m"), TEXT(before)}, now = {SLICE("m"), TEXT(after)};
    static const char *const kept[] = {"w", "g", "p", "c", "k", "t", "v", "d", "o", "q", "j"};
    for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
        struct rig plain, r;
        rig_init(&plain, &was, 1);
        rig_init(&r, &was, 1);
        plain.only = r.only = kept[i];
        play(&plain, 200);
        play(&r, 200);
        struct eng_succeeded got = succeed(&r, &now, 1);
        CHECK(got.begun == 2 && got.dropped == 1);
        play(&plain, 200);
        play(&r, 100);
        got = succeed(&r, &now, 1); /* once more, nothing has changed */
        CHECK(got.begun == 0 && got.dropped == 0);
        play(&r, 100);
        char *a = taken(&plain), *b = taken(&r);
        if (strcmp(a, b) != 0 || a[0] == '\0') {
            test_fail(__FILE__, __LINE__, "'%s' gave\n%s, not\n%s", kept[i], b, a);
        }
        mem_free(a);
        mem_free(b);
        rig_done(&plain);
        rig_done(&r);
    }
}

static struct hash128 id_of(const char *base, const char *text)
{
    struct hash128 id = {{0}};
    struct rig r;
    const struct eng_module m[] = {{SLICE("b"), slice_str(base)}, {SLICE("s"), slice_str(text)}};
    rig_init(&r, m, 2);
    size_t n = 0; /* the last is that of the text */
    while (eng_ident_at(r.e, n, &id)) {
        n++;
    }
    CHECK(n > 0);
    rig_done(&r);
    return id;
}

static bool same(const char *base, const char *text, const char *base2, const char *text2)
{
    struct hash128 a = id_of(base, text), b = id_of(base2, text2);
    return memcmp(&a, &b, sizeof a) == 0;
}

TEST(identity_is_what_a_statement_holds)
{
    static const char base[] = "create schema A(x int, k string);";
    static const char wide[] = "create schema A(x long, k string);";
    static const char sum[] = "@name('a') select sum(x) from A";
    static const char three[] = "create schema A(x int); create window W#length(3) as A";
    static const char four[] = "create schema A(x int); create window W#length(4) as A";
    static const char plus[] = "create schema A(x int); create expression f {a => a.x + 1}";
    static const char minus[] = "create schema A(x int); create expression f {a => a.x - 1}";
    CHECK(same(base, sum, base, "@name('a') select  sum( x )  from A /* remark */"));
    CHECK(same(base, sum, base, "@Description('text') @name('a') select sum(x) from A"));
    CHECK(!same(base, sum, base, "@name('b') select sum(x) from A"));
    CHECK(!same(base, sum, wide, sum));
    CHECK(same(three, "select * from W", three, "select * from W"));
    CHECK(!same(three, "select * from W", four, "select * from W"));
    CHECK(!same(plus, "select f(a) from A as a", minus, "select f(a) from A as a"));
    CHECK(same(plus, "select x from A as a", minus, "select x from A as a"));
}
