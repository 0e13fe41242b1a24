/* SPDX-License-Identifier: Apache-2.0 */
#include "core/event/rec.h"

#include "tests/test.h"
#include "tests/unit/core/event/gen.h"

TEST(rec_lookup_by_number_remembers_the_position)
{
    struct val_pair pairs[20];
    for (uint32_t i = 0; i < 20; i++) {
        pairs[i] = val_pair(SLICE("k"), val_int(i));
        pairs[i].key_id = 100 + i;
    }
    uint32_t hint = 0;
    CHECK_EQ(13, rec_find(pairs, 20, 113, &hint)->i);
    CHECK_EQ(13, hint);
    CHECK_EQ(13, rec_find(pairs, 20, 113, &hint)->i);
    /* A shorter record, another order, no such key: the hint is only a hint. */
    CHECK(rec_find(pairs, 10, 113, &hint) == NULL);
    CHECK_EQ(3, rec_find(pairs, 10, 103, &hint)->i);
    CHECK(rec_find(pairs, 20, 999, &hint) == NULL);
    CHECK(rec_find(NULL, 0, 100, &hint) == NULL);
}

TEST(rec_lookup_by_text_takes_the_last)
{
    struct val_pair pairs[] = {val_pair(SLICE("a"), val_int(1)), val_pair(SLICE("b"), val_int(2)),
                               val_pair(SLICE("a"), val_int(3))};
    CHECK_EQ(3, rec_find_text(pairs, 3, SLICE("a"))->i);
    CHECK_EQ(2, rec_find_text(pairs, 3, SLICE("b"))->i);
    CHECK(rec_find_text(pairs, 3, SLICE("c")) == NULL);
}

TEST(rec_well_known_context_keys)
{
    struct intern *keys = intern_new(100, 10000), *full = intern_new(1, 10000);
    struct rec_names names, no_room;
    rec_names_init(&names, keys);
    rec_names_init(&no_room, full);
    CHECK_EQ(REC_NAME_COUNT, intern_count(keys));
    CHECK_EQ(0, no_room.id[REC_NAME_POD]);
    struct val_pair pair = val_pair(SLICE("k8s.pod.name"), val_string(SLICE("p")));
    pair.key_id = names.id[REC_NAME_POD];
    struct rec_context c = {.pairs = &pair, .len = 1};
    CHECK_SLICE("p", val_slice(*rec_context_get(&c, &names, REC_NAME_POD)));
    CHECK_SLICE("p", val_slice(*rec_context_get(&c, &no_room, REC_NAME_POD)));
    CHECK_SLICE("p", val_slice(*rec_context_get(&c, NULL, REC_NAME_POD)));
    CHECK(rec_context_get(&c, &names, REC_NAME_HOST) == NULL);
    CHECK(rec_context_get(NULL, &names, REC_NAME_POD) == NULL);
    intern_free(keys);
    intern_free(full);
}

TEST(rec_kinds_and_flags_have_names)
{
    uint8_t kind = 99;
    CHECK_STR("SPAN", rec_kind_name(REC_SPAN));
    CHECK_STR("?", rec_kind_name(200));
    CHECK(rec_kind_of(SLICE("span"), &kind) && kind == REC_SPAN);
    CHECK(!rec_kind_of(SLICE("spam"), &kind) && kind == REC_SPAN);
    CHECK_STR("REPAIRED", rec_flag_name(1));
    CHECK_EQ(2, REC_FLAG_REPAIRED);
    CHECK_STR("?", rec_flag_name(31));
}

TEST(rec_same_sees_every_field)
{
    struct arena *a = arena_new(NULL, "t", 1 << 20);
    struct gen g;
    struct rec r, o;
    gen_init(&g, 1, a);
    gen_rec(&g, gen_context(&g), &r);
    CHECK(rec_same(&r, &r));
#define DIFFERS(change_)                                                                           \
    o = r;                                                                                         \
    change_;                                                                                       \
    CHECK(!rec_same(&r, &o))
    DIFFERS(o.ts ^= 1);
    DIFFERS(o.ingest_ts ^= 1);
    DIFFERS(o.kind++);
    DIFFERS(o.flags++);
    DIFFERS(o.n++);
    DIFFERS(o.type = SLICE("x"));
    DIFFERS(o.trace_id[15]++);
    DIFFERS(o.span_id[7]++);
    DIFFERS(o.id.bytes[0]++);
    DIFFERS(o.causes_len++);
    DIFFERS(o.payload_len++);
    struct rec_context c = {.len = 1, .pairs = gen_pairs(&g, 1, 0)};
    DIFFERS(o.context = &c);
    arena_free(a);
}
