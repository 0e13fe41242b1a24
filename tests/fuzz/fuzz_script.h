/* SPDX-License-Identifier: Apache-2.0
 *
 * What targets have in common that read their input as a script: numbers are drawn from it until it
 * ends, and are 0 from there on.
 */
#ifndef TESTS_FUZZ_FUZZ_SCRIPT_H
#define TESTS_FUZZ_FUZZ_SCRIPT_H

#include <stddef.h>
#include <stdint.h>

struct script {
    const uint8_t *p;
    size_t left;
};

static inline uint64_t draw(struct script *s, unsigned bytes)
{
    uint64_t v = 0;
    for (; bytes > 0 && s->left > 0; bytes--, s->left--) {
        v = v << 8 | *s->p++;
    }
    return v;
}

#endif
