/* SPDX-License-Identifier: Apache-2.0
 *
 * Saving and loading an engine: what must be refused, what must not matter (the order of chunks),
 * and what scenarios cannot show: key groups, modules that come and go, types of modules that are
 * gone, what is delivered meanwhile.
 */
#include "core/base/buf.h"
#include "core/base/mem.h"
#include "core/base/vec.h"
#include "operators/graph/eng_state.h"
#include "tests/test.h"

#include <string.h>

struct rig {
    struct eng *e;
    struct buf rows; /* "+name:x " for what enters, "-" for what leaves; x: the first column */
    VEC(struct save_chunk) chunks;
};

static void on_rows(void *arg, struct slice name, const struct eng_rows *rows)
{
    struct rig *r = arg;
    for (size_t i = 0; i < rows->n_nw + rows->n_old; i++) {
        const struct evt *e = i < rows->n_nw ? rows->nw[i] : rows->old[i - rows->n_nw];
        (void)buf_addf(&r->rows, "%c" SLICE_FMT ":", i < rows->n_nw ? '+' : '-', SLICE_ARG(name));
        dat_text_to(e->p[0], &r->rows);
        (void)buf_add_str(&r->rows, " ");
    }
}

static struct eng *engine(struct rig *r)
{
    return eng_new(&(struct eng_conf){.on_rows = on_rows, .arg = r});
}

static void deploy(struct rig *r, const char *id, const char *text)
{
    struct err err;
    if (eng_deploy(r->e, slice_str(id), slice_str(text), &err) != 0) {
        test_fail(__FILE__, __LINE__, "%s: %s", id, err.msg);
    }
}

static void rig_init(struct rig *r)
{
    *r = (struct rig){.e = NULL};
    buf_init(&r->rows, 1 << 20);
    r->e = engine(r);
}

static void forget(struct rig *r)
{
    VEC_EACH (&r->chunks, c) {
        mem_free((char *)(uintptr_t)c->bytes.ptr);
    }
    VEC_CLEAR(&r->chunks);
}

static void rig_done(struct rig *r)
{
    eng_free(r->e);
    forget(r);
    VEC_DONE(&r->chunks);
    buf_done(&r->rows);
}

static void add(void *arg, const struct save_chunk *c)
{
    struct rig *r = arg;
    char *bytes = mem_alloc(c->bytes.len + 1);
    memcpy(bytes, c->bytes.ptr, c->bytes.len);
    *VEC_PUSH(&r->chunks) = (struct save_chunk){c->node, c->group, {bytes, c->bytes.len}, NULL};
}

static void save(struct rig *r)
{
    forget(r);
    eng_save(r->e, add, r);
}

/* The chunks into a new engine, which takes the place of the old one if that goes well. */
static int load(struct rig *r, struct err *reterr)
{
    struct eng *e = engine(r);
    int rc = eng_load(e, r->chunks.ptr, r->chunks.len, reterr);
    eng_free(rc == 0 ? r->e : e);
    r->e = rc == 0 ? e : r->e;
    return rc;
}

static void reload(struct rig *r)
{
    struct err err;
    save(r);
    if (load(r, &err) != 0) {
        test_fail(__FILE__, __LINE__, "%s", err.msg);
    }
}

static void send(struct rig *r, const char *type, int x, const char *k)
{
    struct err err;
    struct evt *e = evt_new(eng_heap(r->e), eng_type(r->e, slice_str(type)));
    evt_set(e, 0, dat_int(x));
    if (k != NULL) {
        evt_set(e, 1, dat_str(vstr_new(eng_heap(r->e), slice_str(k))));
    }
    CHECK_EQ(0, eng_send(r->e, e, &err));
}

static void expect(struct rig *r, const char *rows)
{
    CHECK_STR(rows, buf_cstr(&r->rows));
    buf_clear(&r->rows);
}

#define GROUPS                                                                                     \
    "create schema A(x int, k string);\n"                                                          \
    "@name('s') select sum(x) as s from A#length(10) group by k;\n"                                \
    "@name('w') select irstream x from A#length(2);\n"

static void play_groups(struct rig *r)
{
    rig_init(r);
    deploy(r, "m", GROUPS);
    send(r, "A", 1, "a");
    send(r, "A", 2, "b");
    send(r, "A", 3, "a");
    buf_clear(&r->rows);
}

TEST(eng_state_goes_on)
{
    struct rig r;
    play_groups(&r);
    reload(&r);
    expect(&r, "");
    send(&r, "A", 4, "b");
    expect(&r, "+s:6 +w:4 -w:2 ");
    rig_done(&r);
}

TEST(eng_state_chunks_come_in_any_order)
{
    struct rig r;
    struct err err;
    play_groups(&r);
    save(&r);
    for (size_t i = 0, n = r.chunks.len; i < n / 2; i++) {
        struct save_chunk c = r.chunks.ptr[i];
        r.chunks.ptr[i] = r.chunks.ptr[n - 1 - i];
        r.chunks.ptr[n - 1 - i] = c;
    }
    CHECK_EQ(0, load(&r, &err));
    send(&r, "A", 4, "b");
    expect(&r, "+s:6 +w:4 -w:2 ");
    rig_done(&r);
}

TEST(eng_state_groups_stand_under_their_keys)
{
    struct rig r;
    play_groups(&r);
    struct vheap *h = vheap_new();
    const struct dat a = dat_str(vstr_new(h, SLICE("a"))), b = dat_str(vstr_new(h, SLICE("b")));
    save(&r);
    size_t by_key = 0;
    VEC_EACH (&r.chunks, c) {
        if (c->group != SAVE_NO_GROUP) {
            CHECK(c->group == save_group_of(&a, 1) || c->group == save_group_of(&b, 1));
            CHECK_EQ(2 << 8 | 1, c->node);
            by_key++;
        }
    }
    CHECK_EQ(2, by_key);
    vheap_free(h);
    rig_done(&r);
}

TEST(eng_state_refuses_a_set_that_is_not_whole)
{
    struct rig r;
    struct err err;
    play_groups(&r);
    save(&r);
    size_t n = r.chunks.len;
    for (size_t i = 0; i < n; i++) { /* without one of them */
        struct save_chunk gone = r.chunks.ptr[i];
        (void)VEC_REMOVE(&r.chunks, i);
        bool group = gone.group != SAVE_NO_GROUP; /* who knows which keys there were */
        CHECK_EQ(group, load(&r, &err) == 0);
        (void)VEC_PUSH(&r.chunks);
        memmove(&r.chunks.ptr[i + 1], &r.chunks.ptr[i], (n - 1 - i) * sizeof gone);
        r.chunks.ptr[i] = gone;
    }
    add(&r, &r.chunks.ptr[0]); /* one of them twice */
    CHECK_EQ(-ERR_CORRUPT, load(&r, &err));
    r.chunks.ptr[n].node = 77 << 8; /* of a statement that is not there */
    CHECK_EQ(-ERR_CORRUPT, load(&r, &err));
    rig_done(&r);
}

TEST(eng_state_refuses_another_format_and_another_kind_of_engine)
{
    struct rig r;
    struct err err;
    play_groups(&r);
    save(&r);
    struct eng *e = eng_new(&(struct eng_conf){.prioritized = true});
    CHECK_EQ(-ERR_MISMATCH, eng_load(e, r.chunks.ptr, r.chunks.len, &err));
    eng_free(e);
    char *meta = (char *)(uintptr_t)VEC_LAST(&r.chunks)->bytes.ptr;
    meta[0] = SAVE_FORMAT + 1;
    CHECK_EQ(-ERR_MISMATCH, load(&r, &err));
    rig_done(&r);
}

TEST(eng_state_keeps_modules_and_their_order)
{
    struct rig r;
    struct err err;
    rig_init(&r);
    deploy(&r, "types", "create schema A(x int, k string);");
    deploy(&r, "one", "@name('one') select x from A;");
    deploy(&r, "two", "@name('two') select x from A;");
    CHECK_EQ(0, eng_undeploy(r.e, SLICE("one"), &err));
    deploy(&r, "one", "@name('one') select x + 1 as x from A;");
    reload(&r);
    send(&r, "A", 1, "a");
    expect(&r, "+two:1 +one:2 ");
    CHECK_EQ(-ERR_EXISTS, eng_undeploy(r.e, SLICE("types"), &err));
    CHECK_EQ(-ERR_EXISTS, eng_deploy(r.e, SLICE("two"), SLICE("select * from A"), &err));
    CHECK_EQ(0, eng_undeploy(r.e, SLICE("two"), &err));
    deploy(&r, "three", "@name('three') select sum(x) as s from A#keepall;");
    reload(&r);
    send(&r, "A", 2, "a");
    reload(&r);
    send(&r, "A", 5, "a");
    expect(&r, "+one:3 +three:2 +one:6 +three:7 ");
    rig_done(&r);
}

TEST(eng_state_keeps_events_of_types_that_are_gone)
{
    struct rig r;
    struct err err;
    rig_init(&r);
    deploy(&r, "base", "create schema A(x int); @name('w') select irstream x from A#length(1);");
    deploy(&r, "sub", "create schema B(y int, t int[]) inherits A;");
    send(&r, "B", 7, NULL);
    CHECK_EQ(0, eng_undeploy(r.e, SLICE("sub"), &err));
    buf_clear(&r.rows);
    for (int i = 0; i < 3; i++) {
        reload(&r);
    }
    send(&r, "A", 8, NULL);
    expect(&r, "+w:8 -w:7 ");
    rig_done(&r);
}

TEST(eng_state_refuses_or_bears_every_byte)
{
    struct rig r;
    struct err err;
    size_t refused = 0;
    play_groups(&r);
    save(&r);
    VEC_EACH (&r.chunks, c) {
        char *bytes = (char *)(uintptr_t)c->bytes.ptr;
        for (size_t at = 0; at < c->bytes.len; at++) {
            char was = bytes[at];
            for (int bit = 0; bit < 8; bit++) {
                bytes[at] = (char)(was ^ (1 << bit));
                struct eng *e = eng_new(&(struct eng_conf){.arg = &r});
                refused += eng_load(e, r.chunks.ptr, r.chunks.len, &err) != 0;
                eng_free(e);
            }
            bytes[at] = was;
        }
    }
    CHECK(refused > 0);
    CHECK_EQ(0, load(&r, &err));
    rig_done(&r);
}

#define RICH                                                                                       \
    "create schema A(x int, k string);\n"                                                          \
    "create schema B(y int) inherits A;\n"                                                         \
    "create variable int v = 3;\n"                                                                 \
    "create context K partition by k from A terminated after 1 min;\n"                             \
    "create context I initiated by A(x > 1) as a terminated by A(x = a.x - 1);\n"                  \
    "create context P context O partition by k from A, context U start @now end after 1 min;\n"    \
    "@name('k') context K select sum(x) as s from A#length(2) output last every 2 events;\n"       \
    "@name('i') context I select count(*) as n from pattern [every A -> timer:interval(1 sec)];\n" \
    "@name('p') context P select x from A#time(9 sec);\n"                                          \
    "create table T(k string primary key, n count(*), w window(*) @type(A));\n"                    \
    "into table T select count(*) as n, window(*) as w from A#length(3) group by k;\n"             \
    "create window W#unique(k) as A;\n"                                                            \
    "insert into W select * from A;\n"                                                             \
    "@name('q') select (select max(x) from A#keepall) as m, prior(1, x) as r from A;\n"            \
    "@name('f') select k, x from A group by k output first every 3 sec;\n"                         \
    "@name('l') select k, sum(x) as s from A group by rollup(k) output last every 3 sec;\n"        \
    "@name('e') select * from pattern [every-distinct(a.k) a=A -> b=A(x > a.x) where "             \
    "timer:within(5 "                                                                              \
    "sec)];\n"                                                                                     \
    "@name('j') select a.x as x, w.x as y from A#length(2) as a, W as w where a.k = w.k;\n"

/* Every byte of a richer engine, each with four of its bits: what is refused has a reason. */
TEST(eng_state_says_why_it_refuses)
{
    struct rig r;
    struct err err;
    size_t refused = 0;
    rig_init(&r);
    deploy(&r, "rich", RICH);
    send(&r, "A", 2, "a");
    send(&r, "B", 3, "b");
    send(&r, "A", 4, "a");
    eng_advance(r.e, 500);
    save(&r);
    VEC_EACH (&r.chunks, c) {
        char *bytes = (char *)(uintptr_t)c->bytes.ptr;
        for (size_t at = 0; at < c->bytes.len; at++) {
            char was = bytes[at];
            for (size_t bit = at % 2; bit < 8; bit += 2) {
                bytes[at] = (char)(was ^ (1 << bit));
                struct eng *e = eng_new(&(struct eng_conf){.arg = &r});
                err_clear(&err);
                if (eng_load(e, r.chunks.ptr, r.chunks.len, &err) != 0) {
                    refused++;
                    CHECK(err.msg[0] != '\0');
                }
                eng_free(e);
            }
            bytes[at] = was;
        }
    }
    CHECK(refused > 0);
    CHECK_EQ(0, load(&r, &err));
    rig_done(&r);
}
