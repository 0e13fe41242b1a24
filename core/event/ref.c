/* SPDX-License-Identifier: Apache-2.0
 *
 * See ref.h. The set keeps the REF_CAUSES smallest of *all* references, first and last among them,
 * although only REF_CAUSES - 2 of the rest are listed: whichever two turn out to be first and last
 * after a union, the smallest of the rest are still there. That is what makes union associative.
 */
#include "core/event/ref.h"

#include "core/base/buf.h"
#include "core/base/hash.h"
#include "core/codec/endian.h"

#include <assert.h>
#include <stdio.h>

static const uint64_t DERIVED_BIT = 1ull << 63;

struct ref ref_of_raw(struct ref_raw parts)
{
    assert(parts.topic <= REF_TOPIC_MAX);
    struct ref r;
    endian_put_be16(r.bytes, parts.topic);
    endian_put_be16(r.bytes + 2, parts.partition);
    endian_put_be32(r.bytes + 4, parts.index);
    endian_put_be64(r.bytes + 8, parts.offset);
    assert(!ref_is_derived(&r));
    return r;
}

struct ref ref_of_derived(struct ref_derived parts)
{
    assert((parts.lineage & DERIVED_BIT) == 0);
    struct ref r;
    endian_put_be64(r.bytes, parts.lineage | DERIVED_BIT);
    endian_put_be64(r.bytes + 8, parts.number);
    assert(ref_is_derived(&r));
    return r;
}

struct ref_raw ref_raw_parts(const struct ref *r)
{
    assert(!ref_is_derived(r));
    return (struct ref_raw){.topic = endian_be16(r->bytes),
                            .partition = endian_be16(r->bytes + 2),
                            .index = endian_be32(r->bytes + 4),
                            .offset = endian_be64(r->bytes + 8)};
}

struct ref_derived ref_derived_parts(const struct ref *r)
{
    assert(ref_is_derived(r));
    return (struct ref_derived){.lineage = endian_be64(r->bytes) & ~DERIVED_BIT,
                                .number = endian_be64(r->bytes + 8)};
}

uint64_t ref_hash(const struct ref *r)
{
    return hash_xxh64(slice_of(r->bytes, sizeof r->bytes));
}

struct ref ref_of_event(const struct ref_origin *origin, uint32_t index, uint32_t n)
{
    if (origin->derived) {
        return ref_of_derived((struct ref_derived){origin->lineage, origin->first_number + n});
    }
    return ref_of_raw((struct ref_raw){origin->topic, origin->partition, index, origin->offset});
}

uint64_t ref_lineage(struct slice tenant, struct slice graph, struct slice level,
                     uint32_t partition)
{
    char number[16];
    int len = snprintf(number, sizeof number, "%u", partition);
    struct slice parts[4] = {tenant, graph, level, slice_of(number, (size_t)len)};
    struct buf text;
    buf_init(&text, tenant.len + graph.len + level.len + sizeof number + 4);
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        if (i > 0) {
            buf_add_byte(&text, '/');
        }
        buf_add_slice(&text, parts[i]);
    }
    assert(!buf_failed(&text));
    uint64_t lineage = hash_xxh64(buf_slice(&text)) & ~DERIVED_BIT;
    buf_done(&text);
    return lineage;
}

static int cmp_at(const struct ref_at *a, const struct ref_at *b)
{
    return a->at != b->at ? (a->at < b->at ? -1 : 1) : ref_cmp(&a->ref, &b->ref);
}

/* Into the ascending bottom of the set, unless it is there or too large. */
static void add_low(struct ref_set *s, uint64_t hash, const struct ref *ref)
{
    assert(s->len <= REF_CAUSES);
    uint32_t at = s->len;
    while (at > 0) {
        int c = hash != s->hash[at - 1] ? (hash < s->hash[at - 1] ? -1 : 1)
                                        : ref_cmp(ref, &s->low[at - 1]);
        if (c == 0) {
            return;
        }
        if (c > 0) {
            break;
        }
        at--;
    }
    if (at == REF_CAUSES) {
        return;
    }
    uint32_t moved = MIN(s->len, (uint32_t)REF_CAUSES - 1) - at;
    memmove(&s->hash[at + 1], &s->hash[at], moved * sizeof s->hash[0]);
    memmove(&s->low[at + 1], &s->low[at], moved * sizeof s->low[0]);
    s->hash[at] = hash;
    s->low[at] = *ref;
    s->len = MIN(s->len + 1, (uint32_t)REF_CAUSES);
}

static void add_ends(struct ref_set *s, const struct ref_at *first, const struct ref_at *last)
{
    bool empty = s->len == 0;
    if (empty || cmp_at(first, &s->first) < 0) {
        s->first = *first;
    }
    if (empty || cmp_at(last, &s->last) > 0) {
        s->last = *last;
    }
}

void ref_set_add_hashed(struct ref_set *s, int64_t at, struct ref ref, uint64_t hash)
{
    assert(s != NULL);
    struct ref_at one = {at, ref};
    add_ends(s, &one, &one);
    add_low(s, hash, &ref);
}

void ref_set_add(struct ref_set *s, int64_t at, struct ref ref)
{
    ref_set_add_hashed(s, at, ref, ref_hash(&ref));
}

void ref_set_union(struct ref_set *into, const struct ref_set *other)
{
    assert(into != NULL && other != NULL);
    assert(other->len <= REF_CAUSES);
    if (other->len == 0) {
        return;
    }
    add_ends(into, &other->first, &other->last);
    for (uint32_t i = 0; i < other->len; i++) {
        add_low(into, other->hash[i], &other->low[i]);
    }
}

uint32_t ref_set_list(const struct ref_set *s, struct ref out[REF_CAUSES])
{
    assert(s->len <= REF_CAUSES);
    if (s->len == 0) {
        return 0;
    }
    uint32_t n = 0;
    out[n++] = s->first.ref;
    if (ref_cmp(&s->last.ref, &s->first.ref) != 0) {
        out[n++] = s->last.ref;
    }
    for (uint32_t i = 0; i < s->len && n < REF_CAUSES; i++) {
        if (ref_cmp(&s->low[i], &s->first.ref) != 0 && ref_cmp(&s->low[i], &s->last.ref) != 0) {
            out[n++] = s->low[i];
        }
    }
    return n;
}

uint32_t ref_select(const struct ref *refs, size_t n, struct ref out[REF_CAUSES])
{
    assert(refs != NULL || n == 0);
    struct ref_set s;
    ref_set_init(&s);
    for (size_t i = 0; i < n; i++) {
        ref_set_add(&s, (int64_t)i, refs[i]);
    }
    return ref_set_list(&s, out);
}
