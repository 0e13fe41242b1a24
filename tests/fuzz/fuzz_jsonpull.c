/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as JSON: tokens are balanced, the reader ends, strict text is a subset of lenient text,
 * and jansson accepts nothing that is refused here for its
 * syntax (but for NUL bytes, which it takes for the end).
 */
#include "core/codec/jsonpull.h"
#include "core/codec/utf8.h"

#include <jansson.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool read_all(struct slice s, struct arena *a, enum jsonpull_mode mode, enum err_code *code)
{
    struct jsonpull r;
    struct jsonpull_token t;
    long depth = 0;
    size_t n = 0;
    arena_reset(a);
    jsonpull_init(&r, s, a, mode, 100);
    while (jsonpull_next(&r, &t) > JSONPULL_END) {
        depth += (t.kind == JSONPULL_OBJECT || t.kind == JSONPULL_ARRAY) -
                 (t.kind == JSONPULL_OBJECT_END || t.kind == JSONPULL_ARRAY_END);
        bool text = t.kind == JSONPULL_STRING || t.kind == JSONPULL_KEY;
        if (depth < 0 || depth > 100 || ++n > s.len ||
            (mode == JSONPULL_STRICT && text && !utf8_valid(t.text))) {
            abort();
        }
    }
    struct err err;
    if (t.kind == JSONPULL_ERROR && jsonpull_error(&r, &err) >= 0) {
        abort();
    }
    if (t.kind == JSONPULL_END && depth != 0) {
        abort();
    }
    *code = t.kind == JSONPULL_ERROR ? r.code : ERR_OK;
    return t.kind == JSONPULL_END;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(NULL, "fuzz", 1 << 20);
    struct slice s = slice_of(data, size);
    enum err_code code, other;
    bool strict = read_all(s, a, JSONPULL_STRICT, &code);
    bool lenient = read_all(s, a, JSONPULL_LENIENT, &other);
    if (strict && !lenient) {
        abort();
    }
    json_error_t error;
    json_t *tree = json_loadb((const char *)data, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    bool ours = strict || code == ERR_LIMIT || code == ERR_RANGE;
    if (tree != NULL && !ours && memchr(data, 0, size) == NULL) {
        abort();
    }
    json_decref(tree);
    arena_free(a);
    return 0;
}
