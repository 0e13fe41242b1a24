/* SPDX-License-Identifier: Apache-2.0
 *
 * See rec.h.
 */
#include "core/event/rec.h"

static const char *const KIND_NAMES[] = {
#define KIND(name, number, doc) [number] = #name,
#include "core/event/rec.def"
};

static const char *const FLAG_NAMES[] = {
#define FLAG(name, bit, doc) [bit] = #name,
#include "core/event/rec.def"
};

static const char *const NAME_TEXTS[REC_NAME_COUNT] = {
#define CONTEXT(name, key, doc) key,
#include "core/event/rec.def"
};

const struct val *rec_find_slow(const struct val_pair *pairs, uint32_t len, uint32_t id,
                                uint32_t *hint)
{
    assert(pairs != NULL || len == 0);
    assert(hint != NULL);
    for (uint32_t i = 0; i < len; i++) {
        if (pairs[i].key_id == id) {
            *hint = i;
            return &pairs[i].value;
        }
    }
    return NULL;
}

const struct val *rec_find_text(const struct val_pair *pairs, uint32_t len, struct slice key)
{
    assert(pairs != NULL || len == 0);
    for (uint32_t i = len; i-- > 0;) {
        if (slice_eq(val_key(&pairs[i]), key)) {
            return &pairs[i].value;
        }
    }
    return NULL;
}

void rec_names_init(struct rec_names *names, struct intern *keys)
{
    assert(names != NULL && keys != NULL);
    for (size_t i = 0; i < REC_NAME_COUNT; i++) {
        names->id[i] = intern_id(keys, rec_name_text((enum rec_name)i));
    }
}

struct slice rec_name_text(enum rec_name name)
{
    assert(name < REC_NAME_COUNT);
    return slice_str(NAME_TEXTS[name]);
}

const struct val *rec_context_get(const struct rec_context *c, const struct rec_names *names,
                                  enum rec_name name)
{
    assert(name < REC_NAME_COUNT);
    if (c == NULL) {
        return NULL;
    }
    uint32_t hint = 0;
    if (names != NULL && names->id[name] != 0) {
        return rec_find(c->pairs, c->len, names->id[name], &hint);
    }
    return rec_find_text(c->pairs, c->len, rec_name_text(name));
}

const char *rec_kind_name(unsigned kind)
{
    return kind < ARRAY_LEN(KIND_NAMES) ? KIND_NAMES[kind] : "?";
}

bool rec_kind_of(struct slice name, uint8_t *ret_kind)
{
    for (size_t i = 0; i < ARRAY_LEN(KIND_NAMES); i++) {
        if (slice_eq_nocase(name, slice_str(KIND_NAMES[i]))) {
            *ret_kind = (uint8_t)i;
            return true;
        }
    }
    return false;
}

const char *rec_flag_name(unsigned bit)
{
    return bit < ARRAY_LEN(FLAG_NAMES) ? FLAG_NAMES[bit] : "?";
}

static bool same_pairs(const struct val_pair *a, uint32_t a_len, const struct val_pair *b,
                       uint32_t b_len)
{
    bool same = a_len == b_len;
    for (uint32_t i = 0; same && i < a_len; i++) {
        same = slice_eq(val_key(&a[i]), val_key(&b[i])) && val_same(a[i].value, b[i].value);
    }
    return same;
}

bool rec_same(const struct rec *a, const struct rec *b)
{
    assert(a != NULL && b != NULL);
    static const struct rec_context empty = {0};
    const struct rec_context *ca = a->context != NULL ? a->context : &empty;
    const struct rec_context *cb = b->context != NULL ? b->context : &empty;
    return a->ts == b->ts && a->ingest_ts == b->ingest_ts && a->kind == b->kind &&
           a->flags == b->flags && a->n == b->n && slice_eq(a->type, b->type) &&
           memcmp(a->trace_id, b->trace_id, sizeof a->trace_id) == 0 &&
           memcmp(a->span_id, b->span_id, sizeof a->span_id) == 0 && id_equal(&a->id, &b->id) &&
           a->causes_len == b->causes_len &&
           (a->causes_len == 0 ||
            memcmp(a->causes, b->causes, a->causes_len * sizeof *a->causes) == 0) &&
           same_pairs(a->payload, a->payload_len, b->payload, b->payload_len) &&
           same_pairs(ca->pairs, ca->len, cb->pairs, cb->len);
}
