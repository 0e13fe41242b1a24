/* SPDX-License-Identifier: Apache-2.0
 *
 * See cmd_batch.h. Events go into batches of BATCH_EVENTS; the clock's steps are their times.
 */
#include "operators/cmd/cmd_batch.h"

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/base/vec.h"
#include "core/event/batch_dec.h"
#include "core/event/batch_enc.h"
#include "operators/sig/dat_intake.h"
#include "operators/sig/dat_outgo.h"

#include <assert.h>

enum { BATCH_EVENTS = 256, BYTES_MAX = 256 * 1024 * 1024, KEYS_MAX = 65536, ARENA_MAX = 1 << 28 };

struct cmd_batch {
    struct eng *eng;
    const struct eng_reads *reads;
    struct intern *keys;
    struct batch_enc *enc;
    struct batch_dec *dec;
    struct dat_intake *intake;
    struct arena *making, *decoding;
    struct buf bytes;
    VEC(size_t) ends; /* of the batches in bytes */
    VEC(const struct etype *) known;
    int64_t clock; /* ms */
};

struct cmd_batch *cmd_batch_new(struct eng *e, const struct eng_reads *reads)
{
    struct cmd_batch *b = MEM_NEW(struct cmd_batch);
    b->eng = e;
    b->reads = reads;
    b->keys = intern_new(KEYS_MAX, BYTES_MAX);
    b->enc = batch_enc_new(BATCH_LIMITS, BYTES_MAX);
    b->dec = batch_dec_new(BATCH_LIMITS, b->keys);
    b->intake = dat_intake_new(eng_heap(e), b->keys);
    b->making = arena_new(NULL, "making", ARENA_MAX);
    b->decoding = arena_new(NULL, "decoding", ARENA_MAX);
    arena_keep(b->decoding, 4 << 20);
    arena_keep(b->making, 4 << 20);
    buf_init(&b->bytes, BYTES_MAX);
    return b;
}

void cmd_batch_free(struct cmd_batch *b)
{
    if (b == NULL) {
        return;
    }
    dat_intake_free(b->intake);
    batch_dec_free(b->dec);
    batch_enc_free(b->enc);
    intern_free(b->keys);
    arena_free(b->making);
    arena_free(b->decoding);
    buf_done(&b->bytes);
    VEC_DONE(&b->ends);
    VEC_DONE(&b->known);
    mem_free(b);
}

/* ---- making ---- */

static void know(struct cmd_batch *b, const struct etype *t)
{
    VEC_EACH (&b->known, k) {
        if (*k == t) {
            return;
        }
    }
    bool *columns = mem_calloc(t->n_cols + 1, sizeof *columns);
    *VEC_PUSH(&b->known) = t;
    dat_intake_type(b->intake, t);
    eng_reads_columns(b->reads, t, columns);
    for (uint32_t i = 0; i < t->n_cols; i++) {
        if (!columns[i]) {
            dat_intake_skip(b->intake, t, i);
        }
    }
    mem_free(columns);
}

static int end(struct cmd_batch *b, struct err *reterr)
{
    int rc = batch_enc_end(b->enc, &b->bytes, reterr);
    if (rc == 0) {
        *VEC_PUSH(&b->ends) = b->bytes.len;
    }
    return rc;
}

int cmd_batch_fill(struct cmd_batch *b, const struct cmd_gen_item *items, size_t n,
                   struct err *reterr)
{
    static const struct rec_context none = {NULL, 0, 0};
    int rc = 0;
    buf_clear(&b->bytes);
    VEC_CLEAR(&b->ends);
    arena_reset(b->making);
    batch_enc_begin(b->enc, SLICE("bench"), 0);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        const struct evt *e = items[i].e;
        struct val_pair *pairs = NULL;
        b->clock = MAX(b->clock, items[i].advance_to);
        know(b, e->type);
        struct rec r = {.ts = b->clock * CLOCK_NS_PER_MS, .context = &none, .type = e->type->name};
        r.ingest_ts = r.ts;
        bool fits = dat_outgo_event(e, b->making, &pairs, &r.payload_len);
        assert(fits);
        (void)fits;
        r.payload = pairs;
        rc = batch_enc_add(b->enc, &r, reterr);
        if (rc == 0 && (batch_enc_count(b->enc) == BATCH_EVENTS || i == n - 1)) {
            rc = end(b, reterr);
        }
    }
    return rc;
}

/* ---- sending ---- */

static int send_one(struct cmd_batch *b, const struct rec *r, struct err *reterr)
{
    int64_t ms = r->ts / CLOCK_NS_PER_MS;
    if (ms > eng_now(b->eng)) {
        eng_advance(b->eng, ms);
    }
    struct evt *e = dat_intake_event(b->intake, r);
    return e != NULL ? eng_send(b->eng, e, reterr)
                     : err_set(reterr, ERR_NOT_FOUND, "no type has the name of a record");
}

int cmd_batch_send(struct cmd_batch *b, struct err *reterr)
{
    size_t from = 0;
    for (size_t k = 0; k < b->ends.len; k++) {
        struct slice bytes = slice_sub(buf_slice(&b->bytes), from, b->ends.ptr[k]);
        struct rec_batch batch;
        from = b->ends.ptr[k];
        arena_reset(b->decoding);
        int rc = batch_dec_read(b->dec, b->decoding, bytes, &batch, reterr);
        for (uint32_t i = 0; rc == 0 && i < batch.events_len; i++) {
            rc = send_one(b, &batch.events[i], reterr);
        }
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}
