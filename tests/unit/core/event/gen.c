/* SPDX-License-Identifier: Apache-2.0
 *
 * See gen.h.
 */
#include "tests/unit/core/event/gen.h"

#include "core/codec/endian.h"

#include <stdio.h>

void gen_init(struct gen *g, uint64_t seed, struct arena *a)
{
    *g = (struct gen){.state = seed * 0x9e3779b97f4a7c15u + 1, .arena = a};
}

uint64_t gen_u64(struct gen *g)
{
    uint64_t z = g->state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint32_t gen_below(struct gen *g, uint32_t n)
{
    return n > 0 ? (uint32_t)(gen_u64(g) % n) : 0;
}

int64_t gen_int(struct gen *g)
{
    static const int64_t edges[] = {
        0,         -1,        1,         63,        64,        -64,          -65,
        INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN, 1ll << 53, -(1ll << 53), (1ll << 53) + 1};
    if (gen_below(g, 4) == 0) {
        return edges[gen_below(g, ARRAY_LEN(edges))];
    }
    return (int64_t)gen_u64(g) >> gen_below(g, 64);
}

double gen_double(struct gen *g)
{
    static const uint64_t edges[] = {0x7ff0000000000002u, /* the stale marker, a signalling NaN */
                                     0x7ff8000000000000u, 0xfff8000000000001u, 0x7ff0000000000000u,
                                     0xfff0000000000000u, 0x8000000000000000u, 0x0000000000000001u,
                                     0x7fefffffffffffffu, 0x43e0000000000000u, 0xc3e0000000000000u};
    switch (gen_below(g, 4)) {
    case 0: return endian_double(edges[gen_below(g, ARRAY_LEN(edges))]);
    case 1: return endian_double(gen_u64(g));
    case 2: return (double)(gen_int(g) >> 12);
    default: return (double)gen_int(g) / 1000.0;
    }
}

struct slice gen_blob(struct gen *g, uint32_t max_len)
{
    uint32_t len = gen_below(g, max_len + 1);
    char *p = arena_alloc(g->arena, len + 1u);
    for (uint32_t i = 0; i < len; i++) {
        p[i] = (char)gen_u64(g);
    }
    return slice_of(p, len);
}

struct slice gen_text(struct gen *g, uint32_t max_len)
{
    static const char *const pieces[] = {
        "a",  "error ", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\"",
        "\\", "\n",     "0",        "k8s."};
    static const char *const bad[] = {"\xff", "\xc3", "\xe2\x82", "\xed\xa0\x80"};
    if (g->bad_utf8 && gen_below(g, 8) == 0) {
        return slice_str(bad[gen_below(g, ARRAY_LEN(bad))]);
    }
    struct buf b;
    buf_init(&b, max_len + 16);
    uint32_t want = gen_below(g, max_len + 1);
    while (b.len < want) {
        if (!g->no_nul && gen_below(g, 16) == 0) {
            buf_add_byte(&b, 0); /* NUL is a character like others */
        } else {
            buf_add_str(&b, pieces[gen_below(g, ARRAY_LEN(pieces))]);
        }
    }
    struct slice copy = arena_copy(g->arena, buf_slice(&b));
    buf_done(&b);
    return copy;
}

static struct val gen_nested(struct gen *g, unsigned depth)
{
    uint32_t n = gen_below(g, 5);
    if (gen_below(g, 2) == 0) {
        struct val *items = arena_array(g->arena, n, sizeof *items);
        for (uint32_t i = 0; i < n; i++) {
            items[i] = gen_val(g, depth - 1);
        }
        return val_list(items, n);
    }
    struct val_pair *pairs = arena_array(g->arena, n, sizeof *pairs);
    for (uint32_t i = 0; i < n; i++) {
        pairs[i] = val_pair(gen_text(g, 6), gen_val(g, depth - 1));
    }
    return val_map(pairs, val_map_sort(pairs, n));
}

struct val gen_val(struct gen *g, unsigned depth)
{
    switch (gen_below(g, depth > 0 ? 8 : 6)) {
    case 0: return val_null();
    case 1: return val_bool(gen_below(g, 2) == 0);
    case 2: return val_int(gen_int(g));
    case 3: return val_double(gen_double(g));
    case 4: return val_string(gen_text(g, 40));
    case 5: return g->no_bytes ? val_null() : val_bytes(gen_blob(g, 40));
    default: return gen_nested(g, depth);
    }
}

const struct val_pair *gen_pairs(struct gen *g, uint32_t len, unsigned depth)
{
    struct val_pair *pairs = arena_array(g->arena, len, sizeof *pairs);
    for (uint32_t i = 0; i < len; i++) {
        char *key = arena_printf(g->arena, "key.%u.%u", i, gen_below(g, 3));
        pairs[i] = val_pair(slice_str(key), gen_val(g, depth));
    }
    return pairs;
}

struct rec_context *gen_context(struct gen *g)
{
    struct rec_context *c = ARENA_NEW(g->arena, struct rec_context);
    c->len = gen_below(g, 10);
    c->pairs = gen_pairs(g, c->len, 1);
    return c;
}

static void fill(struct gen *g, uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bytes[i] = (uint8_t)gen_u64(g);
    }
}

void gen_rec(struct gen *g, const struct rec_context *context, struct rec *ret)
{
    static const char *const types[] = {"Metric", "LogRecord", "Span", "ExceptionEvent",
                                        "ErrorBurst"};
    struct rec r = {.ts = gen_int(g), .ingest_ts = gen_int(g), .context = context};
    r.kind = (uint8_t)gen_below(g, 9);
    r.type = slice_str(types[gen_below(g, ARRAY_LEN(types))]);
    r.flags = gen_below(g, 4) == 0 ? gen_below(g, 1u << 31) & ~(uint32_t)REC_FLAG_REPAIRED : 0;
    r.n = gen_below(g, 2) == 0 ? 0 : gen_below(g, 1u << 31);
    fill(g, r.id.bytes, sizeof r.id.bytes);
    if (gen_below(g, 2) == 0) {
        fill(g, r.trace_id, sizeof r.trace_id);
        fill(g, r.span_id, sizeof r.span_id);
    }
    r.causes_len = gen_below(g, 3) == 0 ? gen_below(g, 12) : 0;
    struct ref *causes = arena_array(g->arena, r.causes_len, sizeof *causes);
    fill(g, (uint8_t *)causes, r.causes_len * sizeof *causes);
    r.causes = causes;
    r.payload_len = gen_below(g, 12);
    r.payload = gen_pairs(g, r.payload_len, 3);
    *ret = r;
}

void gen_batch(struct gen *g, uint32_t contexts, uint32_t events, struct rec_batch *ret)
{
    struct rec_context *cs = arena_array(g->arena, contexts, sizeof *cs);
    struct rec *rs = arena_array(g->arena, events, sizeof *rs);
    for (uint32_t i = 0; i < contexts; i++) {
        cs[i] = *gen_context(g);
        cs[i].index = i;
    }
    for (uint32_t i = 0; i < events; i++) {
        gen_rec(g, &cs[gen_below(g, contexts)], &rs[i]);
    }
    *ret = (struct rec_batch){.source = gen_text(g, 20),
                              .seq = gen_int(g),
                              .contexts = cs,
                              .contexts_len = contexts,
                              .events = rs,
                              .events_len = events};
    for (uint32_t i = 0; i < events; i++) {
        ret->min_ts = i == 0 ? rs[i].ts : MIN(ret->min_ts, rs[i].ts);
        ret->max_ts = i == 0 ? rs[i].ts : MAX(ret->max_ts, rs[i].ts);
    }
}
