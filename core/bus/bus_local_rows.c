/* SPDX-License-Identifier: Apache-2.0
 *
 * The tables of the local store: how keys and rows lie in LMDB, and what a store reads when it is
 * opened. Rows are fixed structs of little-endian numbers behind a version byte; keys that must
 * sort are big-endian. To add a field: a new row version that still reads the old ones.
 */
#include "core/bus/bus_local_rows.h"
#include "core/base/mem.h"

#include <assert.h>

enum {
    ROW_VERSION = 1,
    PART_ROW_BYTES = 1 + 5 * 8,
    TOPIC_ROW_BYTES = 1 + 2 + 4 + 1 + 2 * 8,
    SLOT_ROW_BYTES = 1 + 8,
    FORMAT_ROW_BYTES = 1 + 4 + 8,
};

#define OFFSET_MAX (INT64_MAX / 2) /* behind which no end of a partition lies */

static const char format_key[] = "kaiju.bus.local";

static void put_be(char *to, uint64_t v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        to[i] = (char)(v >> (8 * (n - 1 - i)));
    }
}

static uint64_t get_be(const char *from, size_t n)
{
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++) {
        v = v << 8 | (uint8_t)from[i];
    }
    return v;
}

static char *put_le(char *to, uint64_t v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        to[i] = (char)(v >> (8 * i));
    }
    return to + n;
}

static uint64_t get_le(const char **from, size_t n)
{
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++) {
        v |= (uint64_t)(uint8_t)(*from)[i] << (8 * i);
    }
    *from += n;
    return v;
}

void bus_local_key(char out[LOCAL_KEY_BYTES], const struct local_part *p, int64_t offset)
{
    assert(offset >= 0);
    put_be(out, p->topic->id, 2);
    put_be(out + 2, p->index, 2);
    put_be(out + 4, (uint64_t)offset, 8);
}

bool bus_local_key_read(MDB_val key, const struct local_part *p, int64_t *ret_offset)
{
    const char *at = key.mv_data;
    if (key.mv_size != LOCAL_KEY_BYTES || get_be(at, 2) != p->topic->id ||
        get_be(at + 2, 2) != p->index || get_be(at + 4, 8) > INT64_MAX - UINT32_MAX) {
        return false;
    }
    *ret_offset = (int64_t)get_be(at + 4, 8);
    return true;
}

static int bad_row(const struct local_store *s, const char *table, struct err *reterr)
{
    return err_set(reterr, ERR_CORRUPT, "%s/data.mdb: a row of table %s does not decode", s->dir,
                   table);
}

int bus_local_row_get(struct local_store *s, MDB_txn *txn, const struct local_part *p,
                      struct local_row *ret_row, struct err *reterr)
{
    char bytes[LOCAL_KEY_BYTES];
    bus_local_key(bytes, p, 0);
    MDB_val key = {LOCAL_PART_KEY_BYTES, bytes}, val;
    int rc = mdb_get(txn, s->parts, &key, &val);
    if (rc == MDB_NOTFOUND) {
        *ret_row = (struct local_row){.start = 0};
        return 0;
    }
    if (rc != 0) {
        return bus_local_mdb_err(s, rc, "reading a partition's row", reterr);
    }
    const char *at = val.mv_data;
    if (val.mv_size != PART_ROW_BYTES || *at++ != ROW_VERSION) {
        return bad_row(s, "parts", reterr);
    }
    struct local_row row = {.start = (int64_t)get_le(&at, 8)};
    row.end = (int64_t)get_le(&at, 8);
    row.last_ms = (int64_t)get_le(&at, 8);
    row.clean_to = (int64_t)get_le(&at, 8);
    row.bytes = get_le(&at, 8);
    if (row.start < 0 || row.start > row.end || row.end > OFFSET_MAX || row.clean_to < 0 ||
        row.clean_to > row.end || row.bytes > s->map_bytes) {
        return bad_row(s, "parts", reterr);
    }
    *ret_row = row;
    return 0;
}

int bus_local_row_put(struct local_store *s, MDB_txn *txn, const struct local_part *p,
                      const struct local_row *row)
{
    char bytes[LOCAL_KEY_BYTES], out[PART_ROW_BYTES], *at = out;
    assert(row->start >= 0 && row->start <= row->end);
    bus_local_key(bytes, p, 0);
    *at++ = ROW_VERSION;
    at = put_le(at, (uint64_t)row->start, 8);
    at = put_le(at, (uint64_t)row->end, 8);
    at = put_le(at, (uint64_t)row->last_ms, 8);
    at = put_le(at, (uint64_t)row->clean_to, 8);
    at = put_le(at, row->bytes, 8);
    assert(at == out + sizeof out);
    MDB_val key = {LOCAL_PART_KEY_BYTES, bytes}, val = {sizeof out, out};
    return mdb_put(txn, s->parts, &key, &val, 0);
}

struct local_topic *bus_local_topic_new(struct slice name, uint16_t id,
                                        const struct bus_topic_spec *spec)
{
    assert(spec->partitions > 0);
    struct local_topic *t = MEM_NEW(struct local_topic);
    t->name = mem_dup(name.ptr, name.len);
    t->id = id;
    t->partitions = spec->partitions;
    t->cleanup = spec->cleanup;
    t->retention_ms = spec->retention_ms;
    t->retention_bytes = spec->retention_bytes;
    t->parts = mem_calloc(t->partitions, sizeof *t->parts);
    for (uint32_t i = 0; i < t->partitions; i++) {
        struct local_part *p = &t->parts[i];
        p->topic = t;
        p->index = i;
        p->first_ms = LOCAL_FIRST_UNSEEN;
        p->tombstone_ms = INT64_MAX;
        p->gather_tail = &p->gather_head;
    }
    return t;
}

void bus_local_topic_free(struct local_topic *t)
{
    if (t == NULL) {
        return;
    }
    for (uint32_t i = 0; i < t->partitions; i++) {
        assert(t->parts[i].subs.len == 0);
        VEC_DONE(&t->parts[i].subs);
    }
    mem_free(t->parts);
    mem_free(t->name);
    mem_free(t);
}

int bus_local_topic_put(struct local_store *s, MDB_txn *txn, const struct local_topic *t)
{
    char out[TOPIC_ROW_BYTES], *at = out;
    *at++ = ROW_VERSION;
    at = put_le(at, t->id, 2);
    at = put_le(at, t->partitions, 4);
    at = put_le(at, (uint64_t)t->cleanup, 1);
    at = put_le(at, (uint64_t)t->retention_ms, 8);
    at = put_le(at, (uint64_t)t->retention_bytes, 8);
    assert(at == out + sizeof out);
    MDB_val key = {strlen(t->name), t->name}, val = {sizeof out, out};
    return mdb_put(txn, s->topics, &key, &val, 0);
}

static struct local_topic *topic_read(MDB_val key, MDB_val val)
{
    const char *at = val.mv_data;
    if (val.mv_size != TOPIC_ROW_BYTES || *at++ != ROW_VERSION) {
        return NULL;
    }
    struct bus_topic_spec spec = {.name = slice_of(key.mv_data, key.mv_size)};
    uint16_t id = (uint16_t)get_le(&at, 2);
    spec.partitions = (uint32_t)get_le(&at, 4);
    spec.cleanup = (enum bus_cleanup)get_le(&at, 1);
    spec.retention_ms = (int64_t)get_le(&at, 8);
    spec.retention_bytes = (int64_t)get_le(&at, 8);
    bool sane = memchr(spec.name.ptr, '\0', spec.name.len) == NULL && spec.partitions > 0 &&
                spec.partitions <= UINT16_MAX + 1 && spec.cleanup >= BUS_DELETE &&
                spec.cleanup <= BUS_COMPACT_DELETE;
    return sane ? bus_local_topic_new(spec.name, id, &spec) : NULL;
}

bool bus_local_topic_keep(struct local_store *s, struct local_topic *t)
{
    void **slot = map_put(&s->topic_map, slice_str(t->name));
    if (slot == NULL) {
        return false;
    }
    assert(*slot == NULL);
    *slot = t;
    *VEC_PUSH(&s->topic_list) = t;
    return true;
}

struct local_topic *bus_local_topic_find(struct local_store *s, struct slice name, MDB_txn *txn)
{
    pthread_mutex_lock(&s->mutex);
    struct local_topic *t = map_get(&s->topic_map, name);
    if (t == NULL && s->read_only && txn != NULL) {
        MDB_val key = {name.len, (void *)(uintptr_t)name.ptr}, val;
        if (mdb_get(txn, s->topics, &key, &val) == 0) {
            t = topic_read(key, val);
            if (t != NULL && !bus_local_topic_keep(s, t)) {
                bus_local_topic_free(t);
                t = NULL;
            }
        }
    }
    pthread_mutex_unlock(&s->mutex);
    return t;
}

void bus_local_topics_load(struct local_store *s, MDB_txn *txn)
{
    MDB_cursor *cur = NULL;
    MDB_val key, val;
    if (!s->read_only || mdb_cursor_open(txn, s->topics, &cur) != 0) {
        return;
    }
    while (mdb_cursor_get(cur, &key, &val, MDB_NEXT) == 0) {
        (void)bus_local_topic_find(s, slice_of(key.mv_data, key.mv_size), txn);
    }
    mdb_cursor_close(cur);
}

int bus_local_slot_put(struct local_store *s, MDB_txn *txn, struct slice name, uint64_t epoch)
{
    char out[SLOT_ROW_BYTES];
    out[0] = ROW_VERSION;
    put_le(out + 1, epoch, 8);
    MDB_val key = {name.len, (void *)(uintptr_t)name.ptr}, val = {sizeof out, out};
    return mdb_put(txn, s->slots, &key, &val, 0);
}

static int format_check(struct local_store *s, MDB_txn *txn, bool create, struct err *reterr)
{
    MDB_val key = {sizeof format_key - 1, (void *)(uintptr_t)format_key}, val;
    int rc = mdb_get(txn, s->meta, &key, &val);
    if (rc == MDB_NOTFOUND && create) {
        char out[FORMAT_ROW_BYTES];
        out[0] = ROW_VERSION;
        put_le(put_le(out + 1, LOCAL_FORMAT, 4), (uint64_t)clock_wall(&s->clock), 8);
        val = (MDB_val){sizeof out, out};
        rc = mdb_put(txn, s->meta, &key, &val, 0);
        return rc == 0 ? 0 : bus_local_mdb_err(s, rc, "writing the format row", reterr);
    }
    if (rc != 0 || val.mv_size != FORMAT_ROW_BYTES) {
        return err_set(reterr, ERR_CORRUPT,
                       "%s/data.mdb is an LMDB file, but not a Kaiju bus: move it away, or choose "
                       "another directory",
                       s->dir);
    }
    const char *at = (const char *)val.mv_data + 1;
    uint64_t format = get_le(&at, 4);
    if (format != LOCAL_FORMAT) {
        return err_set(reterr, ERR_UNSUPPORTED,
                       "%s/data.mdb has bus format %llu, this program reads %d: use the release "
                       "that wrote it",
                       s->dir, (unsigned long long)format, LOCAL_FORMAT);
    }
    return 0;
}

/* Topics are numbered from 1 on, and none is ever removed: with a gap, or one number twice, the
 * next one made would find another's records. */
static bool are_numbered(const struct local_store *s)
{
    size_t n = s->topic_list.len, found = 0;
    bool *seen = mem_calloc(n + 1, sizeof *seen);
    VEC_EACH (&s->topic_list, at) {
        const uint16_t id = (*at)->id;
        bool fresh = id >= 1 && id <= n && !seen[id];
        found += fresh;
        seen[fresh ? id : 0] = true;
    }
    mem_free(seen);
    return found == n;
}

static int load_topics(struct local_store *s, MDB_txn *txn, struct err *reterr)
{
    MDB_cursor *cur = NULL;
    MDB_val key, val;
    int out = 0, rc = mdb_cursor_open(txn, s->topics, &cur);
    while (rc == 0 && out == 0 && (rc = mdb_cursor_get(cur, &key, &val, MDB_NEXT)) == 0) {
        struct local_topic *t = topic_read(key, val);
        if (t == NULL || !bus_local_topic_keep(s, t)) {
            bus_local_topic_free(t);
            out = bad_row(s, "topics", reterr);
            break;
        }
        for (uint32_t i = 0; i < t->partitions && out == 0; i++) {
            struct local_part *p = &t->parts[i];
            out = bus_local_row_get(s, txn, p, &p->now, reterr);
            p->next = p->now;
            p->dirty_bytes = p->now.clean_to < p->now.end ? p->now.bytes : 0;
            atomic_init(&p->end, p->now.end);
            atomic_fetch_add(&s->counters.used_bytes, p->now.bytes);
        }
    }
    mdb_cursor_close(cur);
    if (out == 0 && rc == MDB_NOTFOUND && !are_numbered(s)) {
        return bad_row(s, "topics", reterr);
    }
    return out != 0 || rc == MDB_NOTFOUND ? out
                                          : bus_local_mdb_err(s, rc, "reading the topics", reterr);
}

static int load_slots(struct local_store *s, MDB_txn *txn, struct err *reterr)
{
    MDB_cursor *cur = NULL;
    MDB_val key, val;
    int out = 0, rc = mdb_cursor_open(txn, s->slots, &cur);
    while (rc == 0 && out == 0 && (rc = mdb_cursor_get(cur, &key, &val, MDB_NEXT)) == 0) {
        const char *at = val.mv_data;
        void **slot = NULL;
        if (val.mv_size == SLOT_ROW_BYTES && *at++ == ROW_VERSION) {
            slot = map_put(&s->slot_map, slice_of(key.mv_data, key.mv_size));
        }
        if (slot == NULL) {
            out = bad_row(s, "slots", reterr);
        } else {
            uint64_t epoch = get_le(&at, 8);
            *slot = (void *)(uintptr_t)epoch;
            s->epoch = MAX(s->epoch, epoch);
        }
    }
    mdb_cursor_close(cur);
    return out != 0 || rc == MDB_NOTFOUND ? out
                                          : bus_local_mdb_err(s, rc, "reading the slots", reterr);
}

int bus_local_tables_open(struct local_store *s, MDB_txn *txn, struct err *reterr)
{
    const struct {
        const char *name;
        MDB_dbi *dbi;
    } tables[] = {{"meta", &s->meta},
                  {"topics", &s->topics},
                  {"parts", &s->parts},
                  {"log", &s->log},
                  {"slots", &s->slots}};
    /* Only an empty file is made ours: another program's is left as it is. */
    MDB_dbi main_dbi = 0;
    MDB_stat stat = {.ms_entries = 0};
    int rc = mdb_dbi_open(txn, NULL, 0, &main_dbi);
    rc = rc != 0 ? rc : mdb_stat(txn, main_dbi, &stat);
    bool create = !s->read_only && rc == 0 && stat.ms_entries == 0;
    for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
        rc = rc != 0 ? rc
                     : mdb_dbi_open(txn, tables[i].name, create ? MDB_CREATE : 0, tables[i].dbi);
        if (rc == MDB_NOTFOUND || rc == MDB_INCOMPATIBLE) {
            return err_set(reterr, ERR_CORRUPT,
                           "%s/data.mdb is an LMDB file, but not a Kaiju bus (no table '%s'): "
                           "move it away, or choose another directory",
                           s->dir, tables[i].name);
        }
        if (rc != 0) {
            return bus_local_mdb_err(s, rc, "opening the tables", reterr);
        }
    }
    rc = format_check(s, txn, create, reterr);
    rc = rc != 0 ? rc : load_topics(s, txn, reterr);
    return rc != 0 || s->read_only ? rc : load_slots(s, txn, reterr);
}
