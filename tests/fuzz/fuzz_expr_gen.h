/* SPDX-License-Identifier: Apache-2.0
 *
 * Expressions out of bytes: each byte chooses what stands next, so any bytes give a text that
 * nearly always parses and mostly binds. When the bytes are used up, what is open is closed by the
 * simplest that fits. The names are those of fuzz_expr.c's event type.
 */
#ifndef TESTS_FUZZ_FUZZ_EXPR_GEN_H
#define TESTS_FUZZ_FUZZ_EXPR_GEN_H

#include "core/base/buf.h"
#include "core/base/slice.h"

struct fuzz_bytes {
    const uint8_t *p;
    size_t left;
};

/* One of n; 0 when there are no more bytes. */
static inline unsigned fuzz_pick(struct fuzz_bytes *b, unsigned n)
{
    if (b->left == 0) {
        return 0;
    }
    b->left--;
    return *b->p++ % n;
}

void fuzz_expr_text(struct fuzz_bytes *b, struct buf *out);

#endif
