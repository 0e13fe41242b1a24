/* SPDX-License-Identifier: Apache-2.0
 *
 * Schema texts and bytes from any bytes: the text up to the first NUL byte is a schema or none; if
 * it is one, its canonical form is a schema with the same fingerprint, it can read itself, and the
 * rest of the input is read by it, within the limits.
 */
#include "core/event/schema.h"
#include "core/event/schema_read.h"

#include <sanitizer/lsan_interface.h>
#include <stdio.h>
#include <stdlib.h>

enum { MIB = 1024 * 1024 };

static void hold_at(bool condition, int line)
{
    if (!condition) {
        fprintf(stderr, "fuzz_schema.c:%d does not hold\n", line);
        abort();
    }
}
#define hold(condition) hold_at((condition), __LINE__)

/* avro-c 1.11 leaks what it has built of a schema that it then refuses. So a text is tried where
 * leaks do not count, and only one that is a schema is parsed again where they do. */
static bool is_schema(struct slice text)
{
    struct schema *s;
    struct err err;
    __lsan_disable();
    bool is = schema_parse(text, &s, &err) == 0;
    if (is) {
        schema_free(s);
    }
    __lsan_enable();
    return is;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice all = slice_of(data, size);
    size_t end = slice_find(all, '\0');
    struct schema *s, *again;
    struct err err;
    if (!is_schema(slice_sub(all, 0, end))) {
        return 0;
    }
    hold(schema_parse(slice_sub(all, 0, end), &s, &err) == 0);
    hold(schema_parse(schema_canonical(s), &again, &err) == 0);
    hold(schema_fingerprint(s) == schema_fingerprint(again));
    hold(schema_can_read(s, s, &err) == 0);
    struct arena *a = arena_new(NULL, "fuzz", 16 * MIB);
    struct batch_limits limits = BATCH_LIMITS;
    limits.events = 10000;
    struct val v;
    int rc = schema_read(s, limits, a, slice_sub(all, end + 1, size), &v, &err);
    hold(rc == 0 || rc == -ERR_CORRUPT || rc == -ERR_LIMIT);
    arena_free(a);
    schema_free(s);
    schema_free(again);
    return 0;
}
