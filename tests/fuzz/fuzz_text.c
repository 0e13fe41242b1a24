/* SPDX-License-Identifier: Apache-2.0
 *
 * Any text as base64 and hex: what is read, written again, is the text but for padding and case.
 */
#include "core/codec/text.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char out[512], exact[512];
    struct slice text = slice_of(data, size);
    struct buf b;
    buf_init(&b, 4096);
    int64_t n = text_get_base64(text, out, sizeof out);
    if (n >= 0) {
        if (text_get_base64(text, exact, (size_t)n) != n ||
            !text_put_base64(&b, slice_of(out, (size_t)n)) || !slice_starts(buf_slice(&b), text)) {
            abort();
        }
    }
    buf_clear(&b);
    n = text_get_hex(text, out, sizeof out);
    if (n >= 0 &&
        (!text_put_hex(&b, slice_of(out, (size_t)n)) || !slice_eq_nocase(buf_slice(&b), text))) {
        abort();
    }
    buf_done(&b);
    return 0;
}
