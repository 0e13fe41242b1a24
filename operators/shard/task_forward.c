/* SPDX-License-Identifier: Apache-2.0
 *
 * Tasks of source groups: events go on as they came, dealt out by another key, so that who reads
 * them cannot tell. Three things are added on the way: `ts` is the clock of the source (as of all
 * that tasks write), so the true one goes along in the payload, under a key that no sender has; and
 * the event's own reference is its only cause. So an event stands at the same place in time, and is
 * as late, as it would be without the source between.
 */
#include "core/codec/endian.h"
#include "core/event/key.h"
#include "operators/graph/keys.h"
#include "operators/shard/task_impl.h"

#include <assert.h>

#define TS_KEY SLICE("\xf4\x8f\xbf\xbfts") /* behind all others, also where keys are sorted */

static uint32_t forward_of(const struct task *t, struct slice statement)
{
    uint32_t n = 0;
    for (size_t i = 0; i < statement.len && statement.ptr[i] != '.'; i++) {
        n = n * 10 + (uint32_t)(statement.ptr[i] - '0');
    }
    assert(n < t->plan->n_forwards);
    return n;
}

static uint32_t part_of(struct task *t, const struct task_forward *f, const struct evt *row)
{
    uint32_t parts = t->plan->to[f->to].parts;
    if (f->n_key == 0) {
        return (uint32_t)((uint64_t)t->plan->part * parts / t->plan->parts);
    }
    buf_clear(&t->key);
    for (uint32_t i = 0; i < f->n_key; i++) {
        (void)keys_add(&t->key, row->p[i], f->as_double[i]);
    }
    return key_partition(buf_slice(&t->key), parts);
}

static bool is_kept(const struct task_forward *f, const struct val_pair *p)
{
    bool kept = f->keep_all;
    for (uint32_t i = 0; i < f->n_keep && !kept; i++) {
        kept = slice_eq(val_key(p), f->keep[i]);
    }
    return kept;
}

static void forward(struct task *t, const struct task_forward *f, uint32_t part)
{
    struct err err;
    struct rec r = *t->current;
    struct ref cause;
    arena_reset(t->scratch);
    struct val_pair *payload = arena_array(t->scratch, r.payload_len + 1, sizeof *payload);
    if (payload != NULL) {
        uint32_t n = 0;
        for (uint32_t i = 0; i < r.payload_len; i++) {
            if (is_kept(f, &r.payload[i])) {
                payload[n++] = r.payload[i];
            }
        }
        payload[n++] = val_pair(TS_KEY, val_int(r.ts));
        endian_put_be64(cause.bytes, t->input.hi);
        endian_put_be64(cause.bytes + 8, t->input.lo);
        r.payload = payload;
        r.payload_len = n;
        r.causes = &cause;
        r.causes_len = 1;
        r.ts = t->floor;
    }
    uint64_t number = eng_numbered(t->eng) + 1;
    eng_number_from(t->eng, number);
    if (payload == NULL || emit_event(t->emit, f->to, part, &r, number, &err) != 0) {
        t->counts.refused++;
        task_dead(t, TASK_DEAD_TOO_BIG, SLICE_NONE, "it cannot be moved: %s",
                  payload != NULL ? err.msg : "it has no end");
    } else {
        t->counts.put++;
    }
}

void task_forward(void *arg, struct slice statement, const struct eng_rows *rows)
{
    struct task *t = arg;
    uint32_t n = forward_of(t, statement);
    if (rows->n_nw == 0 || (t->forwarded >> n & 1) != 0) {
        return;
    }
    const struct task_forward *f = &t->plan->forwards[n];
    t->forwarded |= 1ULL << n;
    forward(t, f, part_of(t, f, rows->nw[0]));
}

struct rec task_unwrap(const struct rec *r, struct eref *ret_ref)
{
    struct rec own = *r;
    const struct val_pair *last = r->payload_len > 0 ? &r->payload[r->payload_len - 1] : NULL;
    if (last != NULL && slice_eq(val_key(last), TS_KEY) && last->value.tag == VAL_INT) {
        own.ts = last->value.i;
        own.payload_len--;
    }
    if (r->causes_len == 1) {
        *ret_ref =
            (struct eref){endian_be64(r->causes[0].bytes), endian_be64(r->causes[0].bytes + 8)};
    }
    own.causes_len = 0;
    return own;
}
