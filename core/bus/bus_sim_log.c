/* SPDX-License-Identifier: Apache-2.0
 *
 * Topics, partitions and what happens to records in them: append, decision, trim, retention,
 * compaction. See bus_sim_log.h for the model. Bytes are counted as bus_put_bytes counts them, for
 * retention and quota alike.
 */
#include "core/bus/bus_sim_ops.h"

#include "core/base/mem.h"

#include <assert.h>

size_t sim_record_room(const struct slice *key, const struct slice *value,
                       const struct bus_header *headers, uint32_t n)
{
    size_t bytes = n * sizeof *headers + key->len + value->len;
    for (uint32_t i = 0; i < n; i++) {
        bytes += headers[i].name.len + headers[i].value.len;
    }
    return bytes;
}

/* Null stays null, empty stays empty. */
static char *put_slice(char *to, struct slice from, struct slice *ret)
{
    *ret = slice_of(from.ptr != NULL ? to : NULL, from.len);
    if (from.len > 0) {
        memcpy(to, from.ptr, from.len);
    }
    return to + from.len;
}

char *sim_record_fill(char *to, struct bus_record *r, struct bus_header *headers,
                      const struct sim_record *from)
{
    assert(to != NULL && r != NULL);
    to = put_slice(to, from->key, &r->key);
    to = put_slice(to, from->value, &r->value);
    for (uint32_t i = 0; i < from->header_count; i++) {
        to = put_slice(to, from->headers[i].name, &headers[i].name);
        to = put_slice(to, from->headers[i].value, &headers[i].value);
    }
    r->headers = from->header_count > 0 ? headers : NULL;
    r->header_count = from->header_count;
    return to;
}

struct sim_record *sim_record_new(const struct bus_put *put, struct sim_part *part)
{
    /* The one byte more gives an empty slice at the end a place of its own. */
    struct sim_record *rec = mem_alloc(
        sizeof *rec + 1 + sim_record_room(&put->key, &put->value, put->headers, put->header_count));
    struct bus_header *headers = (struct bus_header *)(rec + 1);
    struct sim_record from = {.key = put->key,
                              .value = put->value,
                              .headers = (struct bus_header *)(uintptr_t)put->headers,
                              .header_count = put->header_count};
    struct bus_record r;
    (void)sim_record_fill((char *)(headers + put->header_count), &r, headers, &from);
    *rec = (struct sim_record){.tp = put->to,
                               .part = part,
                               .key = r.key,
                               .value = r.value,
                               .headers = headers,
                               .header_count = put->header_count,
                               .bytes = bus_put_bytes(put),
                               .token = put->token};
    return rec;
}

struct sim_topic *sim_topic_new(struct sim_bus *b, const struct bus_topic_spec *spec)
{
    void **slot = map_put(&b->topics, spec->name);
    assert(slot != NULL && *slot == NULL);
    struct sim_topic *t = MEM_NEW(struct sim_topic);
    *slot = t;
    t->spec = *spec;
    t->spec.name = slice_of(mem_dup(spec->name.ptr, spec->name.len), spec->name.len);
    t->parts = mem_calloc(spec->partitions, sizeof *t->parts);
    for (uint32_t i = 0; i < spec->partitions; i++) {
        t->parts[i].topic = t;
        t->parts[i].number = i;
        if (b->faults.skew_ms > 0) {
            t->parts[i].skew_ms = (int64_t)sim_below(b, (uint64_t)b->faults.skew_ms + 1);
        }
    }
    return t;
}

void sim_topic_free(struct sim_topic *t)
{
    for (uint32_t i = 0; i < t->spec.partitions; i++) {
        struct sim_part *p = &t->parts[i];
        VEC_EACH (&p->log, e) {
            mem_free(e->rec);
        }
        assert(p->idle.len == 0);
        VEC_DONE(&p->log);
        VEC_DONE(&p->open);
        VEC_DONE(&p->idle);
    }
    mem_free(t->parts);
    mem_free((void *)(uintptr_t)t->spec.name.ptr);
    mem_free(t);
}

struct sim_topic *sim_topic_find(const struct sim_bus *b, struct slice name)
{
    return map_get(&b->topics, name);
}

struct sim_part *sim_part_find(const struct sim_bus *b, struct slice topic, uint32_t part)
{
    struct sim_topic *t = sim_topic_find(b, topic);
    return t != NULL && part < t->spec.partitions ? &t->parts[part] : NULL;
}

int64_t sim_log_stable(const struct sim_part *p)
{
    int64_t stable = p->next;
    VEC_EACH (&p->open, o) {
        stable = MIN(stable, o->first);
    }
    return stable;
}

size_t sim_log_find(const struct sim_part *p, int64_t offset)
{
    size_t low = 0, high = p->log.len;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (p->log.ptr[mid].offset < offset) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

static void skip_some(struct sim_bus *b, struct sim_part *p)
{
    if (b->faults.gap_max > 0 && sim_chance(b, b->faults.gap)) {
        p->next += 1 + (int64_t)sim_below(b, b->faults.gap_max);
    }
}

int64_t sim_log_append(struct sim_bus *b, struct sim_part *p, struct sim_record *take_rec,
                       struct sim_txn *txn)
{
    assert(p != NULL && take_rec != NULL);
    skip_some(b, p);
    int64_t time_ms = b->time.wall_ns / CLOCK_NS_PER_MS + p->skew_ms;
    *VEC_PUSH(&p->log) = (struct sim_entry){p->next, time_ms, take_rec, txn};
    p->bytes += take_rec->bytes;
    b->stats.used_bytes += take_rec->bytes;
    if (txn == NULL) {
        p->next++;
        sim_read_moved(b, p);
        return p->next - 1;
    }
    bool known = false;
    VEC_EACH (&p->open, o) {
        known = known || o->txn == txn;
    }
    if (!known) {
        *VEC_PUSH(&p->open) = (struct sim_open){txn, p->next};
    }
    return p->next++;
}

static void drop_entry(struct sim_bus *b, struct sim_part *p, struct sim_entry *e)
{
    assert(p->bytes >= e->rec->bytes && b->stats.used_bytes >= e->rec->bytes);
    p->bytes -= e->rec->bytes;
    b->stats.used_bytes -= e->rec->bytes;
    mem_free(e->rec);
    e->rec = NULL;
}

/* Closes the holes that drop_entry left from index i on. */
static void close_holes(struct sim_part *p, size_t i)
{
    size_t to = i;
    for (; i < p->log.len; i++) {
        if (p->log.ptr[i].rec != NULL) {
            p->log.ptr[to++] = p->log.ptr[i];
        }
    }
    p->log.len = to;
}

void sim_log_decide(struct sim_bus *b, struct sim_part *p, const struct sim_txn *txn,
                    bool committed)
{
    int64_t first = -1;
    for (size_t i = 0; i < p->open.len; i++) {
        if (p->open.ptr[i].txn == txn) {
            first = p->open.ptr[i].first;
            VEC_REMOVE(&p->open, i);
            break;
        }
    }
    assert(first >= 0);
    size_t from = sim_log_find(p, first);
    for (size_t i = from; i < p->log.len; i++) {
        struct sim_entry *e = &p->log.ptr[i];
        if (e->txn == txn && committed) {
            e->txn = NULL;
        } else if (e->txn == txn) {
            drop_entry(b, p, e);
        }
    }
    close_holes(p, from);
    p->next++; /* the marker */
    skip_some(b, p);
    sim_read_moved(b, p);
}

int64_t sim_log_by_time(const struct sim_part *p, int64_t time_ms)
{
    int64_t stable = sim_log_stable(p);
    VEC_EACH (&p->log, e) {
        if (e->offset >= p->start && e->offset < stable && e->time_ms >= time_ms) {
            return e->offset;
        }
    }
    return stable;
}

void sim_log_trim(struct sim_bus *b, struct sim_part *p, int64_t before)
{
    assert(before <= sim_log_stable(p));
    if (before <= p->start) {
        return;
    }
    size_t n = sim_log_find(p, before);
    for (size_t i = 0; i < n; i++) {
        drop_entry(b, p, &p->log.ptr[i]);
    }
    close_holes(p, 0);
    p->start = before;
    sim_read_moved(b, p);
}

static void retain(struct sim_bus *b, struct sim_part *p)
{
    const struct bus_topic_spec *spec = &p->topic->spec;
    int64_t now_ms = b->time.wall_ns / CLOCK_NS_PER_MS, stable = sim_log_stable(p);
    uint64_t left = p->bytes;
    size_t n = 0;
    for (; n < p->log.len && p->log.ptr[n].offset < stable; n++) {
        const struct sim_entry *e = &p->log.ptr[n];
        bool old = spec->retention_ms >= 0 && e->time_ms < now_ms - spec->retention_ms;
        bool over = spec->retention_bytes >= 0 && left > (uint64_t)spec->retention_bytes;
        if (!old && !over) {
            break;
        }
        left -= e->rec->bytes;
    }
    if (n > 0) {
        sim_log_trim(b, p, n < p->log.len ? MIN(p->log.ptr[n].offset, stable) : stable);
    }
}

/* From the newest to the oldest: what has been seen above goes, an old tombstone as well. */
static void compact(struct sim_bus *b, struct sim_part *p)
{
    struct map seen;
    map_init(&seen, MAX(p->log.len, 1));
    int64_t old_ms = (b->time.wall_ns - b->faults.tombstone_ns) / CLOCK_NS_PER_MS;
    for (size_t i = sim_log_find(p, sim_log_stable(p)); i > 0; i--) {
        struct sim_entry *e = &p->log.ptr[i - 1];
        void **slot = map_put(&seen, e->rec->key);
        bool covered = *slot != NULL;
        *slot = p;
        if (covered || (e->rec->value.ptr == NULL && e->time_ms < old_ms)) {
            drop_entry(b, p, e);
        }
    }
    close_holes(p, 0);
    map_done(&seen);
}

void sim_log_maintain(struct sim_bus *b)
{
    sim_note(b, 0, "maintenance", SLICE_NONE, 0, 0, SLICE_NONE);
    MAP_EACH (&b->topics, entry) {
        struct sim_topic *t = entry->value;
        for (uint32_t i = 0; i < t->spec.partitions; i++) {
            if ((t->spec.cleanup & BUS_COMPACT) != 0) {
                compact(b, &t->parts[i]);
            }
            if ((t->spec.cleanup & BUS_DELETE) != 0) {
                retain(b, &t->parts[i]);
            }
        }
    }
}

bool sim_log_busy(struct sim_bus *b, struct sim_part *p)
{
    if (p->busy_until_ns <= b->time.mono_ns && sim_chance(b, b->faults.leader_change)) {
        p->busy_until_ns = b->time.mono_ns + sim_draw(b, b->faults.outage);
        if (b->faults.skew_ms > 0) {
            p->skew_ms = (int64_t)sim_below(b, (uint64_t)b->faults.skew_ms + 1);
        }
        sim_note(b, 0, "leader change", p->topic->spec.name, p->number, (uint64_t)p->busy_until_ns,
                 SLICE_NONE);
    }
    return p->busy_until_ns > b->time.mono_ns;
}

void bus_sim_outage(struct bus *bus, struct slice topic, uint32_t part, int64_t ns)
{
    struct sim_bus *b = (struct sim_bus *)bus;
    struct sim_part *p = sim_part_find(b, topic, part);
    assert(p != NULL && ns >= 0);
    p->busy_until_ns = MAX(p->busy_until_ns, b->time.mono_ns + ns);
    sim_note(b, 0, "outage", topic, part, (uint64_t)ns, SLICE_NONE);
}
