/* SPDX-License-Identifier: Apache-2.0
 *
 * See snap.h. Numbers are varints; keys are big-endian, so that they sort.
 */
#include "operators/state/snap.h"

#include "core/codec/endian.h"
#include "core/codec/varint.h"

#include <assert.h>

struct slice snap_key_write(const struct snap_key *k, char to[SNAP_KEY_BYTES])
{
    assert(k->side <= SNAP_SIDE_ROOT);
    endian_put_be64(to, k->lineage);
    endian_put_be16(to + 8, (uint16_t)k->side);
    endian_put_be32(to + 10, k->page);
    return slice_of(to, SNAP_KEY_BYTES);
}

bool snap_key_read(struct slice bytes, struct snap_key *ret)
{
    if (bytes.len != SNAP_KEY_BYTES || endian_be16(bytes.ptr + 8) > SNAP_SIDE_ROOT) {
        return false;
    }
    *ret = (struct snap_key){endian_be64(bytes.ptr), endian_be16(bytes.ptr + 8),
                             endian_be32(bytes.ptr + 10)};
    return ret->page < SNAP_PAGES_MAX;
}

static void put(struct buf *to, uint64_t v)
{
    char *p = buf_room(to, VARINT_MAX);
    if (p != NULL) {
        buf_commit(to, (size_t)(varint_write(p, v) - p));
    }
}

bool snap_root_write(const struct snap_root *r, struct buf *to)
{
    put(to, SNAP_FORMAT);
    put(to, r->plan);
    put(to, r->seq);
    put(to, varint_zigzag(r->journal_offset));
    put(to, r->engine);
    put(to, r->side);
    put(to, r->pages);
    put(to, r->bytes);
    buf_add(to, &r->sum, sizeof r->sum);
    return !buf_failed(to);
}

int snap_root_read(struct slice bytes, struct snap_root *ret, struct err *reterr)
{
    uint64_t v[8] = {0};
    const char *p = bytes.ptr, *end = bytes.ptr + bytes.len;
    for (size_t i = 0; i < ARRAY_LEN(v) && p != NULL; i++) {
        p = varint_read(p, end, &v[i]);
        if (i == 0 && p != NULL && v[0] != SNAP_FORMAT) {
            return err_set(reterr, ERR_UNSUPPORTED,
                           "a snapshot of format %u; this program reads %d", (unsigned)v[0],
                           SNAP_FORMAT);
        }
    }
    struct snap_root r = {.plan = v[1],
                          .seq = v[2],
                          .journal_offset = varint_unzigzag(v[3]),
                          .engine = (uint32_t)v[4],
                          .side = (uint32_t)v[5],
                          .pages = (uint32_t)v[6],
                          .bytes = v[7]};
    if (p == NULL || (size_t)(end - p) != sizeof r.sum || r.side >= SNAP_SIDE_ROOT ||
        v[4] > UINT32_MAX || r.bytes > (uint64_t)SNAP_PAGES_MAX * SNAP_PAGE_BYTES ||
        v[6] != snap_pages(r.bytes)) {
        return err_set(reterr, ERR_CORRUPT, "the root of a snapshot does not decode");
    }
    memcpy(&r.sum, p, sizeof r.sum);
    *ret = r;
    return 0;
}

bool snap_add_chunk(struct buf *image, const struct save_chunk *c)
{
    put(image, c->node);
    put(image, c->group);
    put(image, c->bytes.len);
    return buf_add_slice(image, c->bytes);
}

int snap_next_chunk(struct slice *rest, struct save_chunk *ret)
{
    uint64_t v[3] = {0};
    const char *p = rest->ptr, *end = rest->ptr + rest->len;
    if (rest->len == 0) {
        return 0;
    }
    for (size_t i = 0; i < ARRAY_LEN(v) && p != NULL; i++) {
        p = varint_read(p, end, &v[i]);
    }
    if (p == NULL || v[1] > SAVE_NO_GROUP || v[2] > (size_t)(end - p)) {
        return -ERR_CORRUPT;
    }
    *ret = (struct save_chunk){v[0], (uint16_t)v[1], slice_of(p, (size_t)v[2])};
    *rest = slice_of(p + v[2], (size_t)(end - p) - (size_t)v[2]);
    return 1;
}
