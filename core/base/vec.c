/* SPDX-License-Identifier: Apache-2.0
 *
 * See vec.h.
 */
#include "core/base/vec.h"

#include "core/base/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void *vec_grow(void *ptr, size_t len, size_t *cap, size_t size)
{
    assert(len <= *cap);
    assert(size > 0);
    if (len == *cap) {
        size_t bytes;
        *cap = *cap > 0 ? *cap * 2 : 8;
        if (__builtin_mul_overflow(*cap, size, &bytes)) {
            abort();
        }
        ptr = mem_realloc(ptr, bytes);
    }
    memset((char *)ptr + len * size, 0, size);
    return ptr;
}

void vec_close_gap(void *ptr, size_t len, size_t i, size_t size)
{
    assert(i < len);
    char *at = (char *)ptr + i * size;
    memmove(at, at + size, (len - i - 1) * size);
}

void vec_release(void *ptr)
{
    mem_free(ptr);
}
