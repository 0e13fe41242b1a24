/* SPDX-License-Identifier: Apache-2.0
 *
 * See hash.h. xxHash is compiled in from its header: a call into the shared library would cost
 * more than hashing a short key.
 */
#define XXH_INLINE_ALL
#include "core/base/hash.h"

#include "core/base/mem.h"

#include <assert.h>
#include <xxhash.h>

struct hash_state {
    XXH3_state_t xxh;
};

static struct hash128 canonical(XXH128_hash_t v)
{
    struct hash128 out;
    XXH128_canonical_t c;
    XXH128_canonicalFromHash(&c, v);
    memcpy(out.bytes, c.digest, sizeof out.bytes);
    return out;
}

uint64_t hash_xxh64(struct slice s)
{
    return XXH64(s.ptr, s.len, 0);
}

struct hash128 hash_xxh128(struct slice s)
{
    return canonical(XXH3_128bits(s.ptr, s.len));
}

uint64_t hash_fast(struct slice s)
{
    return XXH3_64bits(s.ptr, s.len);
}

struct hash_state *hash_new(void)
{
    /* XXH3's state wants an alignment of 64: malloc gives 16. */
    struct hash_state *h = NULL;
    size_t size = (sizeof *h + 63) & ~(size_t)63;
    char *raw = mem_zalloc(size + 64 + sizeof(void *));
    h = (struct hash_state *)(((uintptr_t)raw + sizeof(void *) + 63) & ~(uintptr_t)63);
    ((void **)h)[-1] = raw;
    hash_reset(h);
    return h;
}

void hash_free(struct hash_state *h)
{
    if (h != NULL) {
        mem_free(((void **)h)[-1]);
    }
}

void hash_reset(struct hash_state *h)
{
    assert(h != NULL);
    XXH3_128bits_reset(&h->xxh);
}

void hash_add(struct hash_state *h, const void *p, size_t n)
{
    if (n > 0) {
        XXH3_128bits_update(&h->xxh, p, n);
    }
}

struct hash128 hash_end(const struct hash_state *h)
{
    return canonical(XXH3_128bits_digest(&h->xxh));
}
