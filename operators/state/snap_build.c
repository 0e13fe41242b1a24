/* SPDX-License-Identifier: Apache-2.0
 *
 * The snapshot that is being written. See snap_set.h. What is added is compared with what is there
 * by its hash; only what differs is queued, for the side that the current manifest does not name.
 * Small nodes are gathered until it is known whether one value holds them.
 */
#include "operators/state/snap_impl.h"

#include "core/base/mem.h"
#include "core/codec/crc32c.h"

#include <assert.h>
#include <stdlib.h>

/* ---- the queue ---- */

static struct snap_queued *queue(struct snap_set *s, const struct snap_key *k)
{
    struct snap_queued *q = VEC_PUSH(&s->queue);
    q->p.key_len = (uint8_t)snap_key_write(k, q->p.key).len;
    q->p.removes = true;
    return q;
}

/* `owned` is freed with the last of them. */
static void queue_bytes(struct snap_set *s, struct snap_key k, char *take_owned, size_t len)
{
    k.lineage = s->lineage;
    for (size_t at = 0; at < len; at += SNAP_VALUE_MAX, k.number++) {
        struct snap_queued *q = queue(s, &k);
        q->p.removes = false;
        q->p.value = slice_of(take_owned + at, MIN(len - at, (size_t)SNAP_VALUE_MAX));
        q->owned = len - at <= SNAP_VALUE_MAX ? take_owned : NULL;
    }
    s->counting.written += len;
    s->waiting += len;
    if (len == 0) {
        mem_free(take_owned);
    }
}

size_t snap_set_waiting(const struct snap_set *s)
{
    return s->waiting;
}

bool snap_set_has_puts(const struct snap_set *s)
{
    return s->from < s->queue.len;
}

uint32_t snap_set_take(struct snap_set *s, size_t max_bytes)
{
    size_t bytes = 0;
    assert(s->to == s->from);
    while (s->to < s->queue.len && (s->to == s->from || bytes < max_bytes)) {
        const struct snap_queued *q = &s->queue.ptr[s->to++];
        bytes += q->p.value.len + q->p.key_len;
    }
    return (uint32_t)(s->to - s->from);
}

uint32_t snap_set_taken(const struct snap_set *s)
{
    return (uint32_t)(s->to - s->from);
}

bool snap_set_takes_root(const struct snap_set *s)
{
    bool root = false;
    for (size_t i = s->from; i < s->to; i++) {
        root |= s->queue.ptr[i].root;
    }
    return root;
}

const struct snap_put *snap_set_put(const struct snap_set *s, uint32_t i)
{
    assert(i < s->to - s->from);
    return &s->queue.ptr[s->from + i].p;
}

/* ---- chunks ---- */

void snap_set_begin(struct snap_set *s)
{
    assert(!s->building && !snap_set_has_puts(s));
    s->building = true;
    VEC_CLEAR(&s->next.groups);
    VEC_CLEAR(&s->next.parts);
    s->counting = (struct snap_counts){0};
}

static void add_group(struct snap_set *s, uint64_t node, uint32_t group, char *take_bytes,
                      size_t len)
{
    struct slice bytes = slice_of(take_bytes, len);
    const struct snap_group *was = snap_find(&s->now, node, group);
    struct snap_group *g = VEC_PUSH(&s->next.groups);
    *g = (struct snap_group){.node = node,
                             .group = group,
                             .bytes = len,
                             .chunks = snap_values(len),
                             .crc = crc32c_of(bytes),
                             .hash = hash_xxh128(bytes)};
    s->counting.groups++;
    s->counting.bytes += len;
    if (was != NULL && was->bytes == g->bytes &&
        memcmp(&was->hash, &g->hash, sizeof g->hash) == 0) {
        g->side = was->side;
        mem_free(take_bytes);
        return;
    }
    g->side = was != NULL ? 1 - was->side : 0;
    const struct snap_key k = {
        .kind = SNAP_CHUNK, .lineage = s->lineage, .node = node, .group = group, .side = g->side};
    struct snap_held *h = snap_hold(s, &k);
    h->n = MAX(h->n, g->chunks);
    s->counting.changed++;
    queue_bytes(s, k, take_bytes, len);
}

static struct snap_node *node_of(struct snap_set *s, uint64_t node)
{
    struct slice key = slice_of((const char *)&node, sizeof node);
    struct snap_node *n = map_get(&s->nodes, key);
    if (n == NULL) {
        n = MEM_NEW(struct snap_node);
        n->node = node;
        *map_put(&s->nodes, key) = n;
    }
    return n;
}

static void split(struct snap_set *s, struct snap_node *n)
{
    VEC_EACH (&n->chunks, c) {
        add_group(s, n->node, c->group, (char *)(uintptr_t)c->bytes.ptr, c->bytes.len);
    }
    VEC_CLEAR(&n->chunks);
    n->split = true;
}

static void add_chunk(struct snap_set *s, struct save_chunk c, char *take_bytes)
{
    struct snap_node *n = node_of(s, c.node);
    c.bytes = slice_of(take_bytes, c.bytes.len);
    *VEC_PUSH(&n->chunks) = c;
    *VEC_PUSH(&s->next.parts) = (struct snap_part){c.node, c.group, hash_xxh128(c.bytes)};
    n->bytes += c.bytes.len;
    if (n->split || n->bytes > SNAP_VALUE_MAX) {
        split(s, n);
    }
}

void snap_set_add(struct snap_set *s, const struct save_chunk *c)
{
    assert(s->building && !s->pieces.open && c->group <= SAVE_NO_GROUP);
    char *bytes = mem_alloc(c->bytes.len + 1);
    memcpy(bytes, c->bytes.ptr, c->bytes.len);
    add_chunk(s, *c, bytes);
    if (s->watch != NULL) {
        s->watch->chunk(s->watch->arg, c);
    }
}

/* ---- chunks in pieces ---- */

void snap_set_add_begin(struct snap_set *s, uint64_t node, uint16_t group)
{
    assert(s->building && !s->pieces.open && group <= SAVE_NO_GROUP);
    struct hash_state *h = s->pieces.hash;
    hash_reset(h);
    s->pieces = (struct snap_pieces){.open = true, .node = node, .group = group, .hash = h};
    s->pieces.value = mem_alloc(SNAP_VALUE_MAX);
    if (s->watch != NULL) {
        s->watch->begin(s->watch->arg, node, group);
    }
}

/* A value is full, or the last. */
static void queue_piece(struct snap_set *s)
{
    struct snap_pieces *p = &s->pieces;
    if (p->chunks == 0) { /* it does not go with others into one value */
        struct snap_node *n = node_of(s, p->node);
        const struct snap_group *was = snap_find(&s->now, p->node, p->group);
        split(s, n);
        p->side = was != NULL ? 1 - was->side : 0;
    }
    const struct snap_key k = {.kind = SNAP_CHUNK,
                               .lineage = s->lineage,
                               .node = p->node,
                               .group = p->group,
                               .side = p->side,
                               .number = p->chunks++};
    struct snap_held *h = snap_hold(s, &k);
    h->n = MAX(h->n, p->chunks);
    queue_bytes(s, k, p->value, p->len);
    p->value = NULL;
    p->len = 0;
}

void snap_set_add_bytes(struct snap_set *s, struct slice bytes)
{
    struct snap_pieces *p = &s->pieces;
    assert(p->open);
    hash_add(p->hash, bytes.ptr, bytes.len);
    p->crc = crc32c_more(p->crc, bytes);
    p->bytes += bytes.len;
    if (s->watch != NULL) {
        s->watch->bytes(s->watch->arg, bytes);
    }
    while (bytes.len > 0) {
        if (p->len == SNAP_VALUE_MAX) {
            queue_piece(s);
            p->value = mem_alloc(SNAP_VALUE_MAX);
        }
        size_t n = MIN(bytes.len, SNAP_VALUE_MAX - p->len);
        memcpy(p->value + p->len, bytes.ptr, n);
        p->len += n;
        bytes = slice_of(bytes.ptr + n, bytes.len - n);
    }
}

void snap_set_add_end(struct snap_set *s)
{
    struct snap_pieces *p = &s->pieces;
    assert(p->open);
    p->open = false;
    if (s->watch != NULL) {
        s->watch->end(s->watch->arg);
    }
    if (p->chunks == 0) {
        add_chunk(s, (struct save_chunk){p->node, (uint16_t)p->group, {NULL, p->len}, NULL},
                  p->value);
        return;
    }
    queue_piece(s);
    struct hash128 hash = hash_end(p->hash);
    *VEC_PUSH(&s->next.groups) = (struct snap_group){.node = p->node,
                                                     .group = p->group,
                                                     .bytes = p->bytes,
                                                     .side = p->side,
                                                     .chunks = p->chunks,
                                                     .crc = p->crc,
                                                     .hash = hash};
    *VEC_PUSH(&s->next.parts) = (struct snap_part){p->node, (uint16_t)p->group, hash};
    s->counting.groups++;
    s->counting.changed++;
    s->counting.bytes += p->bytes;
}

void snap_set_keep(struct snap_set *s, uint64_t node, uint32_t group)
{
    assert(s->building);
    size_t n, first = snap_parts_of(&s->now, node, &n);
    const struct snap_manifest *m = &s->now;
    for (size_t i = first; i < first + n; i++) {
        if (group == SNAP_PACKED || m->parts.ptr[i].group == group) {
            *VEC_PUSH(&s->next.parts) = m->parts.ptr[i];
        }
    }
    for (size_t i = first; i < first + n; i++) {
        const struct snap_group *g = snap_find(m, node, m->parts.ptr[i].group);
        if (g != NULL && (group == SNAP_PACKED || g->group == group)) {
            *VEC_PUSH(&s->next.groups) = *g;
            node_of(s, node)->split = true; /* what is kept is apart, so the rest is */
        }
    }
    const struct snap_group *packed = group == SNAP_PACKED ? snap_find(m, node, SNAP_PACKED) : NULL;
    if (packed != NULL) {
        *VEC_PUSH(&s->next.groups) = *packed;
    }
}

/* ---- the end of it ---- */

static int by_group(const void *a, const void *b)
{
    const struct save_chunk *x = a, *y = b;
    return x->group < y->group ? -1 : x->group > y->group;
}

static void pack(struct snap_set *s, struct snap_node *n)
{
    struct buf b;
    if (n->chunks.len == 0) {
        return;
    }
    qsort(n->chunks.ptr, n->chunks.len, sizeof *n->chunks.ptr, by_group);
    buf_init(&b, SIZE_MAX / 2);
    VEC_EACH (&n->chunks, c) {
        (void)snap_pack(&b, c->group, c->bytes);
    }
    if (b.len > SNAP_VALUE_MAX) {
        split(s, n);
        buf_done(&b);
        return;
    }
    VEC_EACH (&n->chunks, c) {
        mem_free((char *)(uintptr_t)c->bytes.ptr);
    }
    VEC_CLEAR(&n->chunks);
    add_group(s, n->node, SNAP_PACKED, b.ptr, b.len);
}

static void nodes_done(struct snap_set *s)
{
    MAP_EACH (&s->nodes, e) {
        struct snap_node *n = e->value;
        VEC_EACH (&n->chunks, c) {
            mem_free((char *)(uintptr_t)c->bytes.ptr);
        }
        VEC_DONE(&n->chunks);
        mem_free(n);
    }
    map_clear(&s->nodes);
}

static void add_page(struct snap_set *s, struct buf *page, struct hash_state *h)
{
    const struct snap_key k = {
        .kind = SNAP_PAGE, .side = s->next_root.side, .number = s->next_root.pages++};
    char *bytes = mem_alloc(page->len + 1);
    memcpy(bytes, page->ptr, page->len);
    hash_add(h, page->ptr, page->len);
    queue_bytes(s, k, bytes, page->len);
    buf_clear(page);
}

static struct hash128 add_pages(struct snap_set *s)
{
    enum { GROUP_MAX = 64 };
    struct hash_state *h = hash_new();
    struct buf page;
    buf_init(&page, SNAP_VALUE_MAX);
    VEC_EACH (&s->next.groups, g) {
        if (page.len > SNAP_VALUE_MAX - GROUP_MAX) {
            add_page(s, &page, h);
        }
        (void)snap_group_write(g, &page);
    }
    if (page.len > 0) {
        add_page(s, &page, h);
    }
    buf_done(&page);
    struct hash128 sum = hash_end(h);
    hash_free(h);
    return sum;
}

void snap_set_seal(struct snap_set *s, struct snap_root *r)
{
    const struct snap_key k = {.kind = SNAP_ROOT, .lineage = s->lineage};
    struct buf b;
    assert(s->building);
    MAP_EACH (&s->nodes, e) {
        struct snap_node *n = e->value;
        n->split ? split(s, n) : pack(s, n);
    }
    nodes_done(s);
    snap_sort(&s->next);
    s->next_root = *r;
    s->next_root.side = s->has_root ? 1 - s->root.side : 0;
    s->next_root.prev_seq = s->has_root ? s->root.seq : 0;
    s->next_root.pages = 0;
    s->next_root.groups = s->next.groups.len;
    s->next_root.bytes = 0;
    VEC_EACH (&s->next.groups, g) {
        s->next_root.bytes += g->bytes;
    }
    s->next_root.pages_sum = add_pages(s);
    s->next_root.state = snap_hash(s->next.parts.ptr, s->next.parts.len);
    s->held_pages[s->next_root.side] = MAX(s->held_pages[s->next_root.side], s->next_root.pages);
    buf_init(&b, 256);
    (void)snap_root_write(&s->next_root, &b);
    struct snap_queued *q = queue(s, &k);
    q->p.removes = false;
    q->p.value = buf_slice(&b);
    q->owned = b.ptr;
    q->root = true;
    s->building = false;
    *r = s->next_root;
}

void snap_set_cancel(struct snap_set *s)
{
    nodes_done(s);
    if (s->pieces.open) {
        mem_free(s->pieces.value);
        s->pieces.open = false;
    }
    s->building = false;
}

/* ---- what is not named ---- */

static void queue_removal(struct snap_set *s, struct snap_key k, uint32_t *n, uint32_t keep)
{
    k.lineage = s->lineage;
    while (*n > keep) {
        k.number = --*n;
        (void)queue(s, &k);
        s->counts.removed++;
    }
}

static void sweep(struct snap_set *s)
{
    MAP_EACH (&s->held, e) {
        struct snap_held *h = e->value;
        const struct snap_group *g = snap_find(&s->now, h->k.node, h->k.group);
        queue_removal(s, h->k, &h->n, g != NULL && g->side == h->k.side ? g->chunks : 0);
    }
    for (uint32_t side = 0; side < 2; side++) {
        const struct snap_key k = {.kind = SNAP_PAGE, .side = side};
        bool named = s->has_root && side == s->root.side;
        queue_removal(s, k, &s->held_pages[side], named ? s->root.pages : 0);
    }
}

static void replace(struct snap_set *s)
{
    struct snap_manifest was = s->now;
    s->now = s->next;
    s->next = was;
    s->root = s->next_root;
    s->has_root = s->held_root = true;
    s->counts = s->counting;
    sweep(s);
    if (s->watch != NULL) {
        s->watch->root(s->watch->arg, &s->root);
    }
}

bool snap_set_committed(struct snap_set *s)
{
    bool root = false;
    for (; s->from < s->to; s->from++) {
        root |= s->queue.ptr[s->from].root;
        s->waiting -= s->queue.ptr[s->from].root ? 0 : s->queue.ptr[s->from].p.value.len;
        mem_free(s->queue.ptr[s->from].owned);
    }
    if (s->from == s->queue.len) {
        VEC_CLEAR(&s->queue);
        s->from = s->to = 0;
    }
    if (root) {
        replace(s);
    }
    return root;
}

void snap_set_drop(struct snap_set *s)
{
    assert(!s->building && !snap_set_has_puts(s));
    const struct snap_key k = {.kind = SNAP_ROOT, .lineage = s->lineage};
    if (s->held_root) {
        (void)queue(s, &k);
        s->held_root = false;
    }
    s->has_root = false;
    snap_manifest_done(&s->now);
    sweep(s);
}

bool snap_set_is_empty(const struct snap_set *s)
{
    bool empty = !s->held_root && s->held_pages[0] == 0 && s->held_pages[1] == 0;
    MAP_EACH (&s->held, e) {
        const struct snap_held *h = e->value;
        empty &= h->n == 0;
    }
    return empty;
}

struct snap_counts snap_set_counts(const struct snap_set *s)
{
    return s->counts;
}

void snap_set_watch(struct snap_set *s, const struct snap_watch *w)
{
    s->watch = w;
}
