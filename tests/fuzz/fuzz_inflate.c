/* SPDX-License-Identifier: Apache-2.0
 *
 * The first byte chooses the coding, the rest is its input: no output beyond the limits, the
 * buffer as before after an error, and the context good for the next input.
 */
#include "core/codec/inflate.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    PROCESS_WIDE
    static struct inflate *z; /* one for all inputs: state must not leak from one to the next */
    if (z == NULL) {
        z = inflate_new();
    }
    if (size == 0) {
        return 0;
    }
    const struct inflate_limits limits = {2 << 20, 200};
    struct slice in = slice_of(data + 1, size - 1);
    struct buf out;
    struct err err = {0};
    buf_init(&out, 4 << 20);
    buf_add_str(&out, "kept");
    int rc =
        inflate_all(z, (enum inflate_coding)(data[0] % INFLATE_CODINGS), in, &limits, &out, &err);
    if ((rc != 0 && (out.len != 4 || err.msg[0] == '\0')) || out.len > limits.max_bytes + 4 ||
        memcmp(out.ptr, "kept", 4) != 0) {
        abort();
    }
    buf_done(&out);
    return 0;
}
