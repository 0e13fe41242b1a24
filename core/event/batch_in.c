/* SPDX-License-Identifier: Apache-2.0
 *
 * See batch_in.h.
 */
#include "core/event/batch_in.h"

#include "core/base/mem.h"
#include "core/event/batch_dec.h"
#include "core/event/batch_other.h"
#include "core/event/batch_plain.h"

struct batch_in {
    struct batch_limits limits;
    struct intern *keys;
    struct schema_reg *reg;
    struct batch_dec *dec;
    const struct schema_entry *events; /* what batch_dec reads */
    struct batch_in_counts counts;
};

struct batch_in *batch_in_new(struct batch_limits limits, struct intern *keys,
                              struct schema_reg *reg)
{
    assert(keys != NULL && reg != NULL);
    struct batch_in *in = MEM_NEW(struct batch_in);
    in->limits = limits;
    in->keys = keys;
    in->reg = reg;
    in->dec = batch_dec_new(limits, keys);
    in->events = schema_reg_current(reg, "event_batch");
    assert(in->events != NULL);
    return in;
}

void batch_in_free(struct batch_in *in)
{
    if (in != NULL) {
        batch_dec_free(in->dec);
        mem_free(in);
    }
}

static int read_by(struct batch_in *in, const struct schema_entry *e, struct arena *a,
                   struct slice body, struct rec_batch *ret_batch, struct err *reterr)
{
    if (LIKELY(e == in->events)) {
        in->counts.fast++;
        return batch_dec_read(in->dec, a, body, ret_batch, reterr);
    }
    enum rec_plain_kind plain;
    if (e->current && rec_plain_of(e->subject, &plain)) {
        return batch_plain_read(plain, in->dec, in->keys, a, body, ret_batch, reterr);
    }
    if (e->subject == NULL || strcmp(e->subject, in->events->subject) != 0) {
        return err_set(reterr, ERR_MISMATCH, "a record of %s, not of event batches",
                       e->subject != NULL ? e->subject : "a foreign schema");
    }
    in->counts.slow++;
    return batch_other_read(e->schema, in->limits, in->keys, a, body, ret_batch, reterr);
}

int batch_in_read(struct batch_in *in, struct arena *a, struct slice record,
                  struct rec_batch *ret_batch, struct err *reterr)
{
    assert(in != NULL && a != NULL);
    struct frame frame;
    const struct schema_entry *e;
    int rc = frame_read(record, &frame, reterr);
    rc = rc != 0 ? rc : schema_reg_find(in->reg, frame.kind, frame.number, &e, reterr);
    rc = rc != 0 ? rc : read_by(in, e, a, frame.body, ret_batch, reterr);
    in->counts.failed += rc != 0;
    return rc;
}

struct batch_in_counts batch_in_counts(const struct batch_in *in)
{
    return in->counts;
}
