/* SPDX-License-Identifier: Apache-2.0
 *
 * Records of the topics of state from any bytes. What the first byte chooses: a snapshot is
 * written, and its records are changed, lost, doubled and exchanged before somebody reads them, who
 * must find the snapshot whole, or none; pages and groups that a root with the right sums vouches
 * for, though nobody has written them; or one small thing (a key, a root, an archive, the head of a
 * record, the openings of alerts), which, if it is read, can be written again.
 */
#include "core/base/mem.h"
#include "core/base/vec.h"
#include "core/codec/crc32c.h"
#include "operators/shard/alert.h"
#include "operators/shard/head.h"
#include "operators/state/snap_archive.h"
#include "tests/fuzz/fuzz_script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LINEAGE = 77, CHUNKS_MAX = 8, PORTION = 1 << 20 };

static void hold_at(bool condition, int line)
{
    if (!condition) {
        fprintf(stderr, "fuzz_snapshot.c:%d does not hold\n", line);
        abort();
    }
}
#define hold(condition) hold_at((condition), __LINE__)

static struct slice draw_bytes(struct script *s, size_t n)
{
    n = n < s->left ? n : s->left;
    struct slice b = slice_of((const char *)s->p, n);
    s->p += n;
    s->left -= n;
    return b;
}

/* ---- a log ---- */

struct record {
    struct snap_key k;
    char *value;
    size_t len;
};

struct log {
    VEC(struct record) v;
};

static void append(struct log *l, struct snap_key k, struct slice value)
{
    struct record r = {k, mem_alloc(value.len + 1), value.len};
    if (value.len > 0) {
        memcpy(r.value, value.ptr, value.len);
    }
    *VEC_PUSH(&l->v) = r;
}

static void log_done(struct log *l)
{
    VEC_EACH (&l->v, r) {
        mem_free(r->value);
    }
    VEC_DONE(&l->v);
}

static void put_all(struct snap_set *s, struct log *l)
{
    while (snap_set_has_puts(s)) {
        for (uint32_t i = 0, n = snap_set_take(s, PORTION); i < n; i++) {
            const struct snap_put *p = snap_set_put(s, i);
            struct snap_key k;
            hold(snap_key_read(slice_of(p->key, p->key_len), &k));
            append(l, k, p->removes ? SLICE_NONE : p->value);
        }
        (void)snap_set_committed(s);
    }
}

/* What is there; the caller's to free. NULL: nothing. */
static struct snap_set *read_log(const struct log *l)
{
    struct err err;
    struct snap_set *s = snap_set_new(LINEAGE);
    int rc = 0;
    VEC_EACH (&l->v, r) {
        rc = rc == 0 ? snap_set_record(s, &r->k, slice_of(r->value, r->len), &err) : rc;
    }
    if (rc == 0 && snap_set_root(s) != NULL && snap_set_open(s, &err) == 0) {
        return s;
    }
    snap_set_free(s);
    return NULL;
}

static void look_at(const struct snap_set *s)
{
    size_t n, bytes = 0;
    const struct save_chunk *c = snap_set_chunks(s, &n);
    for (size_t i = 0; i < n; i++) {
        struct slice piece = c[i].bytes;
        for (struct save_more *m = c[i].more; m != NULL && m->left > 0;) {
            bytes += piece.len;
            piece = m->next(m);
        }
        for (size_t k = 0; k < piece.len; k++) {
            bytes += (unsigned char)piece.ptr[k] == 0;
        }
    }
    hold(bytes < SIZE_MAX);
}

/* ---- one that was written, and what became of it ---- */

static void write_snapshot(struct script *s, struct log *l, struct hash128 *ret_state)
{
    static const size_t sizes[] = {1, 10, 300, 3000, 70000, 600000};
    struct snap_set *set = snap_set_new(LINEAGE);
    struct snap_root root = {.plan = 1, .seq = 2, .journal_offset = 3};
    size_t n = 1 + draw(s, 1) % CHUNKS_MAX;
    snap_set_begin(set);
    for (size_t i = 0; i < n; i++) {
        uint64_t how = draw(s, 1);
        size_t len = sizes[(how >> 2) % ARRAY_LEN(sizes)];
        char *bytes = mem_alloc(len);
        memset(bytes, (int)(how & 3), len);
        const struct save_chunk c = {i / 3, i % 3 == 2 ? SAVE_NO_GROUP : (uint16_t)(i % 3),
                                     slice_of(bytes, len), NULL};
        snap_set_add(set, &c);
        mem_free(bytes);
    }
    snap_set_seal(set, &root);
    put_all(set, l);
    hold(snap_set_root(set) != NULL);
    *ret_state = snap_set_root(set)->state;
    snap_set_free(set);
}

static void change(struct script *s, struct log *l)
{
    struct record *r = &l->v.ptr[draw(s, 1) % l->v.len];
    switch (draw(s, 1) % 6) {
    case 0: r->len = r->len > 0 ? draw(s, 3) % r->len : 0; break;
    case 1:
    case 2:
        if (r->len > 0) {
            r->value[draw(s, 3) % r->len] = (char)draw(s, 1);
        }
        break;
    case 3: r->k.side ^= r->k.kind != SNAP_ROOT; break;
    case 4: append(l, r->k, draw_bytes(s, draw(s, 1))); break;
    default: r->k.number += r->k.kind == SNAP_CHUNK ? (uint32_t)draw(s, 2) : 0;
    }
}

static void changed_log(struct script *s)
{
    struct log l = {0};
    struct hash128 state;
    write_snapshot(s, &l, &state);
    bool same = s->left == 0;
    while (s->left > 0 && l.v.len < 40) {
        change(s, &l);
    }
    struct snap_set *set = read_log(&l);
    hold(set != NULL || !same);
    if (set != NULL) {
        hold(memcmp(&snap_set_root(set)->state, &state, sizeof state) == 0);
        look_at(set);
        snap_set_close(set);
        snap_set_drop(set); /* who finds it can end it */
        put_all(set, &l);
        snap_set_free(set);
    }
    log_done(&l);
}

/* ---- one that a root vouches for ---- */

static void vouched_log(struct script *s)
{
    struct log l = {0};
    struct buf page, value;
    struct hash_state *h = hash_new();
    struct snap_root root = {.plan = 1, .seq = 2, .pages = 1};
    buf_init(&page, SNAP_VALUE_MAX);
    buf_init(&value, SNAP_VALUE_MAX);
    for (size_t n = draw(s, 1) % CHUNKS_MAX; n > 0; n--) {
        struct snap_group g = {.node = draw(s, 1), .group = (uint32_t)draw(s, 2)};
        g.side = (uint32_t)draw(s, 1) & 1;
        g.group = g.group > SNAP_PACKED ? SNAP_PACKED : g.group;
        g.node = g.node > 250 ? SNAP_TASK_NODE - (g.node - 251) : g.node;
        struct slice v = draw_bytes(s, draw(s, 1));
        g.bytes = v.len;
        g.chunks = snap_values(g.bytes);
        g.crc = crc32c_of(v);
        g.hash = hash_xxh128(v);
        (void)snap_group_write(&g, &page);
        append(&l, (struct snap_key){SNAP_CHUNK, LINEAGE, g.node, g.group, g.side, 0}, v);
        root.groups++;
        root.bytes += g.bytes;
    }
    buf_add_slice(&page, draw_bytes(s, s->left));
    append(&l, (struct snap_key){.kind = SNAP_PAGE, .lineage = LINEAGE}, buf_slice(&page));
    hash_add(h, page.ptr, page.len);
    root.pages_sum = hash_end(h);
    (void)snap_root_write(&root, &value);
    append(&l, (struct snap_key){.kind = SNAP_ROOT, .lineage = LINEAGE}, buf_slice(&value));
    struct snap_set *set = read_log(&l); /* its state is unlikely to be this one, if it has one */
    snap_set_free(set);
    hash_free(h);
    buf_done(&page);
    buf_done(&value);
    log_done(&l);
}

/* ---- small things ---- */

static void archive(struct slice bytes)
{
    struct arena *a = arena_new(NULL, "archive", 1 << 20);
    struct snap_archive_root root = {.bytes = bytes.len, .sum = hash_xxh128(bytes)};
    const struct save_chunk *c;
    size_t n;
    struct err err;
    if (snap_archive_open(&root, bytes, a, &c, &n, &err) == 0) {
        for (size_t i = 0; i < n; i++) {
            hold(c[i].bytes.ptr >= bytes.ptr &&
                 c[i].bytes.ptr + c[i].bytes.len <= bytes.ptr + bytes.len);
        }
    }
    arena_free(a);
}

static void roots(struct slice bytes)
{
    struct snap_root r, again;
    struct snap_archive_root x, y;
    struct err err;
    struct buf b;
    buf_init(&b, 4096);
    if (snap_root_read(bytes, &r, &err) == 0) {
        hold(snap_root_write(&r, &b));
        hold(snap_root_read(buf_slice(&b), &again, &err) == 0 && again.seq == r.seq);
    }
    buf_clear(&b);
    if (snap_archive_root_read(bytes, &x, &err) == 0) {
        hold(snap_archive_root_write(&x, &b));
        hold(snap_archive_root_read(buf_slice(&b), &y, &err) == 0 && x.clock == y.clock);
    }
    buf_done(&b);
}

static void keys(struct slice bytes)
{
    char text[SNAP_KEY_MAX], other[SNAP_ARCHIVE_KEY];
    struct snap_key k;
    struct snap_archive_key x;
    hold(!snap_key_read(bytes, &k) || slice_eq(snap_key_write(&k, text), bytes));
    hold(!snap_archive_key_read(bytes, &x) || slice_eq(snap_archive_key_write(&x, other), bytes));
}

static void head(struct slice bytes)
{
    struct head h, again;
    struct buf b;
    buf_init(&b, 4096);
    if (head_read(bytes, &h)) {
        hold(head_write(&b, &h) && head_read(buf_slice(&b), &again));
        hold(again.first == h.first && again.mark == h.mark && again.end == h.end);
    }
    buf_done(&b);
}

static void alerts(struct slice bytes)
{
    static const struct doc_alert words;
    static const struct alert_rule rules[] = {{SLICE("t"), SLICE("g"), SLICE("s"), &words}};
    struct alert_book *b = alert_book_new(rules, 1, 0, 1);
    struct buf once, twice;
    struct err err;
    buf_init(&once, 1 << 20);
    buf_init(&twice, 1 << 20);
    if (alert_load(b, bytes, &err) == 0) {
        struct alert_book *c = alert_book_new(rules, 1, 0, 1);
        hold(alert_save(b, &once));
        hold(alert_load(c, buf_slice(&once), &err) == 0 && alert_save(c, &twice));
        hold(slice_eq(buf_slice(&once), buf_slice(&twice)));
        alert_book_free(c);
    }
    buf_done(&once);
    buf_done(&twice);
    alert_book_free(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    struct script s = {data + 1, size - 1};
    struct slice rest = slice_of((const char *)s.p, s.left);
    switch (data[0] % 8) {
    case 0:
    case 1: changed_log(&s); break;
    case 2:
    case 3: vouched_log(&s); break;
    case 4: archive(rest); break;
    case 5: roots(rest); break;
    case 6: keys(rest); break;
    default: head(rest); alerts(rest);
    }
    return 0;
}
