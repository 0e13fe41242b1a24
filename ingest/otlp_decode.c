/* SPDX-License-Identifier: Apache-2.0
 *
 * See otlp_decode.h. Of a field that stands more than once the last counts, as in protobuf.
 */
#include "ingest/otlp_decode.h"

#include "core/base/mem.h"
#include "core/event/prop.h"
#include "ingest/otlp_schema.h"

#include <assert.h>

#define LEN(number)    PBWIRE_TAG(number, PBWIRE_LEN)
#define VARINT(number) PBWIRE_TAG(number, PBWIRE_VARINT)
#define I64(number)    PBWIRE_TAG(number, PBWIRE_I64)
#define I32(number)    PBWIRE_TAG(number, PBWIRE_I32)

/* --- the item --- */

void otlp_item_init(struct otlp_item *it, const struct otlp_keys *keys)
{
    assert(it != NULL && keys != NULL);
    *it = (struct otlp_item){.keys = keys};
    it->arena = arena_new(NULL, "otlp item", OTLP_ITEM_BYTES);
    it->pairs = mem_calloc(OTLP_OWN_MAX + OTLP_ATTRS_MAX, sizeof *it->pairs);
    otlp_item_clear(it);
}

void otlp_item_done(struct otlp_item *it)
{
    arena_free(it->arena);
    mem_free(it->pairs);
}

void otlp_item_clear(struct otlp_item *it)
{
    it->attrs = 0;
    it->own = OTLP_OWN_MAX;
    it->roles = 0;
}

void otlp_item_begin(struct otlp_item *it, enum otlp_where where)
{
    otlp_item_clear(it);
    if (it->used) {
        arena_reset(it->arena);
    }
    it->where = (uint8_t)where;
    it->used = it->bad = false;
}

void otlp_item_refuse(struct otlp_item *it, enum otlp_reason reason)
{
    if (!it->bad) {
        it->bad = true;
        it->reason = reason;
    }
}

void *otlp_item_array(struct otlp_item *it, size_t n, size_t size)
{
    it->used = true;
    void *p = n < UINT32_MAX ? arena_alloc(it->arena, n * size) : NULL;
    if (p == NULL) {
        otlp_item_refuse(it, OTLP_REASON_TOO_BIG);
    }
    return p;
}

const struct val *otlp_item_role(const struct otlp_item *it, enum otlp_role role)
{
    return (it->roles >> role & 1) != 0 ? &it->pairs[it->role_at[role]].value : NULL;
}

/* --- values --- */

static size_t count_fields(struct slice message, uint32_t tag)
{
    struct pbwire r = pbwire_of(message);
    struct pbwire_field f;
    size_t n = 0;
    while (pbwire_next(&r, &f)) {
        n += f.tag == tag;
    }
    return n;
}

static struct val any_list(struct otlp_item *it, struct slice array, unsigned depth)
{
    size_t n = count_fields(array, LEN(1)), i = 0;
    struct val *items = otlp_item_array(it, n, sizeof *items);
    if (items == NULL) {
        return val_null();
    }
    struct pbwire r = pbwire_of(array);
    struct pbwire_field f;
    while (pbwire_next(&r, &f)) {
        if (f.tag == LEN(1)) {
            items[i++] = otlp_any(it, f.bytes, depth);
        }
    }
    assert(i == n);
    return val_list(items, (uint32_t)n);
}

static inline struct val_pair key_value(struct otlp_item *it, struct slice message, unsigned depth)
{
    struct slice key, text;
    if (LIKELY(otlp_plain_attr(message, &key, &text))) {
        return val_pair(key, val_string(text));
    }
    struct pbwire r = pbwire_of(message);
    struct pbwire_field f;
    struct val_pair p = {.key = ""};
    p.value = val_null();
    while (pbwire_next(&r, &f)) {
        if (f.tag == LEN(1)) {
            p.key = f.bytes.ptr;
            p.key_len = (uint32_t)f.bytes.len;
        } else if (f.tag == LEN(2)) {
            p.value = otlp_any(it, f.bytes, depth);
        }
    }
    return p;
}

static struct val attr_map(struct otlp_item *it, struct slice message, uint32_t number,
                           unsigned depth)
{
    size_t n = count_fields(message, LEN(number)), i = 0;
    struct val_pair *pairs = otlp_item_array(it, n, sizeof *pairs);
    if (pairs == NULL) {
        return val_null();
    }
    struct pbwire r = pbwire_of(message);
    struct pbwire_field f;
    while (pbwire_next(&r, &f)) {
        if (f.tag == LEN(number)) {
            pairs[i++] = key_value(it, f.bytes, depth);
        }
    }
    assert(i == n);
    return val_map(pairs, val_map_sort(pairs, (uint32_t)n));
}

struct val otlp_attr_map(struct otlp_item *it, struct slice message, uint32_t number)
{
    return attr_map(it, message, number, OTLP_VALUE_DEPTH);
}

static struct val nested(struct otlp_item *it, const struct pbwire_field *f, unsigned depth)
{
    if (depth == 0) {
        otlp_item_refuse(it, OTLP_REASON_DEPTH);
        return val_null();
    }
    return f->tag == LEN(5) ? any_list(it, f->bytes, depth - 1)
                            : attr_map(it, f->bytes, 1, depth - 1);
}

struct val otlp_any(struct otlp_item *it, struct slice any_value, unsigned depth)
{
    struct pbwire r = pbwire_of(any_value);
    struct pbwire_field f;
    struct val v = val_null();
    while (pbwire_next(&r, &f)) {
        switch (f.tag) {
        case LEN(1): v = val_string(f.bytes); break;
        case VARINT(2): v = val_bool(f.value != 0); break;
        case VARINT(3): v = val_int((int64_t)f.value); break;
        case I64(4): v = val_double(pbwire_double(f.value)); break;
        case LEN(5):
        case LEN(6): v = nested(it, &f, depth); break;
        case LEN(7): v = val_bytes(f.bytes); break;
        default: break;
        }
    }
    return v;
}

/* --- attributes of an item --- */

/* An attribute that is named like an own key gets another name, and so does one that has such a
 * name already. */
static COLD void escape_key(struct otlp_item *it, struct val_pair *p)
{
    size_t before = sizeof PROP_ESCAPE - 1;
    char *key = otlp_item_array(it, before + p->key_len + 1, 1);
    if (key != NULL) {
        memcpy(key, PROP_ESCAPE, before);
        memcpy(key + before, p->key, p->key_len);
        p->key = key;
        p->key_len += (uint32_t)before;
    }
}

static void note_role(struct otlp_item *it, const struct otlp_key *known, uint32_t at)
{
    uint64_t bit = UINT64_C(1) << known->role;
    if ((known->where & it->where) != 0 &&
        ((it->roles & bit) == 0 || known->rank <= it->role_rank[known->role])) {
        it->roles |= bit;
        it->role_at[known->role] = at;
        it->role_rank[known->role] = known->rank;
    }
}

void otlp_item_attr(struct otlp_item *it, struct slice message)
{
    if (UNLIKELY(it->attrs == OTLP_ATTRS_MAX)) {
        otlp_item_refuse(it, OTLP_REASON_TOO_BIG);
        return;
    }
    uint32_t at = OTLP_OWN_MAX + it->attrs++;
    struct val_pair *p = &it->pairs[at];
    *p = key_value(it, message, OTLP_VALUE_DEPTH);
    const struct otlp_key *known = otlp_key_find(it->keys, val_key(p));
    if (UNLIKELY(known != NULL)) {
        if (known->role != OTLP_ROLE_NONE) {
            note_role(it, known, at);
        }
        if (known->own && it->where == OTLP_ITEM) {
            escape_key(it, p);
        }
    } else if (UNLIKELY(p->key_len > 0 && p->key[0] == 'a' && it->where == OTLP_ITEM &&
                        slice_starts(val_key(p), SLICE(PROP_ESCAPE)))) {
        escape_key(it, p);
    }
}

/* --- numbers --- */

static struct val number(uint64_t bits, enum otlp_numbers how, bool *saturated)
{
    if (how == OTLP_NUMBERS_DOUBLE) {
        return val_double(pbwire_double(bits));
    }
    if (bits > INT64_MAX) {
        *saturated = true;
        bits = INT64_MAX;
    }
    return val_int((int64_t)bits);
}

/* How many numbers one field holds. */
static size_t count_numbers(const struct pbwire_field *f, uint32_t number, enum otlp_numbers how)
{
    if (f->tag == LEN(number)) {
        return how == OTLP_NUMBERS_VARINT ? pbwire_packed_count(f->bytes) : f->bytes.len / 8;
    }
    return f->tag == (how == OTLP_NUMBERS_VARINT ? VARINT(number) : I64(number));
}

static size_t read_numbers(const struct pbwire_field *f, uint32_t field, enum otlp_numbers how,
                           struct val *to, bool *saturated)
{
    size_t n = 0;
    if (f->tag != LEN(field)) {
        to[n++] = number(f->value, how, saturated);
    } else if (how == OTLP_NUMBERS_VARINT) {
        struct slice rest = f->bytes;
        for (uint64_t v; pbwire_packed(&rest, &v);) {
            to[n++] = number(v, how, saturated);
        }
    } else {
        for (; n < f->bytes.len / 8; n++) {
            to[n] = number(endian_le64(f->bytes.ptr + 8 * n), how, saturated);
        }
    }
    return n;
}

struct val otlp_numbers(struct otlp_item *it, struct slice message, uint32_t field,
                        enum otlp_numbers how, bool *saturated)
{
    struct pbwire r = pbwire_of(message);
    struct pbwire_field f;
    size_t n = 0, i = 0;
    while (pbwire_next(&r, &f)) {
        n += count_numbers(&f, field, how);
    }
    if (n == 0) {
        return val_list(NULL, 0);
    }
    struct val *items = otlp_item_array(it, n, sizeof *items);
    if (items == NULL) {
        return val_null();
    }
    r = pbwire_of(message);
    while (pbwire_next(&r, &f)) {
        if (count_numbers(&f, field, how) > 0) {
            i += read_numbers(&f, field, how, items + i, saturated);
        }
    }
    assert(i == n);
    return val_list(items, (uint32_t)n);
}

/* --- items --- */

void otlp_decode_span(struct otlp_item *it, struct slice message, struct otlp_span *ret)
{
    struct pbwire r = pbwire_of(message), status;
    struct pbwire_field f, s;
    *ret = (struct otlp_span){.name = SLICE("")};
    while (pbwire_next(&r, &f)) {
        switch (f.tag) {
        case LEN(1): ret->trace_id = f.bytes; break;
        case LEN(2): ret->span_id = f.bytes; break;
        case LEN(3): ret->trace_state = f.bytes; break;
        case LEN(4): ret->parent_id = f.bytes; break;
        case LEN(5): ret->name = f.bytes; break;
        case VARINT(6): ret->kind = f.value; break;
        case I64(7): ret->start = f.value; break;
        case I64(8): ret->end = f.value; break;
        case LEN(9): otlp_item_attr(it, f.bytes); break;
        case VARINT(10): ret->dropped_attrs = f.value; break;
        case LEN(11): ret->events++; break;
        case VARINT(12): ret->dropped_events = f.value; break;
        case LEN(13): ret->links++; break;
        case VARINT(14): ret->dropped_links = f.value; break;
        case LEN(15):
            for (status = pbwire_of(f.bytes); pbwire_next(&status, &s);) {
                if (s.tag == LEN(2)) {
                    ret->status_message = s.bytes;
                } else if (s.tag == VARINT(3)) {
                    ret->status = s.value;
                }
            }
            break;
        case I32(16): ret->flags = f.value; break;
        default: break;
        }
    }
}

void otlp_decode_log(struct otlp_item *it, struct slice message, struct otlp_log *ret)
{
    struct pbwire r = pbwire_of(message);
    struct pbwire_field f;
    *ret = (struct otlp_log){0};
    while (pbwire_next(&r, &f)) {
        switch (f.tag) {
        case I64(1): ret->time = f.value; break;
        case VARINT(2): ret->severity = f.value; break;
        case LEN(3): ret->severity_text = f.bytes; break;
        case LEN(5):
            ret->body = f.bytes;
            ret->has_body = true;
            break;
        case LEN(6): otlp_item_attr(it, f.bytes); break;
        case VARINT(7): ret->dropped_attrs = f.value; break;
        case I32(8): ret->flags = f.value; break;
        case LEN(9): ret->trace_id = f.bytes; break;
        case LEN(10): ret->span_id = f.bytes; break;
        case I64(11): ret->observed = f.value; break;
        case LEN(12): ret->event_name = f.bytes; break;
        default: break;
        }
    }
}

void otlp_decode_event(struct slice message, struct otlp_part *ret)
{
    struct pbwire r = pbwire_of(message);
    struct pbwire_field f;
    *ret = (struct otlp_part){.name = SLICE("")};
    while (pbwire_next(&r, &f)) {
        switch (f.tag) {
        case I64(1): ret->time = f.value; break;
        case LEN(2): ret->name = f.bytes; break;
        case LEN(3): ret->attrs++; break;
        case VARINT(4): ret->dropped_attrs = f.value; break;
        default: break;
        }
    }
}

void otlp_decode_link(struct slice message, struct otlp_part *ret)
{
    struct pbwire r = pbwire_of(message);
    struct pbwire_field f;
    *ret = (struct otlp_part){0};
    while (pbwire_next(&r, &f)) {
        switch (f.tag) {
        case LEN(1): ret->trace_id = f.bytes; break;
        case LEN(2): ret->span_id = f.bytes; break;
        case LEN(3): ret->trace_state = f.bytes; break;
        case LEN(4): ret->attrs++; break;
        case VARINT(5): ret->dropped_attrs = f.value; break;
        case I32(6): ret->flags = f.value; break;
        default: break;
        }
    }
}

void otlp_decode_exemplar(struct slice message, struct otlp_part *ret)
{
    struct pbwire r = pbwire_of(message);
    struct pbwire_field f;
    *ret = (struct otlp_part){0};
    while (pbwire_next(&r, &f)) {
        switch (f.tag) {
        case I64(2): ret->time = f.value; break;
        case I64(3): ret->value = val_double(pbwire_double(f.value)); break;
        case LEN(4): ret->span_id = f.bytes; break;
        case LEN(5): ret->trace_id = f.bytes; break;
        case I64(6): ret->value = val_int((int64_t)f.value); break;
        case LEN(7): ret->attrs++; break;
        default: break;
        }
    }
}
