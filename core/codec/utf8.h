/* SPDX-License-Identifier: Apache-2.0
 *
 * UTF-8 at the speed of ASCII: telemetry text nearly always is ASCII, so eight bytes are looked at
 * together until one of them is not. Text that comes from outside is checked once, where it is
 * written to the log; repaired text has U+FFFD for each maximal run of bytes that cannot start or
 * continue a character, as the Unicode standard recommends.
 */
#ifndef CORE_CODEC_UTF8_H
#define CORE_CODEC_UTF8_H

#include "core/base/buf.h"
#include "core/base/slice.h"

bool utf8_valid_slow(struct slice s);

static inline bool utf8_valid(struct slice s)
{
    size_t i = 0;
    uint64_t word = 0;
    for (; s.len - i >= 8; i += 8) {
        memcpy(&word, s.ptr + i, 8);
        if (UNLIKELY((word & 0x8080808080808080u) != 0)) {
            return utf8_valid_slow(s);
        }
    }
    unsigned char rest = 0;
    for (; i < s.len; i++) {
        rest |= (unsigned char)s.ptr[i];
    }
    return LIKELY(rest < 0x80) || utf8_valid_slow(s);
}

/* Bytes of the character at the start of s, 0 if there is none. *ret_bad is then how many bytes
 * one replacement character stands for (at least 1). */
size_t utf8_char(struct slice s, size_t *ret_bad);
/* Length of s after repair; equal to s.len when nothing is wrong or by accident. */
size_t utf8_repaired_len(struct slice s);
/* Writes the repaired text at `to`, which has room for utf8_repaired_len(s). */
char *utf8_repair(char *to, struct slice s);

#endif
