/* SPDX-License-Identifier: Apache-2.0
 *
 * Batches of a statement that reads columns alone hold those and the reference, not whole events.
 */
#include "core/base/mem.h"
#include "operators/sig/cause.h"
#include "tests/test.h"
#include "tests/unit/operators/window/win_fixture.h"

enum { ID, KEY, X };

struct seen {
    const struct etype *type; /* of all that came out; NULL: of several, or nothing did */
    size_t nw, old;
    int64_t sum; /* of the ids that entered, through the type of the stream */
    bool refs;   /* each has its own */
    struct causes *causes;
};

static void look(struct seen *s, const struct win_plan *p, struct evt *e)
{
    s->type = s->nw + s->old == 0 || s->type == e->type ? e->type : NULL;
    s->refs &= e->ref.hi == (uint64_t)evt_get(e, p->type, ID).i;
    s->causes = e->causes;
}

struct told {
    struct win_world w;
    struct seen s;
};

static void on_rows(void *arg, struct evt **nw, size_t n_nw, struct evt **old, size_t n_old)
{
    struct told *t = arg;
    for (size_t i = 0; i < n_nw; i++, t->s.nw++) {
        look(&t->s, t->w.p, nw[i]);
        t->s.sum += evt_get(nw[i], t->w.p->type, ID).i;
    }
    for (size_t i = 0; i < n_old; i++, t->s.old++) {
        look(&t->s, t->w.p, old[i]);
    }
}

/* The id, which stands in a type below the stream's. */
static void pack_of(struct win_plan *p, struct view_pack *ret)
{
    static const uint16_t slot[] = {ID};
    struct ecol cols[] = {p->type->cols[ID], {.name = SLICE(""), .ty = TY(OBJECT)}};
    struct etype *t = ety_new(p->a, NULL, ETYPE_ANON, SLICE_NONE, cols, 2, NULL, 0);
    uint16_t *view = arena_array(p->a, p->type->n_cols, sizeof *view);
    for (uint32_t i = 0; i < p->type->n_cols; i++) {
        view[i] = i == ID ? 0 : 1;
    }
    t->supers = ARENA_NEW(p->a, struct etype_super);
    *t->supers = (struct etype_super){p->type, view};
    t->n_supers = 1;
    *ret = (struct view_pack){.in = p->type, .type = t, .slot = slot, .n = 1};
}

static void send(struct told *t, int32_t id, bool ref, bool causes)
{
    struct evt *e = evt_new(t->w.h, t->w.p->type);
    evt_set(e, ID, dat_int(id));
    evt_set(e, X, dat_double(1));
    e->ref.hi = ref ? (uint64_t)id : 0;
    if (causes) {
        e->causes = causes_new(t->w.h, 0);
        obj_keep(&e->causes->o);
    }
    view_update(t->w.v, &e, 1, NULL, 0);
    vheap_drain(t->w.h);
}

static void begin(struct told *t, struct win_plan *p, const char *views, struct view_pack *pack)
{
    win_plan_init(p, views);
    pack_of(p, pack);
    win_world_init(&t->w, p, 1000);
    view_free(t->w.v);
    t->w.env.pack = pack;
    t->w.env.causes = true;
    t->w.v = view_new(&p->p, &t->w.env, on_rows, t);
    t->s = (struct seen){.refs = true};
}

TEST(batches_hold_the_columns_that_are_read)
{
    static const char *const views[] = {"#length_batch(3)", "#time_batch(1 sec)",
                                        "#time_length_batch(1 sec, 3)"};
    for (size_t i = 0; i < ARRAY_LEN(views); i++) {
        struct win_plan p;
        struct view_pack pack;
        struct told t;
        begin(&t, &p, views[i], &pack);
        for (int32_t id = 1; id <= 6; id++) {
            send(&t, id, true, false);
            if (id % 3 == 0) {
                win_world_advance(&t.w, 1000 + id / 3 * 1000);
            }
        }
        CHECK_EQ(6, t.s.nw);
        CHECK(t.s.old >= 3);
        CHECK_EQ(21, t.s.sum);
        CHECK(t.s.refs && t.s.type == pack.type);
        win_world_done(&t.w);
        win_plan_done(&p);
    }
}

TEST(what_has_no_reference_keeps_its_causes)
{
    struct win_plan p;
    struct view_pack pack;
    struct told t;
    begin(&t, &p, "#length_batch(1)", &pack);
    t.w.env.causes = true;
    send(&t, 1, false, true); /* a list */
    CHECK(t.s.type == pack.type && t.s.causes != NULL);
    t.s.nw = 0;
    send(&t, 2, false, false); /* only its columns, all of them, can tell */
    CHECK_EQ(1, t.s.nw);
    win_world_done(&t.w);
    win_plan_done(&p);
}
