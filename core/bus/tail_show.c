/* SPDX-License-Identifier: Apache-2.0
 *
 * See tail_show.h. A record whose value is not an event batch of any known schema is shown as it
 * is: position, key, headers and value, as text where it is UTF-8 and base64 otherwise.
 */
#include "core/bus/tail_show.h"

#include "core/base/arena.h"
#include "core/base/mem.h"
#include "core/codec/text.h"
#include "core/event/batch_in.h"
#include "core/event/rec_json.h"
#include "core/event/schema_reg.h"

#include <assert.h>
#include <inttypes.h>

enum {
    KEYS_MAX = 100000,
    KEYS_BYTES = 16 << 20,
    BATCH_BYTES = 256 << 20,
    LINE_BYTES = 16 << 20,
    SUMMARY_BYTES = 400,
};

struct tail_show {
    struct tail_show_conf conf;
    struct intern *keys;
    struct schema_reg *schemas;
    struct batch_in *in;
    struct arena *arena;
    struct buf line, scratch;
    bool header_shown;
};

struct tail_show *tail_show_new(const struct tail_show_conf *conf)
{
    assert(conf != NULL && conf->filter_count <= TAIL_FILTERS_MAX);
    struct tail_show *s = MEM_NEW(struct tail_show);
    s->conf = *conf;
    s->keys = intern_new(KEYS_MAX, KEYS_BYTES);
    s->schemas = schema_reg_new();
    s->in = batch_in_new(BATCH_LIMITS, s->keys, s->schemas);
    s->arena = arena_new(NULL, "tail", BATCH_BYTES);
    buf_init(&s->line, LINE_BYTES);
    buf_init(&s->scratch, LINE_BYTES);
    return s;
}

void tail_show_free(struct tail_show *s)
{
    if (s == NULL) {
        return;
    }
    buf_done(&s->line);
    buf_done(&s->scratch);
    arena_free(s->arena);
    batch_in_free(s->in);
    schema_reg_free(s->schemas);
    intern_free(s->keys);
    mem_free(s);
}

/* A value as filters compare it: text as it is, anything else as its JSON. */
static struct slice as_text(struct tail_show *s, const struct val *v)
{
    if (v == NULL) {
        return SLICE_NONE;
    }
    if (v->tag == VAL_STRING) {
        struct slice text = val_slice(*v);
        return text.ptr != NULL ? text : SLICE("");
    }
    buf_clear(&s->scratch);
    rec_json_value(&s->scratch, *v);
    return s->scratch.len > 0 ? buf_slice(&s->scratch) : SLICE("");
}

/* A key is looked for in the payload, then in the context; "type" is the event's type. */
static struct slice field(struct tail_show *s, const struct rec *r, struct slice key)
{
    const struct val *v = rec_find_text(r->payload, r->payload_len, key);
    if (v == NULL) {
        v = rec_find_text(r->context->pairs, r->context->len, key);
    }
    return v == NULL && slice_eq(key, SLICE("type")) ? r->type : as_text(s, v);
}

static bool passes(struct tail_show *s, const struct rec *r)
{
    if (s->conf.type.len > 0 && !slice_eq(r->type, s->conf.type)) {
        return false;
    }
    for (size_t i = 0; i < s->conf.filter_count; i++) {
        const struct tail_filter *f = &s->conf.filters[i];
        if (!tail_filter_passes(f, field(s, r, f->key))) {
            return false;
        }
    }
    return true;
}

static struct slice first_of(struct tail_show *s, const struct rec *r, const struct slice *names,
                             size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct slice text = field(s, r, names[i]);
        if (text.len > 0) {
            return text;
        }
    }
    return SLICE("-");
}

/* Control bytes would let a log line write on the terminal: they become '?'. */
static void add_cell(struct buf *b, struct slice text, size_t width)
{
    size_t from = b->len;
    for (size_t i = 0; i < text.len && b->len - from < width; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        buf_add_byte(b, c < 0x20 || c == 0x7f ? '?' : c);
    }
    while (width < SUMMARY_BYTES && b->len - from < width) {
        buf_add_byte(b, ' ');
    }
    buf_add_byte(b, ' ');
}

static void table_line(struct tail_show *s, const struct rec *r)
{
    static const struct slice who[] = {SLICE("k8s.pod.name"), SLICE("service.name"),
                                       SLICE("k8s.node.name"), SLICE("host.name")};
    char time[CLOCK_TEXT_BYTES];
    if (!s->header_shown) {
        add_cell(&s->line, SLICE("TIME"), 24);
        add_cell(&s->line, SLICE("TYPE"), 16);
        add_cell(&s->line, SLICE("SUBJECT"), 32);
        buf_add_str(&s->line, "PAYLOAD\n");
        s->header_shown = true;
    }
    add_cell(&s->line, slice_str(clock_text(r->ts, time)), 24);
    add_cell(&s->line, r->type, 16);
    add_cell(&s->line, first_of(s, r, who, ARRAY_LEN(who)), 32);
    size_t from = s->line.len;
    for (uint32_t i = 0; i < r->payload_len && s->line.len - from < SUMMARY_BYTES; i++) {
        add_cell(&s->line, val_key(&r->payload[i]), SUMMARY_BYTES);
        s->line.ptr[s->line.len - 1] = '=';
        add_cell(&s->line, as_text(s, &r->payload[i].value), SUMMARY_BYTES);
    }
    buf_add_byte(&s->line, '\n');
}

static void json_line(struct tail_show *s, const struct rec *r, uint32_t part, int64_t offset,
                      uint32_t index)
{
    if (s->conf.topic_id > 0) {
        struct ref self = ref_of_raw((struct ref_raw){.topic = s->conf.topic_id,
                                                      .partition = (uint16_t)part,
                                                      .index = index,
                                                      .offset = (uint64_t)offset});
        rec_json_event(&s->line, r, &self);
    } else {
        rec_json_event(&s->line, r, NULL);
    }
    buf_add_byte(&s->line, '\n');
}

static void add_bytes(struct tail_show *s, const char *name, struct slice bytes)
{
    buf_addf(&s->line, ",\"%s\":", name);
    if (bytes.ptr == NULL) {
        buf_add_str(&s->line, "null");
    } else if (slice_is_utf8(bytes)) {
        rec_json_string(&s->line, bytes);
    } else {
        rec_json_value(&s->line, val_bytes(bytes));
    }
}

/* A record that holds no events, or not ours. */
static void raw_line(struct tail_show *s, uint32_t part, const struct bus_record *r)
{
    buf_addf(&s->line, "{\"partition\":%u,\"offset\":%" PRId64 ",\"time\":", part, r->offset);
    rec_json_time(&s->line, r->time_ms * CLOCK_NS_PER_MS);
    add_bytes(s, "key", r->key);
    buf_add_str(&s->line, ",\"headers\":{");
    for (uint32_t i = 0; i < r->header_count; i++) {
        buf_add_str(&s->line, i > 0 ? "," : "");
        rec_json_string(&s->line, r->headers[i].name);
        buf_add_byte(&s->line, ':');
        rec_json_value(&s->line, slice_is_utf8(r->headers[i].value)
                                     ? val_string(r->headers[i].value)
                                     : val_bytes(r->headers[i].value));
    }
    buf_add_byte(&s->line, '}');
    add_bytes(s, "value", r->value);
    buf_add_str(&s->line, "}\n");
}

uint64_t tail_show_record(struct tail_show *s, uint32_t part, const struct bus_record *r,
                          uint64_t max, FILE *to)
{
    struct rec_batch batch;
    uint64_t lines = 0;
    buf_clear(&s->line);
    arena_reset(s->arena);
    if (batch_in_read(s->in, s->arena, r->value, &batch, NULL) != 0) {
        if (s->conf.type.len > 0 || s->conf.filter_count > 0) {
            return 0;
        }
        raw_line(s, part, r);
        lines = 1;
        batch.events_len = 0;
    }
    for (uint32_t i = 0; i < batch.events_len && lines < max; i++) {
        if (!passes(s, &batch.events[i])) {
            continue;
        }
        if (s->conf.format == TAIL_JSON) {
            json_line(s, &batch.events[i], part, r->offset, i);
        } else {
            table_line(s, &batch.events[i]);
        }
        lines++;
        if (s->line.len > LINE_BYTES / 2) {
            fwrite(s->line.ptr, 1, s->line.len, to);
            buf_clear(&s->line);
        }
    }
    if (s->line.len > 0) {
        fwrite(s->line.ptr, 1, s->line.len, to);
    }
    return lines;
}
