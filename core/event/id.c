/* SPDX-License-Identifier: Apache-2.0
 *
 * See id.h. The bytes hashed are part of what is stored: never change them.
 */
#include "core/event/id.h"

#include "core/base/hash.h"
#include "core/codec/endian.h"
#include "core/codec/varint.h"
#include "core/event/key.h"
#include "core/event/rec.h"

#include <assert.h>

enum { ALERT_PARTS = 4 };

static struct id id_of_hash(struct slice s)
{
    struct hash128 h = hash_xxh128(s);
    struct id id;
    memcpy(id.bytes, h.bytes, sizeof id.bytes);
    return id;
}

struct id id_of_span(const uint8_t trace_id[16], const uint8_t span_id[8], uint8_t span_kind)
{
    uint8_t bytes[16 + 8 + 1];
    memcpy(bytes, trace_id, 16);
    memcpy(bytes + 16, span_id, 8);
    bytes[24] = span_kind;
    return id_of_hash(slice_of(bytes, sizeof bytes));
}

struct id id_of_derived(uint64_t lineage, uint64_t number)
{
    uint8_t bytes[16];
    assert(lineage >> 63 == 0);
    endian_put_be64(bytes, lineage);
    endian_put_be64(bytes + 8, number);
    return id_of_hash(slice_of(bytes, sizeof bytes));
}

struct id id_of_alert(struct slice tenant, struct slice graph, struct slice statement,
                      struct slice key_bytes, uint64_t ordinal)
{
    struct slice parts[ALERT_PARTS] = {tenant, graph, statement, key_bytes};
    char head[VARINT_MAX], tail[8];
    struct buf b;
    buf_init(&b, tenant.len + graph.len + statement.len + key_bytes.len + sizeof tail +
                     ALERT_PARTS * sizeof head);
    for (size_t i = 0; i < ALERT_PARTS; i++) {
        buf_add(&b, head, (size_t)(varint_write(head, parts[i].len) - head));
        buf_add_slice(&b, parts[i]);
    }
    endian_put_be64(tail, ordinal);
    buf_add(&b, tail, sizeof tail);
    assert(!buf_failed(&b));
    struct id id = id_of_hash(buf_slice(&b));
    buf_done(&b);
    return id;
}

/* The pair with the smallest key that is larger than *after, later ones of equal keys first. NULL
 * when there is none. Payloads are short: n passes beat sorting a copy. */
static const struct val_pair *next_pair(const struct val_pair *pairs, uint32_t len,
                                        const struct val_pair *after)
{
    const struct val_pair *best = NULL;
    for (uint32_t i = len; i-- > 0;) {
        const struct val_pair *p = &pairs[i];
        if ((after == NULL || slice_cmp(val_key(p), val_key(after)) > 0) &&
            (best == NULL || slice_cmp(val_key(p), val_key(best)) < 0)) {
            best = p;
        }
    }
    return best;
}

enum { PASSES_MAX = 64 };

/* Sorted by val_map_sort in a copy when there are many. */
static bool add_pairs(struct buf *b, const struct val_pair *pairs, uint32_t len)
{
    if (len > PASSES_MAX) {
        struct arena *a = arena_new(NULL, "id", (size_t)len * sizeof *pairs + 4096);
        struct val_pair *copy = arena_array(a, len, sizeof *copy);
        bool ok = copy != NULL;
        if (ok) {
            memcpy(copy, pairs, (size_t)len * sizeof *copy);
            ok = key_add(b, val_map(copy, val_map_sort(copy, len)));
        }
        arena_free(a);
        return ok;
    }
    struct val_pair sorted[PASSES_MAX];
    uint32_t n = 0;
    for (const struct val_pair *p = NULL; (p = next_pair(pairs, len, p)) != NULL;) {
        assert(n < PASSES_MAX);
        sorted[n++] = *p;
    }
    return key_add(b, val_map(sorted, n));
}

int id_of_content(struct buf *scratch, struct slice subject_key, const struct rec *r,
                  uint32_t ordinal, struct id *ret_id, struct err *reterr)
{
    assert(scratch != NULL && r != NULL);
    assert(ret_id != NULL);
    const struct rec_context *c = r->context;
    buf_clear(scratch);
    bool ok = key_add(scratch, val_bytes(subject_key)) && key_add(scratch, val_int(r->ts)) &&
              key_add(scratch, val_int(r->kind)) && key_add(scratch, val_string(r->type)) &&
              buf_add(scratch, r->trace_id, sizeof r->trace_id) &&
              buf_add(scratch, r->span_id, sizeof r->span_id) &&
              add_pairs(scratch, r->payload, r->payload_len) &&
              add_pairs(scratch, c != NULL ? c->pairs : NULL, c != NULL ? c->len : 0) &&
              key_add(scratch, val_int(ordinal));
    if (!ok) {
        return err_set(reterr, ERR_TOO_BIG, "an event of more than %zu bytes has no content id",
                       scratch->max);
    }
    *ret_id = id_of_hash(buf_slice(scratch));
    return 0;
}

enum { PAIR_HEAD = 4 + 1 + 8 };

/* Length and bytes of the key, tag, then eight bytes of a scalar or the length of a text; texts and
 * what is nested follow. */
static bool add_item_pair(struct buf *b, const struct val_pair *p)
{
    struct val v = p->value;
    bool text = v.tag == VAL_STRING || v.tag == VAL_BYTES;
    size_t tail = text ? v.len : 0;
    char *to = buf_room(b, PAIR_HEAD + (size_t)p->key_len + tail);
    if (to == NULL) {
        return false;
    }
    endian_put_be32(to, p->key_len);
    memcpy(to + 4, p->key, p->key_len);
    to += 4 + p->key_len;
    *to = (char)v.tag;
    endian_put_be64(to + 1, v.tag == VAL_NULL || v.tag >= VAL_STRING ? v.len : v.bits);
    if (tail > 0) {
        memcpy(to + 9, v.str, tail);
    }
    buf_commit(b, PAIR_HEAD + (size_t)p->key_len + tail);
    return v.tag < VAL_LIST || key_add(b, v);
}

int id_of_item(struct buf *scratch, const struct hash128 *target, const struct rec *r,
               struct id *ret_id, struct err *reterr)
{
    assert(scratch != NULL && target != NULL);
    assert(r != NULL && ret_id != NULL);
    uint8_t head[16 + 8 + 1 + 16 + 8];
    memcpy(head, target->bytes, 16);
    endian_put_be64(head + 16, (uint64_t)r->ts);
    head[24] = r->kind;
    memcpy(head + 25, r->trace_id, 16);
    memcpy(head + 41, r->span_id, 8);
    buf_clear(scratch);
    bool ok = buf_add(scratch, head, sizeof head) && key_add(scratch, val_string(r->type));
    for (uint32_t i = 0; ok && i < r->payload_len; i++) {
        ok = add_item_pair(scratch, &r->payload[i]);
    }
    if (!ok) {
        return err_set(reterr, ERR_TOO_BIG, "an event of more than %zu bytes has no content id",
                       scratch->max);
    }
    *ret_id = id_of_hash(buf_slice(scratch));
    return 0;
}

struct id id_repeat(struct id first, uint32_t ordinal)
{
    uint8_t bytes[sizeof first.bytes + 4];
    assert(ordinal > 0);
    memcpy(bytes, first.bytes, sizeof first.bytes);
    endian_put_be32(bytes + sizeof first.bytes, ordinal);
    return id_of_hash(slice_of(bytes, sizeof bytes));
}
