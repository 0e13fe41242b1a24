/* SPDX-License-Identifier: Apache-2.0
 *
 * See otlp_check.h. Half of all messages are attributes with a short text: those are recognised by
 * their five bytes of framing, without reading field by field.
 */
#include "ingest/otlp_check.h"

#include "core/codec/pbwire.h"

#include <assert.h>

enum { PACKED_FIXED = 0xf0, PACKED_VARINT = 0xf1 };

struct check {
    const struct otlp_shape *shape;
    struct slice body;
    uint32_t items, items_max, depth;
    const char *why, *at;
    enum err_code code;
};

void otlp_shape_init(struct otlp_shape *s)
{
    memset(s, 0, sizeof *s);
    for (size_t m = 1; m < OTLP_MSG_COUNT; m++) {
        const struct otlp_message *message = &otlp_messages[m];
        s->item[m] = message->item;
        for (uint32_t i = 0; i < message->fields_len; i++) {
            const struct otlp_field *f = &message->fields[i];
            assert(f->number <= OTLP_FIELD_MAX);
            uint8_t *inside = &s->inside[m][f->number];
            if (f->type == OTLP_TYPE_MESSAGE) {
                *inside = f->message;
            } else if (f->repeated) {
                *inside = f->type == OTLP_TYPE_UINT ? PACKED_VARINT : PACKED_FIXED;
            }
        }
    }
}

static COLD bool fault(struct check *c, enum err_code code, const char *why, const char *at)
{
    c->code = code;
    c->why = why;
    c->at = at;
    return false;
}

static bool check_packed(struct check *c, uint8_t inside, struct slice s)
{
    if (inside == PACKED_FIXED) {
        return s.len % 8 == 0 ||
               fault(c, ERR_CORRUPT, "packed numbers of a length that is no multiple of 8", s.ptr);
    }
    uint64_t v;
    while (pbwire_packed(&s, &v)) {
    }
    return s.len == 0 || fault(c, ERR_CORRUPT, "a packed number that does not end", s.ptr);
}

/* Recursion ends at OTLP_DEPTH_MAX. */
static bool check_message(struct check *c, uint8_t m, struct slice s)
{
    struct slice key, text;
    if (m == OTLP_MSG_KEY_VALUE && LIKELY(otlp_plain_attr(s, &key, &text))) {
        return true;
    }
    if (c->shape->item[m] && ++c->items > c->items_max) {
        return fault(c, ERR_LIMIT, "too many items in one request", s.ptr);
    }
    if (++c->depth > OTLP_DEPTH_MAX) {
        return fault(c, ERR_CORRUPT, "messages nested too deeply", s.ptr);
    }
    const uint8_t *inside = c->shape->inside[m];
    struct pbwire r = pbwire_of(s);
    struct pbwire_field f;
    while (pbwire_next(&r, &f)) {
        uint32_t number = f.tag >> 3;
        if ((f.tag & 7) != PBWIRE_LEN || number > OTLP_FIELD_MAX || inside[number] == 0) {
            continue;
        }
        bool ok = inside[number] >= PACKED_FIXED ? check_packed(c, inside[number], f.bytes)
                                                 : check_message(c, inside[number], f.bytes);
        if (UNLIKELY(!ok)) {
            return false;
        }
    }
    if (UNLIKELY(pbwire_bad(&r))) {
        struct err err;
        enum err_code code = (enum err_code) - pbwire_error(&r, &err);
        return fault(c, code, r.why, r.at);
    }
    c->depth--;
    return true;
}

int otlp_check(const struct otlp_shape *s, enum otlp_msg message, struct slice body,
               uint32_t items_max, uint32_t *ret_items, struct err *reterr)
{
    assert(s != NULL && ret_items != NULL);
    assert(message > OTLP_MSG_NONE && message < OTLP_MSG_COUNT);
    struct check c = {.shape = s, .body = body, .items_max = items_max};
    if (!check_message(&c, (uint8_t)message, body)) {
        return err_set(reterr, c.code, "%s, at byte %zu of the request", c.why,
                       (size_t)(c.at - body.ptr));
    }
    *ret_items = c.items;
    return 0;
}
