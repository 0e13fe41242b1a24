/* SPDX-License-Identifier: Apache-2.0
 *
 * See snap.h. Numbers are varints; keys are big-endian, so that they sort, and their length tells
 * what they are: the root's is the lineage alone.
 */
#include "operators/state/snap.h"

#include "core/codec/endian.h"
#include "core/codec/varint.h"

#include <assert.h>
#include <stdlib.h>

enum { ROOT_KEY = 8, PAGE_KEY = 13, CHUNK_KEY = SNAP_KEY_MAX };

struct slice snap_key_write(const struct snap_key *k, char to[SNAP_KEY_MAX])
{
    assert(k->side < 2 && k->group <= SNAP_PACKED);
    char *p = to + ROOT_KEY;
    endian_put_be64(to, k->lineage);
    if (k->kind == SNAP_ROOT) {
        return slice_of(to, ROOT_KEY);
    }
    if (k->kind == SNAP_CHUNK) {
        endian_put_be64(p, k->node);
        endian_put_be16(p + 8, (uint16_t)k->group);
        p += 10;
    }
    *p++ = (char)k->side;
    endian_put_be32(p, k->number);
    return slice_of(to, (size_t)(p + 4 - to));
}

bool snap_key_read(struct slice bytes, struct snap_key *ret)
{
    if (bytes.len != ROOT_KEY && bytes.len != PAGE_KEY && bytes.len != CHUNK_KEY) {
        return false;
    }
    struct snap_key k = {.kind = SNAP_ROOT, .lineage = endian_be64(bytes.ptr)};
    if (bytes.len > ROOT_KEY) {
        const char *p = bytes.ptr + bytes.len - 5;
        k.kind = bytes.len == PAGE_KEY ? SNAP_PAGE : SNAP_CHUNK;
        k.side = (unsigned char)p[0];
        k.number = endian_be32(p + 1);
    }
    if (k.kind == SNAP_CHUNK) {
        k.node = endian_be64(bytes.ptr + ROOT_KEY);
        k.group = endian_be16(bytes.ptr + ROOT_KEY + 8);
    }
    *ret = k;
    return k.side < 2 && k.group <= SNAP_PACKED &&
           (k.kind != SNAP_PAGE || k.number < SNAP_PAGES_MAX);
}

static void put(struct buf *to, uint64_t v)
{
    char *p = buf_room(to, VARINT_MAX);
    if (p != NULL) {
        buf_commit(to, (size_t)(varint_write(p, v) - p));
    }
}

/* n numbers off *rest. */
static bool take(struct slice *rest, uint64_t *v, size_t n)
{
    const char *p = rest->ptr, *end = rest->ptr + rest->len;
    for (size_t i = 0; i < n && p != NULL; i++) {
        p = varint_read(p, end, &v[i]);
    }
    if (p != NULL) {
        *rest = slice_of(p, (size_t)(end - p));
    }
    return p != NULL;
}

static bool take_hash(struct slice *rest, struct hash128 *ret)
{
    if (rest->len < sizeof *ret) {
        return false;
    }
    memcpy(ret, rest->ptr, sizeof *ret);
    *rest = slice_of(rest->ptr + sizeof *ret, rest->len - sizeof *ret);
    return true;
}

bool snap_root_write(const struct snap_root *r, struct buf *to)
{
    const uint64_t v[] = {
        SNAP_FORMAT,     r->plan,   r->seq,  r->prev_seq, varint_zigzag(r->journal_offset),
        r->journal_part, r->engine, r->side, r->pages,    r->groups,
        r->bytes};
    for (size_t i = 0; i < ARRAY_LEN(v); i++) {
        put(to, v[i]);
    }
    buf_add(to, &r->pages_sum, sizeof r->pages_sum);
    return buf_add(to, &r->state, sizeof r->state);
}

int snap_root_read(struct slice bytes, struct snap_root *ret, struct err *reterr)
{
    uint64_t v[11] = {0};
    if (!take(&bytes, v, 1) || v[0] != SNAP_FORMAT) {
        return err_set(reterr, ERR_UNSUPPORTED, "a snapshot of format %u; this program reads %d",
                       (unsigned)v[0], SNAP_FORMAT);
    }
    bool fine = take(&bytes, v + 1, ARRAY_LEN(v) - 1);
    struct snap_root r = {.plan = v[1],
                          .seq = v[2],
                          .prev_seq = v[3],
                          .journal_offset = varint_unzigzag(v[4]),
                          .journal_part = (uint32_t)v[5],
                          .engine = (uint32_t)v[6],
                          .side = (uint32_t)v[7],
                          .pages = (uint32_t)v[8],
                          .groups = v[9],
                          .bytes = v[10]};
    fine = fine && take_hash(&bytes, &r.pages_sum) && take_hash(&bytes, &r.state);
    if (!fine || bytes.len > 0 || v[5] > UINT32_MAX || v[6] > UINT32_MAX || v[7] > 1 ||
        v[8] > SNAP_PAGES_MAX || r.groups > (uint64_t)SNAP_PAGES_MAX * SNAP_VALUE_MAX) {
        return err_set(reterr, ERR_CORRUPT, "the root of a snapshot does not decode");
    }
    *ret = r;
    return 0;
}

bool snap_group_write(const struct snap_group *g, struct buf *to)
{
    put(to, g->node);
    put(to, g->group);
    put(to, g->side);
    put(to, g->chunks);
    put(to, g->bytes);
    put(to, g->crc);
    return buf_add(to, &g->hash, sizeof g->hash);
}

int snap_group_read(struct slice *rest, struct snap_group *ret)
{
    uint64_t v[6] = {0};
    if (rest->len == 0) {
        return 0;
    }
    struct snap_group g = {0};
    if (!take(rest, v, ARRAY_LEN(v)) || !take_hash(rest, &g.hash) || v[1] > SNAP_PACKED ||
        v[2] > 1 || v[4] > (uint64_t)SNAP_VALUE_MAX * UINT32_MAX || v[3] != snap_values(v[4]) ||
        v[5] > UINT32_MAX) {
        return -ERR_CORRUPT;
    }
    g.node = v[0];
    g.group = (uint32_t)v[1];
    g.side = (uint32_t)v[2];
    g.chunks = (uint32_t)v[3];
    g.bytes = v[4];
    g.crc = (uint32_t)v[5];
    *ret = g;
    return 1;
}

bool snap_pack(struct buf *to, uint32_t group, struct slice bytes)
{
    put(to, group);
    put(to, bytes.len);
    return buf_add_slice(to, bytes);
}

int snap_unpack(struct slice *rest, uint64_t node, struct save_chunk *ret)
{
    uint64_t v[2] = {0};
    if (rest->len == 0) {
        return 0;
    }
    if (!take(rest, v, ARRAY_LEN(v)) || v[0] > SAVE_NO_GROUP || v[1] > rest->len) {
        return -ERR_CORRUPT;
    }
    *ret = (struct save_chunk){node, (uint16_t)v[0], slice_of(rest->ptr, (size_t)v[1]), NULL};
    *rest = slice_of(rest->ptr + v[1], rest->len - (size_t)v[1]);
    return 1;
}

static int by_node(const void *a, const void *b)
{
    const struct snap_part *x = a, *y = b;
    if (x->node != y->node) {
        return x->node < y->node ? -1 : 1;
    }
    return x->group < y->group ? -1 : x->group > y->group;
}

struct hash128 snap_hash(struct snap_part *parts, size_t n)
{
    struct hash_state *h = hash_new();
    if (n > 1) {
        qsort(parts, n, sizeof *parts, by_node);
    }
    for (size_t i = 0; i < n; i++) {
        char head[10];
        endian_put_be64(head, parts[i].node);
        endian_put_be16(head + 8, (uint16_t)parts[i].group);
        if (parts[i].node != SNAP_TASK_NODE) {
            hash_add(h, head, sizeof head);
            hash_add(h, &parts[i].hash, sizeof parts[i].hash);
        }
    }
    struct hash128 sum = hash_end(h);
    hash_free(h);
    return sum;
}
