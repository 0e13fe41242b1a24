/* SPDX-License-Identifier: Apache-2.0
 *
 * Compaction: of each key only the last record stays, at its offset. One partition at a time, in
 * two phases that stop after every chunk when their time is over:
 *
 *   map      reads what was appended since the last pass (from clean_to on) and notes for each key
 *            the offset of its last record, at most MAP_KEYS of them: memory is bounded, a longer
 *            tail takes several passes;
 *   rewrite  reads from the start to the end of the map and takes out every record whose key has a
 *            later one there. A chunk keeps its place and its base offset, the others' offsets do
 *            not change; an empty chunk is deleted.
 *
 * A null value (tombstone) older than tombstone_ms goes too: what it removed was taken out before,
 * because a pass rewrites from the front. Keys are compared by their 128-bit hash. A pass that is
 * interrupted (restart, undone group) simply begins again: clean_to moves at its end only.
 */
#include "core/base/buf.h"
#include "core/base/hash.h"
#include "core/base/mem.h"
#include "core/bus/bus_impl.h"
#include "core/bus/bus_local_commit.h"
#include "core/bus/bus_local_value.h"

#include <assert.h>

enum { MAP_KEYS = 1 << 17, MAP_SLOTS = 1 << 18 };

enum phase { PHASE_NONE = 0, PHASE_MAP = 1, PHASE_REWRITE = 2 };

struct map_slot {
    struct hash128 key;
    int64_t offset; /* + 1; 0 = free */
};

struct local_compact {
    VEC(struct local_part *) due;
    enum phase phase;       /* of due[0] */
    int64_t at;             /* the next offset to look at */
    int64_t map_to, goal;   /* the map ends there; the end when the pass began */
    uint64_t dirty_bytes;   /* then */
    struct map_slot *slots; /* allocated while there is work */
    size_t used;
    VEC(struct bus_record) records;
    VEC(struct bus_header) headers;
    struct buf copy, out; /* the chunk that is read; the one that is written */
    int64_t tombstone_ms; /* of the pass */
};

void bus_local_compact_init(struct local_store *s)
{
    s->compact = MEM_NEW(struct local_compact);
    buf_init(&s->compact->copy, SIZE_MAX / 2);
    buf_init(&s->compact->out, SIZE_MAX / 2);
}

void bus_local_compact_done(struct local_store *s)
{
    struct local_compact *c = s->compact;
    if (c != NULL) {
        VEC_DONE(&c->due);
        VEC_DONE(&c->records);
        VEC_DONE(&c->headers);
        buf_done(&c->copy);
        buf_done(&c->out);
        mem_free(c->slots);
        mem_free(c);
        s->compact = NULL;
    }
}

bool bus_local_compact_due(const struct local_store *s)
{
    return s->compact->due.len > 0;
}

void bus_local_compact_reset(struct local_store *s)
{
    s->compact->phase = PHASE_NONE;
}

void bus_local_compact_scan(struct local_store *s, bool all)
{
    int64_t now_ms = clock_wall(&s->clock) / CLOCK_NS_PER_MS;
    VEC_EACH (&s->topic_list, t) {
        for (uint32_t i = 0; ((*t)->cleanup & BUS_COMPACT) != 0 && i < (*t)->partitions; i++) {
            struct local_part *p = &(*t)->parts[i];
            bool much =
                p->dirty_bytes >= s->tuning.compact_min_bytes && p->dirty_bytes >= p->now.bytes / 2;
            bool some = all && p->now.clean_to < p->now.end;
            bool old =
                p->tombstone_ms != INT64_MAX && p->tombstone_ms < now_ms - s->tuning.tombstone_ms;
            if ((much || some || old) && !p->compacting) {
                p->compacting = true;
                *VEC_PUSH(&s->compact->due) = p;
            }
        }
    }
}

static struct map_slot *slot_of(struct local_compact *c, struct hash128 key)
{
    uint64_t h;
    memcpy(&h, key.bytes, sizeof h);
    for (size_t i = (size_t)h;; i++) {
        struct map_slot *slot = &c->slots[i & (MAP_SLOTS - 1)];
        if (slot->offset == 0 || memcmp(&slot->key, &key, sizeof key) == 0) {
            return slot;
        }
    }
}

/* The chunk at or behind c->at, decoded out of a copy; false at the end of the partition or when
 * it cannot be read (then c->at has moved over it and *ret_head has no records). */
static bool next_chunk(struct local_group *g, struct local_part *p, int64_t *ret_base,
                       struct bus_local_head *ret_head)
{
    struct local_compact *c = g->s->compact;
    char key_bytes[LOCAL_KEY_BYTES];
    bus_local_key(key_bytes, p, c->at);
    MDB_val key = {sizeof key_bytes, key_bytes}, val;
    int rc = mdb_cursor_get(g->log, &key, &val, MDB_SET_RANGE);
    bus_local_group_fail(g, rc == MDB_NOTFOUND ? 0 : rc, "reading a chunk");
    if (rc != 0 || !bus_local_key_read(key, p, ret_base)) {
        return false;
    }
    c->at = *ret_base + 1;
    buf_clear(&c->copy);
    (void)buf_add(&c->copy, val.mv_data, val.mv_size);
    struct slice value = buf_slice(&c->copy);
    *ret_head = (struct bus_local_head){.count = 0};
    if (bus_local_head_read(value, ret_head, NULL) != 0) {
        return true;
    }
    while (c->records.len < ret_head->count) {
        (void)VEC_PUSH(&c->records);
    }
    while (c->headers.len < ret_head->headers) {
        (void)VEC_PUSH(&c->headers);
    }
    if (bus_local_value_read(value, *ret_base, ret_head, c->records.ptr, c->headers.ptr, NULL) !=
        0) {
        ret_head->count = 0;
        return true;
    }
    c->at = *ret_base + ret_head->last + 1;
    return true;
}

/* Notes the keys of one chunk; false when the map is full or the partition ends. */
static bool map_chunk(struct local_group *g, struct local_part *p)
{
    struct local_compact *c = g->s->compact;
    struct bus_local_head head;
    int64_t base, before = c->at;
    if (!next_chunk(g, p, &base, &head) || base >= c->goal) {
        c->map_to = c->goal;
        return false;
    }
    if (c->used + head.count > MAP_KEYS) {
        assert(c->used > 0); /* a chunk never has so many records */
        c->at = before;
        c->map_to = base;
        return false;
    }
    for (uint32_t i = 0; i < head.count; i++) {
        struct map_slot *slot = slot_of(c, hash_xxh128(c->records.ptr[i].key));
        c->used += slot->offset == 0;
        slot->key = hash_xxh128(c->records.ptr[i].key);
        slot->offset = c->records.ptr[i].offset + 1;
    }
    return true;
}

static bool stays(struct local_group *g, const struct bus_record *r)
{
    struct local_compact *c = g->s->compact;
    const struct map_slot *slot = slot_of(c, hash_xxh128(r->key));
    if (slot->offset > r->offset + 1) {
        return false;
    }
    if (r->value.ptr == NULL) {
        if (r->time_ms < g->now_ms - g->s->tuning.tombstone_ms) {
            return false;
        }
        c->tombstone_ms = MIN(c->tombstone_ms, r->time_ms);
    }
    return true;
}

/* Encodes the records that stay; their count. */
static uint32_t keep_records(struct local_group *g, int64_t base, struct bus_local_head *head)
{
    struct local_compact *c = g->s->compact;
    uint32_t n = head->count;
    int64_t next = base;
    buf_clear(&c->out);
    char *at = buf_room(&c->out, BUS_LOCAL_HEAD_BYTES);
    memset(at, 0, BUS_LOCAL_HEAD_BYTES);
    buf_commit(&c->out, BUS_LOCAL_HEAD_BYTES);
    head->count = head->headers = head->bytes = head->last = 0;
    for (uint32_t i = 0; i < n; i++) {
        const struct bus_record *r = &c->records.ptr[i];
        struct bus_put put = {.key = r->key,
                              .value = r->value,
                              .headers = r->headers,
                              .header_count = r->header_count};
        if (stays(g, r)) {
            at = buf_room(&c->out, bus_local_record_bound(&put));
            const char *end = bus_local_record_write(at, (uint64_t)(r->offset - next), &put);
            buf_commit(&c->out, (size_t)(end - at));
            next = r->offset + 1;
            head->count++;
            head->headers += r->header_count;
            head->bytes += (uint32_t)bus_put_bytes(&put);
            head->last = (uint32_t)(r->offset - base);
        }
    }
    return head->count;
}

/* Takes the outdated records out of one chunk; false at the end of the map. */
static bool rewrite_chunk(struct local_group *g, struct local_part *p)
{
    struct local_compact *c = g->s->compact;
    struct bus_local_head head;
    int64_t base;
    if (!next_chunk(g, p, &base, &head) || base >= c->map_to) {
        return false;
    }
    uint32_t had = head.count, had_bytes = head.bytes;
    if (had == 0 || keep_records(g, base, &head) == had) {
        return true;
    }
    int rc;
    if (head.count == 0) {
        rc = mdb_cursor_del(g->log, 0);
    } else {
        char key_bytes[LOCAL_KEY_BYTES];
        bus_local_key(key_bytes, p, base);
        bus_local_head_write(c->out.ptr, c->out.len, &head);
        MDB_val key = {sizeof key_bytes, key_bytes}, val = {c->out.len, c->out.ptr};
        rc = mdb_cursor_put(g->log, &key, &val, 0);
    }
    bus_local_group_fail(g, rc, "rewriting a chunk");
    p->next.bytes -= MIN((uint64_t)(had_bytes - head.bytes), p->next.bytes);
    bus_local_touch(g, p);
    return rc == 0;
}

static void begin_pass(struct local_store *s, const struct local_part *p)
{
    struct local_compact *c = s->compact;
    if (c->slots == NULL) {
        c->slots = mem_calloc(MAP_SLOTS, sizeof *c->slots);
    } else if (c->used > 0) {
        memset(c->slots, 0, MAP_SLOTS * sizeof *c->slots);
    }
    c->used = 0;
    c->phase = PHASE_MAP;
    c->at = MAX(p->next.clean_to, p->next.start);
    c->goal = p->now.end;
    c->dirty_bytes = p->dirty_bytes;
    c->tombstone_ms = INT64_MAX;
}

static void end_pass(struct local_group *g, struct local_part *p)
{
    struct local_compact *c = g->s->compact;
    p->next.clean_to = MAX(p->next.clean_to, c->map_to);
    p->tombstone_ms = c->tombstone_ms;
    bus_local_touch(g, p);
    c->phase = PHASE_NONE;
    if (c->map_to >= c->goal) { /* what came meanwhile waits until it is much again */
        p->dirty_bytes -= MIN(c->dirty_bytes, p->dirty_bytes);
        p->compacting = false;
        VEC_REMOVE(&c->due, 0);
    }
    if (c->due.len == 0) {
        mem_free(c->slots);
        c->slots = NULL;
        c->used = 0;
    }
}

bool bus_local_compact_slice(struct local_group *g, int64_t until_ns)
{
    struct local_compact *c = g->s->compact;
    while (c->due.len > 0 && g->rc == 0 && clock_mono(&g->s->clock) < until_ns) {
        struct local_part *p = c->due.ptr[0];
        switch (c->phase) {
        case PHASE_NONE: begin_pass(g->s, p); break;
        case PHASE_MAP:
            if (!map_chunk(g, p) && g->rc == 0) {
                c->phase = PHASE_REWRITE;
                c->at = p->next.start;
            }
            break;
        case PHASE_REWRITE:
            if (!rewrite_chunk(g, p) && g->rc == 0) {
                end_pass(g, p);
            }
            break;
        }
    }
    return c->due.len > 0;
}
