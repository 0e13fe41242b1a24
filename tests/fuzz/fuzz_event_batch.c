/* SPDX-License-Identifier: Apache-2.0
 *
 * Event batches from any bytes.
 *   - the decoder takes them or says no; a batch it took is looked at in full
 *   - what it took, encoded and decoded again, is the same batch (a repaired string apart: then the
 *     second round must be stable)
 *   - the slow path, which goes by the schema, accepts exactly the same bytes and sees the same
 *   - avro-c, given bytes that were accepted, sees the same (keys with a NUL byte apart, which it
 *     cuts); bytes that we refuse it is not given: it believes string lengths
 * The first byte chooses how little memory the decoder may have.
 */
#include "core/event/batch_dec.h"
#include "core/event/batch_enc.h"
#include "core/event/batch_other.h"
#include "core/event/key.h"
#include "core/event/rec_json.h"
#include "tests/unit/core/event/avro_side.h"

#include <sanitizer/lsan_interface.h>
#include <stdio.h>
#include <stdlib.h>

enum { MIB = 1024 * 1024, SMALL_INPUT = 4096 };

struct fuzz {
    struct arena *arena, *again;
    struct intern *keys;
    struct batch_dec *dec;
    struct batch_enc *enc;
    struct schema *schema;
    struct avro_side avro;
    struct buf bytes, line;
};

static void hold_at(bool condition, int line)
{
    if (!condition) {
        fprintf(stderr, "fuzz_event_batch.c:%d does not hold\n", line);
        abort();
    }
}
#define hold(condition) hold_at((condition), __LINE__)

static struct fuzz *setup(void)
{
    PROCESS_WIDE /* libFuzzer gives no parameter to carry it */
    static struct fuzz f;
    if (f.dec == NULL) {
        struct err err;
        struct slice text = schema_file_get(SLICE("event_batch.avsc"))->text;
        f.arena = arena_new(NULL, "batch", 64 * MIB);
        f.again = arena_new(NULL, "again", 64 * MIB);
        f.keys = intern_new(1000, 64 * 1024); /* small: the fallback is met, too */
        f.dec = batch_dec_new(BATCH_LIMITS, f.keys);
        f.enc = batch_enc_new(BATCH_LIMITS, 16 * MIB);
        hold(schema_parse(text, &f.schema, &err) == 0);
        avro_side_init(&f.avro, text);
        buf_init(&f.bytes, 32 * MIB);
        buf_init(&f.line, 64 * MIB);
    }
    return &f;
}

static void use(struct fuzz *f, const struct rec_batch *b)
{
    for (uint32_t i = 0; i < b->events_len; i++) {
        buf_clear(&f->line);
        rec_json_event(&f->line, &b->events[i], NULL);
        buf_clear(&f->line);
        hold(key_add_subject(&f->line, &b->events[i], NULL));
    }
}

/* False if it could not be written: larger after repair than the encoder's limit. */
static bool encode(struct fuzz *f, const struct rec_batch *b)
{
    struct err err;
    bool ok = true;
    buf_clear(&f->bytes);
    batch_enc_begin(f->enc, b->source, b->seq);
    for (uint32_t i = 0; ok && i < b->events_len; i++) {
        ok = batch_enc_add(f->enc, &b->events[i], &err) == 0;
    }
    return ok && batch_enc_end(f->enc, &f->bytes, &err) == 0;
}

static bool repaired(const struct rec_batch *before, const struct rec_batch *after)
{
    bool any = false;
    for (uint32_t i = 0; i < after->events_len; i++) {
        any = any || before->events[i].flags != after->events[i].flags;
    }
    return any;
}

static bool any_repaired(const struct rec_batch *b)
{
    bool any = false;
    for (uint32_t i = 0; i < b->events_len; i++) {
        any = any || (b->events[i].flags & REC_FLAG_REPAIRED) != 0;
    }
    return any;
}

/* What is written and read again stays the same: in f->bytes, and *ret. */
static bool round_trip(struct fuzz *f, const struct rec_batch *b, struct rec_batch *ret)
{
    struct rec_batch second;
    struct err err;
    if (!encode(f, b)) {
        return false;
    }
    struct slice bytes = buf_slice(&f->bytes);
    arena_reset(f->again);
    struct slice kept = arena_copy(f->again, bytes);
    hold(batch_dec_read(f->dec, f->again, kept, &second, &err) == 0);
    hold(second.events_len == b->events_len && second.seq == b->seq);
    for (uint32_t i = 0; !repaired(b, &second) && i < b->events_len; i++) {
        bool flagged = (b->events[i].flags & REC_FLAG_REPAIRED) != 0;
        hold(flagged || rec_same(&b->events[i], &second.events[i]));
    }
    hold(encode(f, &second));
    /* Contexts that differed only in bytes that were no text are one after the repair. */
    hold(any_repaired(&second) || slice_eq(buf_slice(&f->bytes), kept));
    hold(batch_dec_read(f->dec, f->again, buf_slice(&f->bytes), ret, &err) == 0);
    return true;
}

static bool cut_by_avro(const struct val_pair *pairs, uint32_t n);

static bool value_cut_by_avro(struct val v)
{
    bool cut = v.tag == VAL_MAP && cut_by_avro(v.map, v.len);
    for (uint32_t i = 0; v.tag == VAL_LIST && !cut && i < v.len; i++) {
        cut = value_cut_by_avro(v.list[i]);
    }
    return cut;
}

static bool cut_by_avro(const struct val_pair *pairs, uint32_t n)
{
    bool cut = false;
    for (uint32_t i = 0; !cut && i < n; i++) {
        cut =
            memchr(pairs[i].key, 0, pairs[i].key_len) != NULL || value_cut_by_avro(pairs[i].value);
        /* Equal keys that found no number stay both here; avro-c keeps one. */
        cut = cut || (pairs[i].key_id == 0 &&
                      rec_find_text(pairs, n, val_key(&pairs[i])) != &pairs[i].value);
    }
    return cut;
}

static void against_avro(struct fuzz *f, const struct rec_batch *b, struct slice bytes)
{
    bool cut = false;
    for (uint32_t i = 0; i < b->events_len; i++) {
        cut = cut || cut_by_avro(b->events[i].payload, b->events[i].payload_len);
    }
    for (uint32_t i = 0; i < b->contexts_len; i++) {
        cut = cut || cut_by_avro(b->contexts[i].pairs, b->contexts[i].len);
    }
    if (!cut) {
        __lsan_disable(); /* avro-c 1.11 loses arrays of unions that change their branch */
        hold(avro_side_read(&f->avro, bytes));
        hold(avro_side_differs(&f->avro, b) == NULL);
        __lsan_enable();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    struct fuzz *f = setup();
    struct slice bytes = slice_of(data + 1, size - 1);
    struct rec_batch fast, slow, clean;
    struct err err;
    arena_reset(f->arena);
    int slow_rc = batch_other_read(f->schema, BATCH_LIMITS, f->keys, f->arena, bytes, &slow, &err);
    if (data[0] < 64) {
        struct arena *tight = arena_new(NULL, "tight", 256u * (data[0] + 1u));
        hold(batch_dec_read(f->dec, tight, bytes, &fast, &err) <= 0);
        arena_free(tight);
    }
    int rc = batch_dec_read(f->dec, f->arena, bytes, &fast, &err);
    if (rc != 0) {
        hold(rc == -ERR_CORRUPT || rc == -ERR_LIMIT);
        return 0;
    }
    hold(slow_rc == 0 && slow.events_len == fast.events_len);
    use(f, &fast);
    use(f, &slow);
    /* Of two equal keys with lists avro-c keeps the items of both: what we wrote has none such. */
    if (round_trip(f, &fast, &clean) && size <= SMALL_INPUT) {
        against_avro(f, &clean, buf_slice(&f->bytes));
    }
    return 0;
}
