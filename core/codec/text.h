/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes as text and back: base64 (RFC 4648, padded when written; read with or without padding) and
 * hexadecimal (written in lower case, read in any). Readers refuse everything else, so that one
 * byte string has one text.
 */
#ifndef CORE_CODEC_TEXT_H
#define CORE_CODEC_TEXT_H

#include "core/base/buf.h"
#include "core/base/slice.h"

/* Append to b; false at its limit. */
bool text_put_base64(struct buf *b, struct slice bytes);
bool text_put_hex(struct buf *b, struct slice bytes);
/* Into out[cap]; the number of bytes, or -1 if the text is malformed or does not fit. */
int64_t text_get_base64(struct slice text, void *out, size_t cap);
int64_t text_get_hex(struct slice text, void *out, size_t cap);

#endif
