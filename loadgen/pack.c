/* SPDX-License-Identifier: Apache-2.0
 *
 * See pack.h. Levels are those that senders use by default; the bytes depend on the version of the
 * library, so recorded loads that must repeat to the byte are not packed.
 */
#include "loadgen/pack.h"

#include "core/base/mem.h"

#include <assert.h>
#include <libdeflate.h>
#include <zstd.h>

enum { LEVEL = 6, ZSTD_LEVEL = 3, PACKED_MAX = 256 * 1024 * 1024 };

struct pack {
    enum inflate_coding coding;
    struct libdeflate_compressor *deflate;
    ZSTD_CCtx *zstd;
    struct buf out;
};

struct pack *pack_new(enum inflate_coding coding)
{
    struct pack *p = MEM_NEW(struct pack);
    p->coding = coding;
    buf_init(&p->out, PACKED_MAX);
    if (coding == INFLATE_GZIP || coding == INFLATE_DEFLATE) {
        p->deflate = libdeflate_alloc_compressor(LEVEL);
        assert(p->deflate != NULL);
    } else if (coding == INFLATE_ZSTD) {
        p->zstd = ZSTD_createCCtx();
        assert(p->zstd != NULL);
    } else {
        assert(coding == INFLATE_IDENTITY);
    }
    return p;
}

void pack_free(struct pack *p)
{
    if (p != NULL) {
        libdeflate_free_compressor(p->deflate);
        ZSTD_freeCCtx(p->zstd);
        buf_done(&p->out);
        mem_free(p);
    }
}

struct slice pack_body(struct pack *p, struct slice body)
{
    size_t n = 0, room;
    if (p->coding == INFLATE_IDENTITY) {
        return body;
    }
    buf_clear(&p->out);
    room = p->coding == INFLATE_GZIP   ? libdeflate_gzip_compress_bound(p->deflate, body.len)
           : p->coding == INFLATE_ZSTD ? ZSTD_compressBound(body.len)
                                       : libdeflate_zlib_compress_bound(p->deflate, body.len);
    char *to = buf_room(&p->out, room);
    assert(to != NULL);
    if (p->coding == INFLATE_GZIP) {
        n = libdeflate_gzip_compress(p->deflate, body.ptr, body.len, to, room);
    } else if (p->coding == INFLATE_ZSTD) {
        n = ZSTD_compressCCtx(p->zstd, to, room, body.ptr, body.len, ZSTD_LEVEL);
    } else {
        n = libdeflate_zlib_compress(p->deflate, body.ptr, body.len, to, room);
    }
    assert(n > 0 && n <= room);
    buf_commit(&p->out, n);
    return buf_slice(&p->out);
}
