/* SPDX-License-Identifier: Apache-2.0 */
#include "core/event/batch_enc.h"
#include "core/event/batch_in.h"
#include "core/event/frame.h"
#include "core/event/schema_reg.h"
#include "tests/test.h"

#include <stdio.h>

enum { MIB = 1024 * 1024 };

TEST(frame_forms_are_golden)
{
    struct buf b;
    struct frame f;
    struct err err;
    buf_init(&b, 100);
    CHECK(frame_put(&b, FRAME_SINGLE, 0x0102030405060708u) && buf_add_str(&b, "body"));
    CHECK(b.len == 14 && memcmp(b.ptr, "\xc3\x01\x08\x07\x06\x05\x04\x03\x02\x01", 10) == 0);
    CHECK_OK(frame_read(buf_slice(&b), &f, &err), err);
    CHECK(f.kind == FRAME_SINGLE && f.number == 0x0102030405060708u);
    CHECK_SLICE("body", f.body);
    buf_clear(&b);
    CHECK(frame_put(&b, FRAME_CONFLUENT, 0xfffefdfcu));
    CHECK(b.len == 5 && memcmp(b.ptr, "\0\xff\xfe\xfd\xfc", 5) == 0);
    CHECK_OK(frame_read(buf_slice(&b), &f, &err), err);
    CHECK(f.kind == FRAME_CONFLUENT && f.number == 0xfffefdfcu && f.body.len == 0);
    CHECK_EQ(-ERR_CORRUPT, frame_read(slice_of("\0\0\0\0", 4), &f, &err));
    CHECK_EQ(-ERR_CORRUPT, frame_read(slice_of("\xc3\x01\0\0\0\0\0\0\0", 9), &f, &err));
    CHECK_EQ(-ERR_CORRUPT, frame_read(SLICE("{\"json\": 1234567890}"), &f, &err));
    CHECK_EQ(-ERR_CORRUPT, frame_read(SLICE(""), &f, &err));
    buf_done(&b);
}

TEST(reg_knows_the_compiled_in_schemas)
{
    struct schema_reg *reg = schema_reg_new();
    const struct schema_entry *e = schema_reg_current(reg, "event_batch"), *found;
    struct err err;
    CHECK(e != NULL && e->current);
    CHECK(schema_reg_current(reg, "alert") != NULL && schema_reg_current(reg, "dlq") != NULL);
    CHECK(schema_reg_current(reg, "nope") == NULL);
    CHECK_OK(schema_reg_find(reg, FRAME_SINGLE, schema_fingerprint(e->schema), &found, &err), err);
    CHECK(found == e);
    CHECK_EQ(-ERR_NOT_FOUND, schema_reg_find(reg, FRAME_SINGLE, 1, &found, &err));
    CHECK_EQ(-ERR_NOT_FOUND, schema_reg_find(reg, FRAME_CONFLUENT, 1, &found, &err));
    schema_reg_free(reg);
}

TEST(reg_takes_a_schema_under_another_number)
{
    struct schema_reg *reg = schema_reg_new();
    const struct schema_entry *e = NULL, *own = schema_reg_current(reg, "event_batch");
    struct err err;
    CHECK_EQ(-ERR_NOT_FOUND, schema_reg_find(reg, FRAME_CONFLUENT, 7, &e, &err));
    CHECK_OK(schema_reg_bind(reg, FRAME_CONFLUENT, 7, schema_text(own->schema), &err), err);
    CHECK_OK(schema_reg_find(reg, FRAME_CONFLUENT, 7, &e, &err), err);
    CHECK(e == own); /* the same schema under another name */
    CHECK_EQ(-ERR_NOT_FOUND, schema_reg_find(reg, FRAME_CONFLUENT, 8, &e, &err));
    schema_reg_free(reg);
}

TEST(reg_refuses_schemas_it_cannot_read)
{
    struct schema_reg *reg = schema_reg_new();
    const struct schema_entry *e = NULL;
    struct err err;
    CHECK_EQ(-ERR_SYNTAX, schema_reg_bind(reg, FRAME_CONFLUENT, 1, SLICE("{"), &err));
    CHECK_EQ(-ERR_NOT_FOUND, schema_reg_find(reg, FRAME_CONFLUENT, 1, &e, &err));
    struct slice broken =
        SLICE("{\"type\":\"record\",\"name\":\"io.kaiju.v1.EventBatch\",\"fields\":["
              "{\"name\":\"seq\",\"type\":\"string\"}]}");
    CHECK_EQ(-ERR_MISMATCH, schema_reg_bind(reg, FRAME_CONFLUENT, 2, broken, &err));
    CHECK_HAS("event_batch", err.msg);
    CHECK_HAS("seq", err.msg);
    CHECK_EQ(-ERR_MISMATCH, schema_reg_bind(reg, FRAME_SINGLE, 5, SLICE("\"int\""), &err));
    CHECK_EQ(-ERR_NOT_FOUND, schema_reg_find(reg, FRAME_SINGLE, 5, &e, &err));
    CHECK_OK(schema_reg_bind(reg, FRAME_CONFLUENT, 3, SLICE("\"int\""), &err), err);
    CHECK_OK(schema_reg_find(reg, FRAME_CONFLUENT, 3, &e, &err), err);
    CHECK(e->subject == NULL);
    schema_reg_free(reg);
}

TEST(reg_is_bounded)
{
    struct schema_reg *reg = schema_reg_new();
    const struct schema_entry *e = NULL;
    struct err err;
    for (uint64_t i = 0; i < SCHEMA_REG_MAX; i++) {
        CHECK_OK(schema_reg_bind(reg, FRAME_CONFLUENT, i, SLICE("\"int\""), &err), err);
    }
    CHECK_EQ(-ERR_LIMIT,
             schema_reg_bind(reg, FRAME_CONFLUENT, SCHEMA_REG_MAX, SLICE("\"int\""), &err));
    CHECK_EQ(-ERR_NOT_FOUND, schema_reg_find(reg, FRAME_CONFLUENT, SCHEMA_REG_MAX, &e, &err));
    CHECK_OK(schema_reg_find(reg, FRAME_CONFLUENT, SCHEMA_REG_MAX - 1, &e, &err), err);
    schema_reg_free(reg);
}

TEST(batch_in_takes_the_path_that_the_frame_names)
{
    struct schema_reg *reg = schema_reg_new();
    struct intern *keys = intern_new(1000, MIB);
    struct arena *arena = arena_new(NULL, "t", 16 * MIB);
    struct batch_in *in = batch_in_new(BATCH_LIMITS, keys, reg);
    struct batch_enc *enc = batch_enc_new(BATCH_LIMITS, MIB);
    const struct schema_entry *own = schema_reg_current(reg, "event_batch");
    struct rec r = {.type = SLICE("T"), .ts = 5};
    struct rec_batch b;
    struct err err;
    struct buf out;
    buf_init(&out, MIB);
    CHECK(frame_put(&out, FRAME_SINGLE, schema_fingerprint(own->schema)));
    CHECK_OK(batch_enc_add(enc, &r, &err), err);
    CHECK_OK(batch_enc_end(enc, &out, &err), err);
    CHECK_OK(batch_in_read(in, arena, buf_slice(&out), &b, &err), err);
    CHECK(b.events_len == 1 && b.events[0].ts == 5);
    CHECK_EQ(1, batch_in_counts(in).fast);
    /* The same body under a registry's id. */
    struct buf confluent;
    buf_init(&confluent, MIB);
    CHECK(frame_put(&confluent, FRAME_CONFLUENT, 42));
    CHECK(buf_add(&confluent, out.ptr + FRAME_SINGLE_BYTES, out.len - FRAME_SINGLE_BYTES));
    CHECK_EQ(-ERR_NOT_FOUND, batch_in_read(in, arena, buf_slice(&confluent), &b, &err));
    CHECK_OK(schema_reg_bind(reg, FRAME_CONFLUENT, 42, schema_text(own->schema), &err), err);
    CHECK_OK(batch_in_read(in, arena, buf_slice(&confluent), &b, &err), err);
    CHECK_EQ(2, batch_in_counts(in).fast);
    CHECK_EQ(1, batch_in_counts(in).failed);
    /* An alert without its body is none; garbage is nothing. */
    out.ptr[2] ^= 1;
    CHECK_EQ(-ERR_NOT_FOUND, batch_in_read(in, arena, buf_slice(&out), &b, &err));
    buf_clear(&out);
    const struct schema_entry *alert = schema_reg_current(reg, "alert");
    CHECK(frame_put(&out, FRAME_SINGLE, schema_fingerprint(alert->schema)));
    CHECK_EQ(-ERR_CORRUPT, batch_in_read(in, arena, buf_slice(&out), &b, &err));
    CHECK_EQ(-ERR_CORRUPT, batch_in_read(in, arena, SLICE("garbage garbage"), &b, &err));
    CHECK_EQ(4, batch_in_counts(in).failed);
    buf_done(&out);
    buf_done(&confluent);
    batch_enc_free(enc);
    batch_in_free(in);
    arena_free(arena);
    intern_free(keys);
    schema_reg_free(reg);
}
