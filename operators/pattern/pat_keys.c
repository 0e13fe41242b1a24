/* SPDX-License-Identifier: Apache-2.0
 *
 * See pat_keys.h. Entries lie in a row; expired ones leave at its head and the row is closed up
 * when more than half of it is gone, which also rebuilds the buckets.
 */
#include "operators/pattern/pat_keys.h"

#include "core/base/mem.h"

#include <assert.h>

enum { KEYS_MIN = 8 };

static void rebuild(struct pat_keys *k, uint32_t n_buckets)
{
    if (n_buckets != k->n_buckets) {
        mem_free(k->buckets);
        k->buckets = mem_calloc(n_buckets, sizeof *k->buckets);
        k->n_buckets = n_buckets;
    } else {
        memset(k->buckets, 0, n_buckets * sizeof *k->buckets);
    }
    for (uint32_t i = k->head; i < k->len; i++) {
        uint32_t *b = &k->buckets[k->entries[i].hash & (n_buckets - 1)];
        k->entries[i].next = *b;
        *b = i + 1;
    }
}

static void close_up(struct pat_keys *k)
{
    uint32_t live = k->len - k->head;
    if (live > 0) {
        memmove(k->entries, k->entries + k->head, live * sizeof *k->entries);
    }
    k->head = 0;
    k->len = live;
    if (k->n_buckets > 0) {
        rebuild(k, k->n_buckets);
    }
}

static void room(struct pat_keys *k)
{
    if (k->len < k->cap) {
        return;
    }
    if (k->head > k->len / 2) {
        close_up(k);
        return;
    }
    k->cap = MAX((uint32_t)KEYS_MIN, k->cap * 2);
    k->entries = mem_realloc(k->entries, k->cap * sizeof *k->entries);
    rebuild(k, k->cap);
}

static bool has(const struct pat_keys *k, struct dat v, uint64_t hash)
{
    if (k->n_buckets > 0) {
        for (uint32_t i = k->buckets[hash & (k->n_buckets - 1)]; i != 0;
             i = k->entries[i - 1].next) {
            if (i - 1 >= k->head && k->entries[i - 1].hash == hash &&
                dat_same(k->entries[i - 1].v, v)) {
                return true;
            }
        }
    }
    return false;
}

bool pat_keys_has(const struct pat_keys *k, struct dat v)
{
    return has(k, v, dat_hash(v));
}

bool pat_keys_seen(struct pat_keys *k, struct dat v, int64_t until)
{
    uint64_t hash = dat_hash(v);
    if (has(k, v, hash)) {
        return true;
    }
    room(k);
    assert(k->len < k->cap && k->n_buckets > 0);
    uint32_t *b = &k->buckets[hash & (k->n_buckets - 1)];
    k->entries[k->len] =
        (struct pat_key){.v = dat_keep(v), .hash = hash, .until = until, .next = *b};
    *b = ++k->len;
    return false;
}

void pat_keys_expire(struct pat_keys *k, struct vheap *h, int64_t now)
{
    while (k->head < k->len && k->entries[k->head].until <= now) {
        /* out of its bucket, so that no chain leads to a place that is used again */
        struct pat_key *e = &k->entries[k->head];
        uint32_t *at = &k->buckets[e->hash & (k->n_buckets - 1)];
        while (*at != k->head + 1) {
            assert(*at != 0);
            at = &k->entries[*at - 1].next;
        }
        *at = e->next;
        dat_drop(h, e->v);
        k->head++;
    }
    if (k->head == k->len) {
        k->head = k->len = 0;
    }
}

void pat_keys_copy(struct pat_keys *to, const struct pat_keys *from)
{
    assert(pat_keys_count(to) == 0);
    for (uint32_t i = from->head; i < from->len; i++) {
        (void)pat_keys_seen(to, from->entries[i].v, from->entries[i].until);
    }
}

void pat_keys_clear(struct pat_keys *k, struct vheap *h)
{
    for (uint32_t i = k->head; i < k->len; i++) {
        dat_drop(h, k->entries[i].v);
    }
    k->head = k->len = 0;
    if (k->n_buckets > 0) {
        memset(k->buckets, 0, k->n_buckets * sizeof *k->buckets);
    }
}

void pat_keys_done(struct pat_keys *k)
{
    assert(pat_keys_count(k) == 0);
    mem_free(k->entries);
    mem_free(k->buckets);
    *k = (struct pat_keys){0};
}

void pat_keys_save(const struct pat_keys *k, struct save *s)
{
    save_u(s, pat_keys_count(k));
    for (uint32_t i = k->head; i < k->len; i++) {
        save_val(s, k->entries[i].v);
        save_i(s, k->entries[i].until);
    }
}

void pat_keys_load(struct pat_keys *k, struct load *l)
{
    assert(pat_keys_count(k) == 0);
    for (size_t n = load_count(l, 2); n > 0 && load_ok(l); n--) {
        struct dat v = load_val(l);
        int64_t until = load_i(l);
        if (load_ok(l) && pat_keys_seen(k, v, until)) {
            load_fail(l, "a key of every-distinct twice");
        }
    }
}
