/* SPDX-License-Identifier: Apache-2.0
 *
 * See snap_archive.h.
 */
#include "operators/state/snap_archive.h"

#include "core/base/mem.h"
#include "core/base/vec.h"
#include "core/codec/endian.h"
#include "core/codec/varint.h"

#include <assert.h>

enum { IMAGE_MAX = 1 << 30, ROOT_MAX = 1024, FORMAT = 1 };
enum { LEN_BYTES = 5 }; /* of a number that is filled in later, up to 2^35 */

struct snap_archive {
    uint64_t lineage;
    VEC(char *) pages;
    uint64_t bytes; /* in them */
    uint64_t len_at, chunk_at;
    bool too_large;
    struct hash_state *hash;
    uint32_t hashed; /* pages */
    struct buf root_bytes;
    struct snap_watch watch;
    struct snap_archive_root root;
    struct snap_put put;
    uint32_t from, to, n; /* puts: the portion, and all, the root last; 0: none */
};

static void put(struct buf *to, uint64_t v)
{
    char *p = buf_room(to, VARINT_MAX);
    if (p != NULL) {
        buf_commit(to, (size_t)(varint_write(p, v) - p));
    }
}

/* ---- bytes ---- */

struct slice snap_archive_key_write(const struct snap_archive_key *k, char to[SNAP_ARCHIVE_KEY])
{
    endian_put_be64(to, k->lineage);
    endian_put_be64(to + 8, k->seq);
    endian_put_be32(to + 16, k->page);
    return slice_of(to, SNAP_ARCHIVE_KEY);
}

bool snap_archive_key_read(struct slice bytes, struct snap_archive_key *ret)
{
    if (bytes.len != SNAP_ARCHIVE_KEY) {
        return false;
    }
    *ret = (struct snap_archive_key){endian_be64(bytes.ptr), endian_be64(bytes.ptr + 8),
                                     endian_be32(bytes.ptr + 16)};
    return ret->page == SNAP_ARCHIVE_ROOT || ret->page < IMAGE_MAX / SNAP_VALUE_MAX;
}

bool snap_archive_root_write(const struct snap_archive_root *r, struct buf *to)
{
    put(to, FORMAT);
    put(to, varint_zigzag(r->clock));
    put(to, r->bytes);
    buf_add(to, &r->sum, sizeof r->sum);
    return snap_root_write(&r->root, to);
}

int snap_archive_root_read(struct slice bytes, struct snap_archive_root *ret, struct err *reterr)
{
    uint64_t v[3] = {0};
    struct snap_archive_root r;
    const char *p = bytes.ptr, *end = bytes.ptr + bytes.len;
    for (size_t i = 0; i < ARRAY_LEN(v) && p != NULL; i++) {
        p = varint_read(p, end, &v[i]);
    }
    if (p != NULL && v[0] != FORMAT) {
        return err_set(reterr, ERR_UNSUPPORTED, "an archive of format %u; this program reads %d",
                       (unsigned)v[0], FORMAT);
    }
    if (p == NULL || (size_t)(end - p) < sizeof r.sum || v[2] > IMAGE_MAX) {
        return err_set(reterr, ERR_CORRUPT, "the root of an archive does not decode");
    }
    r.clock = varint_unzigzag(v[1]);
    r.bytes = v[2];
    memcpy(&r.sum, p, sizeof r.sum);
    p += sizeof r.sum;
    int rc = snap_root_read(slice_of(p, (size_t)(end - p)), &r.root, reterr);
    if (rc == 0) {
        *ret = r;
    }
    return rc;
}

static bool read_chunk(struct slice *rest, struct save_chunk *ret)
{
    uint64_t v[3] = {0};
    const char *p = rest->ptr, *end = rest->ptr + rest->len;
    for (size_t i = 0; i < ARRAY_LEN(v) && p != NULL; i++) {
        p = varint_read(p, end, &v[i]);
    }
    if (p == NULL || v[1] > SAVE_NO_GROUP || v[2] > (size_t)(end - p)) {
        return false;
    }
    *ret = (struct save_chunk){v[0], (uint16_t)v[1], slice_of(p, (size_t)v[2]), NULL};
    *rest = slice_of(p + v[2], (size_t)(end - p) - (size_t)v[2]);
    return true;
}

int snap_archive_open(const struct snap_archive_root *r, struct slice pages, struct arena *a,
                      const struct save_chunk **ret, size_t *ret_n, struct err *reterr)
{
    struct hash128 sum = hash_xxh128(pages);
    struct save_chunk c, *to;
    size_t n = 0;
    if (pages.len != r->bytes || memcmp(&sum, &r->sum, sizeof sum) != 0) {
        return err_set(reterr, ERR_CORRUPT, "an archive whose pages are torn");
    }
    for (struct slice rest = pages; rest.len > 0; n++) {
        if (!read_chunk(&rest, &c)) {
            return err_set(reterr, ERR_CORRUPT, "an archive that does not decode");
        }
    }
    to = arena_array(a, n + 1, sizeof *to);
    if (to == NULL) {
        return err_set(reterr, ERR_LIMIT, "an archive of too many chunks");
    }
    for (size_t i = 0; i < n; i++) {
        (void)read_chunk(&pages, &to[i]);
    }
    *ret = to;
    *ret_n = n;
    return 0;
}

/* ---- writing ---- */

static void add(struct snap_archive *a, const char *p, size_t len)
{
    a->too_large |= len > IMAGE_MAX - a->bytes;
    while (len > 0 && !a->too_large) {
        size_t at = a->bytes % SNAP_VALUE_MAX, n = MIN(len, SNAP_VALUE_MAX - at);
        if (at == 0) {
            *VEC_PUSH(&a->pages) = mem_alloc(SNAP_VALUE_MAX);
        }
        memcpy(*VEC_LAST(&a->pages) + at, p, n);
        a->bytes += n;
        p += n;
        len -= n;
    }
}

static void add_number(struct snap_archive *a, uint64_t v)
{
    char bytes[VARINT_MAX];
    add(a, bytes, (size_t)(varint_write(bytes, v) - bytes));
}

static void add_chunk(void *arg, const struct save_chunk *c)
{
    struct snap_archive *a = arg;
    add_number(a, c->node);
    add_number(a, c->group);
    add_number(a, c->bytes.len);
    add(a, c->bytes.ptr, c->bytes.len);
}

/* How long it is, is filled in when it is known. */
static void begin_chunk(void *arg, uint64_t node, uint16_t group)
{
    static const char room[LEN_BYTES] = {0};
    struct snap_archive *a = arg;
    add_number(a, node);
    add_number(a, group);
    a->len_at = a->bytes;
    add(a, room, sizeof room);
    a->chunk_at = a->bytes;
}

static void add_bytes(void *arg, struct slice bytes)
{
    add(arg, bytes.ptr, bytes.len);
}

static void end_chunk(void *arg)
{
    struct snap_archive *a = arg;
    uint64_t len = a->bytes - a->chunk_at;
    for (uint64_t i = 0; i < LEN_BYTES && !a->too_large; i++, len >>= 7) {
        uint64_t at = a->len_at + i;
        char *to = &a->pages.ptr[at / SNAP_VALUE_MAX][at % SNAP_VALUE_MAX];
        *to = (char)((len & 0x7f) | (i + 1 < LEN_BYTES ? 0x80 : 0));
    }
}

static void on_root(void *arg, const struct snap_root *r)
{
    (void)arg;
    (void)r; /* the archive has a root of its own */
}

struct snap_archive *snap_archive_new(uint64_t lineage)
{
    struct snap_archive *a = MEM_NEW(struct snap_archive);
    a->lineage = lineage;
    a->watch = (struct snap_watch){add_chunk, begin_chunk, add_bytes, end_chunk, on_root, a};
    a->hash = hash_new();
    return a;
}

static void empty(struct snap_archive *a)
{
    VEC_EACH (&a->pages, p) {
        mem_free(*p);
    }
    VEC_DONE(&a->pages);
    buf_done(&a->root_bytes);
    a->root_bytes = (struct buf){0};
    a->bytes = 0;
    a->from = a->to = a->n = a->hashed = 0;
    a->too_large = false;
    hash_reset(a->hash);
}

void snap_archive_free(struct snap_archive *a)
{
    if (a != NULL) {
        empty(a);
        hash_free(a->hash);
        mem_free(a);
    }
}

void snap_archive_begin(struct snap_archive *a)
{
    empty(a);
    buf_init(&a->root_bytes, ROOT_MAX);
}

const struct snap_watch *snap_archive_watch(const struct snap_archive *a)
{
    return &a->watch;
}

bool snap_archive_seal(struct snap_archive *a, const struct snap_root *r, int64_t clock)
{
    assert(a->n == 0 && a->root_bytes.max > 0);
    if (a->too_large) {
        empty(a);
        return false;
    }
    a->root = (struct snap_archive_root){.root = *r, .clock = clock, .bytes = a->bytes};
    a->n = snap_values(a->bytes) + 1;
    return true;
}

bool snap_archive_has_puts(const struct snap_archive *a)
{
    return a->n > 0;
}

static struct slice page(const struct snap_archive *a, uint32_t i)
{
    size_t at = (size_t)i * SNAP_VALUE_MAX;
    return slice_of(a->pages.ptr[i], MIN(a->bytes - at, (size_t)SNAP_VALUE_MAX));
}

/* Pages are hashed as they go out; the root, which goes last, has the sum. */
static void hash_pages(struct snap_archive *a)
{
    for (; a->hashed < a->to && a->hashed + 1 < a->n; a->hashed++) {
        struct slice p = page(a, a->hashed);
        hash_add(a->hash, p.ptr, p.len);
    }
    if (a->to == a->n && a->root_bytes.len == 0) {
        a->root.sum = hash_end(a->hash);
        (void)snap_archive_root_write(&a->root, &a->root_bytes);
        assert(!buf_failed(&a->root_bytes));
    }
}

uint32_t snap_archive_take(struct snap_archive *a, size_t max_bytes)
{
    uint32_t most = (uint32_t)MAX((size_t)1, max_bytes / SNAP_VALUE_MAX);
    a->to = max_bytes > 0 ? MIN(a->n, a->from + most) : a->from;
    hash_pages(a);
    return a->to - a->from;
}

uint32_t snap_archive_taken(const struct snap_archive *a)
{
    return a->to - a->from;
}

const struct snap_put *snap_archive_put(struct snap_archive *a, uint32_t i)
{
    uint32_t at = a->from + i;
    assert(at < a->to);
    bool root = at + 1 == a->n;
    const struct snap_archive_key k = {a->lineage, a->root.root.seq,
                                       root ? (uint32_t)SNAP_ARCHIVE_ROOT : at};
    a->put.key_len = (uint8_t)snap_archive_key_write(&k, a->put.key).len;
    a->put.value = root ? buf_slice(&a->root_bytes) : page(a, at);
    return &a->put;
}

bool snap_archive_committed(struct snap_archive *a)
{
    bool whole = a->n > 0 && a->to == a->n;
    for (; a->from < a->to; a->from++) {
        if (a->from + 1 < a->n) {
            mem_free(a->pages.ptr[a->from]);
            a->pages.ptr[a->from] = NULL;
        }
    }
    if (whole) {
        empty(a);
    }
    return whole;
}
