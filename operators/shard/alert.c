/* SPDX-License-Identifier: Apache-2.0
 *
 * See alert.h. The book's keys are key bytes (core/event/key.h): the statement's name, then the
 * values of the alert's key.
 */
#include "operators/shard/alert.h"

#include "core/base/map.h"
#include "core/base/mem.h"
#include "core/codec/endian.h"
#include "core/codec/text.h"
#include "core/codec/varint.h"
#include "core/event/key.h"
#include "core/event/rec_plain.h"
#include "operators/sig/cause.h"
#include "operators/sig/dat_op.h"
#include "operators/sig/dat_outgo.h"

#include <assert.h>

enum {
    SUMMARY_MAX = 4096,
    DESCRIPTION_MAX = 64 * 1024,
    KEY_BYTES_MAX = 64 * 1024,
    TEXT_ROOM = 1 << 20
};

struct alert_book {
    const struct alert_rule *rules;
    struct map by_name; /* rule + 1 */
    struct map counts;  /* of openings, by key bytes */
    uint32_t part, parts;
    uint64_t from;
    struct buf key;
};

struct alert_book *alert_book_new(const struct alert_rule *rules, uint32_t n, uint32_t part,
                                  uint32_t parts)
{
    assert(part < parts);
    struct alert_book *b = MEM_NEW(struct alert_book);
    b->rules = rules;
    b->part = part;
    b->parts = parts;
    map_init(&b->by_name, (size_t)n + 1);
    map_init(&b->counts, ALERT_KEYS_MAX);
    buf_init(&b->key, KEY_BYTES_MAX);
    for (uint32_t i = 0; i < n; i++) {
        *map_put(&b->by_name, rules[i].statement) = (void *)((uintptr_t)i + 1);
    }
    return b;
}

void alert_book_free(struct alert_book *b)
{
    if (b != NULL) {
        map_done(&b->by_name);
        map_done(&b->counts);
        buf_done(&b->key);
        mem_free(b);
    }
}

const struct alert_rule *alert_rule_of(const struct alert_book *b, struct slice statement)
{
    uintptr_t at = (uintptr_t)map_get(&b->by_name, statement);
    return at > 0 ? &b->rules[at - 1] : NULL;
}

void alert_count_from(struct alert_book *b, uint64_t n)
{
    b->from = n * b->parts;
}

/* ---- values of a row ---- */

/* name, name.part, name.key.of.a.map; what is not there is null. */
static struct dat value_of(const struct evt *row, struct slice name)
{
    struct slice first, rest = name;
    bool found = slice_split(&rest, '.', &first);
    int at = found ? ety_col(row->type, first) : -1;
    struct dat v = at >= 0 ? row->p[at] : DAT_NONE;
    while (rest.ptr != NULL && slice_split(&rest, '.', &first)) {
        at = v.kind == DAT_EVENT ? ety_col(v.ev->type, first) : -1;
        v = at >= 0 ? v.ev->p[at] : v.kind == DAT_MAP ? vmap_get(v.m, first, &found) : DAT_NONE;
    }
    return v;
}

/* Of a text its first bytes, whole characters. */
static size_t cut_at(const struct buf *b, size_t max)
{
    size_t n = MIN(b->len, max);
    while (n > 0 && n < b->len && ((unsigned char)b->ptr[n] & 0xc0) == 0x80) {
        n--;
    }
    return n;
}

/* A text with {columns}. */
static struct slice fill(struct arena *a, struct slice text, const struct evt *row, size_t max)
{
    struct buf b;
    buf_init(&b, max + TEXT_ROOM);
    for (size_t i = 0; i < text.len && b.len <= max; i++) {
        char c = text.ptr[i];
        bool twice = i + 1 < text.len && text.ptr[i + 1] == c;
        if (c != '{' || twice) {
            (void)buf_add_byte(&b, (unsigned char)c);
            i += (c == '{' || c == '}') && twice;
            continue;
        }
        struct slice rest = slice_sub(text, i + 1, text.len);
        size_t end = slice_find(rest, '}');
        dat_text_to(value_of(row, slice_trim(slice_sub(rest, 0, end))), &b);
        i += end + 1;
    }
    struct slice s = arena_copy(a, slice_of(b.ptr, cut_at(&b, max)));
    buf_done(&b);
    return s.ptr != NULL ? s : SLICE("");
}

/* ---- the record ---- */

struct making {
    struct alert_book *book;
    const struct alert_rule *rule;
    const struct evt *row;
    struct arena *a;
    struct val f[REC_PLAIN_FIELDS_MAX];
    size_t key_from; /* in book->key: behind the statement */
};

/* The columns of the key, and the same as texts; both for people, the bytes for identity. */
static bool make_key(struct making *m)
{
    const struct doc_alert *w = m->rule->words;
    struct val_pair *key = arena_array(m->a, (size_t)w->n_key + 1, sizeof *key);
    struct val_pair *labels = arena_array(m->a, (size_t)w->n_key + 1, sizeof *labels);
    struct buf *b = &m->book->key;
    bool ok = key != NULL && labels != NULL;
    buf_clear(b);
    ok = ok && key_add(b, val_string(m->rule->statement));
    m->key_from = b->len;
    for (uint32_t i = 0; ok && i < w->n_key; i++) {
        struct dat v = value_of(m->row, w->key[i]);
        struct buf text;
        buf_init(&text, SUMMARY_MAX + TEXT_ROOM);
        key[i] = val_pair(w->key[i], val_null());
        ok = dat_outgo(v, m->a, &key[i].value) && key_add(b, key[i].value);
        dat_text_to(v, &text);
        struct slice s = arena_copy(m->a, slice_of(text.ptr, cut_at(&text, SUMMARY_MAX)));
        labels[i] = val_pair(w->key[i], val_string(s.ptr != NULL ? s : SLICE("")));
        buf_done(&text);
    }
    if (ok) {
        m->f[REC_ALERT_KEY] = val_map(key, val_map_sort(key, w->n_key));
        m->f[REC_ALERT_LABELS] = val_map(labels, val_map_sort(labels, w->n_key));
    }
    return ok;
}

/* 0: the book is full. */
static uint64_t next_ordinal(struct alert_book *b)
{
    void **count = map_put(&b->counts, buf_slice(&b->key));
    if (count == NULL) {
        return 0;
    }
    uintptr_t n = (uintptr_t)*count;
    *count = (void *)(n + 1);
    return b->from + (uint64_t)n * b->parts + b->part + 1;
}

static struct val fixed(struct arena *a, const void *bytes)
{
    struct slice s = arena_copy(a, slice_of(bytes, REC_PLAIN_FIXED));
    return s.ptr != NULL ? val_bytes(s) : val_null();
}

static void make_texts(struct making *m)
{
    const struct doc_alert *w = m->rule->words;
    struct val_pair *notes = arena_array(m->a, 2, sizeof *notes);
    uint32_t n = 0;
    struct slice summary = fill(m->a, w->summary, m->row, SUMMARY_MAX);
    m->f[REC_ALERT_SUMMARY] = val_string(summary.len > 0 ? summary : m->rule->statement);
    if (notes != NULL && w->description.len > 0) {
        struct slice text = fill(m->a, w->description, m->row, DESCRIPTION_MAX);
        notes[n++] = val_pair(SLICE("description"), val_string(text));
    }
    if (notes != NULL && w->runbook.len > 0) {
        notes[n++] = val_pair(SLICE("runbook"), val_string(w->runbook));
    }
    m->f[REC_ALERT_ANNOTATIONS] = val_map(notes, n);
}

/* References of what the row is made of, and the trace that the row itself names. */
static void make_causes(struct making *m)
{
    struct cause_list causes;
    char bytes[REC_PLAIN_FIXED];
    cause_list_init(&causes, CAUSE_MAX);
    cause_add_event(&causes, m->row);
    struct val *to = arena_array(m->a, (size_t)causes.len + 1, sizeof *to);
    for (uint32_t i = 0; to != NULL && i < causes.len; i++) {
        endian_put_be64(bytes, causes.r[i].hi);
        endian_put_be64(bytes + 8, causes.r[i].lo);
        to[i] = fixed(m->a, bytes);
    }
    m->f[REC_ALERT_CAUSES] = val_list(to, to != NULL ? causes.len : 0);
    struct dat trace = value_of(m->row, SLICE("trace_id"));
    struct val *one = arena_array(m->a, 1, sizeof *one);
    uint8_t id[REC_PLAIN_FIXED];
    if (one != NULL && trace.kind == DAT_STRING && trace.s->len == 2 * sizeof id &&
        text_get_hex(vstr_slice(trace.s), id, sizeof id) == (int64_t)sizeof id) {
        *one = fixed(m->a, id);
        m->f[REC_ALERT_TRACE_IDS] = val_list(one, 1);
    }
}

int alert_write(struct alert_book *b, const struct alert_rule *rule, const struct evt *row,
                int64_t now, struct batch_enc *enc, struct arena *scratch, struct buf *to,
                struct id *ret_id, struct err *reterr)
{
    struct making m = {.book = b, .rule = rule, .row = row, .a = scratch};
    struct val_pair *pairs = NULL;
    uint32_t n = 0;
    if (!make_key(&m)) {
        return err_set(reterr, ERR_TOO_BIG, "the key of an alert is too large");
    }
    uint64_t ordinal = next_ordinal(b);
    if (ordinal == 0) {
        return err_set(reterr, ERR_LIMIT, "more than %d keys of alerts", ALERT_KEYS_MAX);
    }
    if (!dat_outgo_event(row, scratch, &pairs, &n)) {
        return err_set(reterr, ERR_TOO_BIG, "the row of an alert is too large");
    }
    struct id id = id_of_alert(rule->tenant, rule->graph, rule->statement,
                               slice_sub(buf_slice(&b->key), m.key_from, b->key.len), ordinal);
    make_texts(&m);
    make_causes(&m);
    m.f[REC_ALERT_ID] = fixed(scratch, id.bytes);
    m.f[REC_ALERT_REVISION] = val_int(0);
    m.f[REC_ALERT_STATE] = val_string(SLICE("firing"));
    m.f[REC_ALERT_SEVERITY] = val_string(rule->words->severity);
    m.f[REC_ALERT_TENANT] = val_string(rule->tenant);
    m.f[REC_ALERT_GRAPH] = val_string(rule->graph);
    m.f[REC_ALERT_STATEMENT] = val_string(rule->statement);
    m.f[REC_ALERT_ORDINAL] = val_int((int64_t)ordinal);
    m.f[REC_ALERT_STARTS_AT] = m.f[REC_ALERT_UPDATED_AT] = val_int(now);
    m.f[REC_ALERT_ROW] = val_map(pairs, val_map_sort(pairs, n));
    if (!rec_plain_write(REC_PLAIN_ALERT, enc, m.f, to)) {
        return err_set(reterr, ERR_TOO_BIG, "an alert is too large");
    }
    *ret_id = id;
    return 0;
}

/* ---- state ---- */

static bool put(struct buf *to, uint64_t v)
{
    char *p = buf_room(to, VARINT_MAX);
    if (p != NULL) {
        buf_commit(to, (size_t)(varint_write(p, v) - p));
    }
    return p != NULL;
}

bool alert_save(const struct alert_book *b, struct buf *to)
{
    bool ok = put(to, b->from) && put(to, b->counts.live);
    MAP_EACH (&b->counts, e) {
        ok = ok && put(to, (uintptr_t)e->value) && put(to, e->key.len) && buf_add_slice(to, e->key);
    }
    return ok;
}

int alert_load(struct alert_book *b, struct slice bytes, struct err *reterr)
{
    const char *p = bytes.ptr, *end = bytes.ptr + bytes.len;
    uint64_t n = 0, count = 0, len = 0;
    assert(b->counts.live == 0);
    p = varint_read(p, end, &b->from);
    p = p != NULL ? varint_read(p, end, &n) : NULL;
    for (; p != NULL && n > 0; n--) {
        p = varint_read(p, end, &count);
        p = p != NULL ? varint_read(p, end, &len) : NULL;
        if (p == NULL || len > (uint64_t)(end - p)) {
            p = NULL;
            break;
        }
        void **at = map_put(&b->counts, slice_of(p, (size_t)len));
        if (at == NULL) {
            break;
        }
        *at = (void *)(uintptr_t)count;
        p += len;
    }
    return p == end && n == 0 ? 0 : err_set(reterr, ERR_CORRUPT, "alerts that do not decode");
}
