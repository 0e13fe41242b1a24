/* SPDX-License-Identifier: Apache-2.0
 *
 * Partitions by key: a hash, and a list in order of their first row. One goes when nothing waits in
 * it and no definition looks back.
 */
#include "core/base/mem.h"
#include "operators/pattern/mr_impl.h"
#include "operators/sig/vheap_room.h"

#include <assert.h>

static uint64_t hash_of(const struct dat *key, uint32_t n)
{
    uint64_t x = 17;
    for (uint32_t i = 0; i < n; i++) {
        x = (x ^ dat_hash(key[i])) * 0x9e3779b97f4a7c15ULL;
        x ^= x >> 32;
    }
    return x;
}

static bool same_key(const struct dat *a, const struct dat *b, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        if (!dat_same(a[i], b[i])) {
            return false;
        }
    }
    return true;
}

static size_t key_bytes(const struct mr *m)
{
    return MAX(m->plan->n_partition, 1U) * sizeof(struct dat);
}

static struct mr_part *add(struct mr *m, const struct dat *key, uint64_t hash)
{
    uint32_t n = m->plan->n_partition;
    struct mr_part *p = vheap_take(m->env->heap, sizeof *p);
    *p = (struct mr_part){.hash = hash, .key = vheap_take(m->env->heap, key_bytes(m))};
    for (uint32_t i = 0; i < n; i++) {
        p->key[i] = dat_keep(key[i]);
    }
    if (m->plan->prev_max > 0) {
        p->prev = mem_calloc(m->plan->prev_max + 1, sizeof(struct evt *));
    }
    ((struct hidx_cell *)hidx_add(&m->by_key, hash))->what = p;
    p->before = m->last;
    *(m->last != NULL ? &m->last->after : &m->first) = p;
    m->last = p;
    m->n_parts++;
    return p;
}

static struct mr_part *find(const struct mr *m, const struct dat *key, uint64_t hash)
{
    HIDX_EACH (&m->by_key, hash, struct hidx_cell, c) {
        const struct mr_part *p = c->what;
        if (c->hash == hash && same_key(p->key, key, m->plan->n_partition)) {
            return c->what;
        }
    }
    return NULL;
}

struct mr_part *mr_part_of(struct mr *m, struct evt *ev, bool make)
{
    struct dat key[MR_KEYS_MAX];
    uint32_t n = m->plan->n_partition;
    assert(n <= MR_KEYS_MAX);
    for (uint32_t i = 0; i < n; i++) {
        key[i] = mr_partition_key(m, i, ev);
    }
    uint64_t hash = hash_of(key, n);
    struct mr_part *p = find(m, key, hash);
    if (p == NULL && make) {
        p = add(m, key, hash);
        p->nr = m->seq + 1;
    }
    return p;
}

struct mr_part *mr_part_add(struct mr *m, const struct dat *key)
{
    uint64_t hash = hash_of(key, m->plan->n_partition);
    return find(m, key, hash) == NULL ? add(m, key, hash) : NULL;
}

void mr_part_push(struct mr *m, struct mr_part *part, struct evt *ev)
{
    uint32_t room = m->plan->prev_max + 1;
    if (m->plan->prev_max == 0) {
        return;
    }
    if (part->n_prev == room) {
        evt_drop(m->env->heap, part->prev[--part->n_prev]);
    }
    memmove(part->prev + 1, part->prev, part->n_prev * sizeof(struct evt *));
    part->prev[0] = evt_keep(ev);
    part->n_prev++;
}

void mr_part_drop(struct mr *m, struct mr_part *part, const struct evt *ev)
{
    for (uint32_t i = 0; i < part->n_prev; i++) {
        if (part->prev[i] == ev) {
            evt_drop(m->env->heap, part->prev[i]);
            memmove(part->prev + i, part->prev + i + 1,
                    (part->n_prev - i - 1) * sizeof(struct evt *));
            part->n_prev--;
            return;
        }
    }
}

void mr_hold(struct mr_partial *p)
{
    struct mr_part *part = p->part;
    part->held++;
    p->next = NULL;
    p->prev = part->held_last;
    *(p->prev != NULL ? &p->prev->next : &part->held_first) = p;
    part->held_last = p;
}

void mr_unhold(struct mr_partial *p)
{
    struct mr_part *part = p->part;
    part->held--;
    *(p->prev != NULL ? &p->prev->next : &part->held_first) = p->next;
    *(p->next != NULL ? &p->next->prev : &part->held_last) = p->prev;
}

void mr_part_free(struct mr *m, struct mr_part *p)
{
    mr_touch(m, p);
    HIDX_EACH (&m->by_key, p->hash, struct hidx_cell, c) {
        if (c->what == p) {
            hidx_remove(&m->by_key, c);
            break;
        }
    }
    *(p->before != NULL ? &p->before->after : &m->first) = p->after;
    *(p->after != NULL ? &p->after->before : &m->last) = p->before;
    m->n_parts--;
    VEC_EACH (&p->live, x) {
        mr_partial_free(m, *x);
    }
    VEC_DONE(&p->live);
    for (uint32_t i = 0; i < p->n_prev; i++) {
        evt_drop(m->env->heap, p->prev[i]);
    }
    for (uint32_t i = 0; i < m->plan->n_partition; i++) {
        dat_drop(m->env->heap, p->key[i]);
    }
    mem_free(p->prev);
    vheap_give(m->env->heap, p->key, key_bytes(m));
    vheap_give(m->env->heap, p, sizeof *p);
}

void mr_part_release(struct mr *m, struct mr_part *p)
{
    if (p->live.len == 0 && p->held == 0 && p->n_prev == 0) {
        mr_part_free(m, p);
    }
}
