/* SPDX-License-Identifier: Apache-2.0
 *
 * Single values and key bytes from any bytes: the decoder takes a value or says no; what it took
 * can be compared, copied, printed and turned into key bytes, which read back as an equal value;
 * key bytes that are accepted are the only form of their value.
 */
#include "core/event/batch_dec.h"
#include "core/event/key.h"
#include "core/event/rec_json.h"

#include <stdlib.h>

enum { MIB = 1024 * 1024 };

static void hold(bool condition)
{
    if (!condition) {
        abort();
    }
}

static void as_value(struct arena *a, struct batch_dec *dec, struct slice bytes)
{
    struct err err;
    struct buf b;
    struct val previous = val_null();
    buf_init(&b, 16 * MIB);
    while (bytes.len > 0) {
        struct val v, copy, back;
        if (batch_dec_value(dec, a, &bytes, &v, &err) != 0) {
            break;
        }
        hold(val_copy(a, v, &copy) && val_same(v, copy) && val_cmp(v, copy) == 0);
        hold(val_cmp(v, previous) == -val_cmp(previous, v));
        buf_clear(&b);
        hold(val_print(&b, v) && rec_json_value(&b, v));
        buf_clear(&b);
        hold(key_add(&b, v));
        struct slice rest = buf_slice(&b);
        hold(key_read(&rest, a, &back) && rest.len == 0 && val_equal(v, back));
        previous = v;
    }
    buf_done(&b);
}

static void as_key(struct arena *a, struct slice bytes)
{
    struct slice rest = bytes;
    struct buf b;
    struct val v;
    buf_init(&b, 16 * MIB);
    bool ok = true;
    while (ok && rest.len > 0) {
        ok = key_read(&rest, a, &v) && key_add(&b, v);
    }
    hold(!ok || slice_eq(buf_slice(&b), bytes));
    buf_done(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(NULL, "fuzz", 64 * MIB);
    struct intern *keys = intern_new(1000, 64 * 1024);
    struct batch_dec *dec = batch_dec_new(BATCH_LIMITS, keys);
    as_value(a, dec, slice_of(data, size));
    as_key(a, slice_of(data, size));
    batch_dec_free(dec);
    intern_free(keys);
    arena_free(a);
    return 0;
}
