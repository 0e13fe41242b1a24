/* SPDX-License-Identifier: Apache-2.0
 *
 * See batch_other.h. To follow a new field of the schema: a line in fill_event or fill_batch, with
 * the default of event_batch.avsc.
 */
#include "core/event/batch_other.h"

#include "core/event/schema_read.h"

struct filling {
    struct batch_limits limits;
    struct intern *keys;
    struct arena *arena;
    struct err *reterr;
};

static const struct val *field(struct val record, const char *name)
{
    return val_map_get(record, slice_str(name));
}

static COLD int wrong_type(const struct filling *f, const char *name, const struct val *v)
{
    return err_set(f->reterr, ERR_TYPE, "field %s cannot be a %s", name, val_tag_name(v->tag));
}

/* Absent or null leaves the default, which is in *ret already. */
static int get_long(const struct filling *f, struct val record, const char *name, int64_t low,
                    int64_t high, int64_t *ret)
{
    const struct val *v = field(record, name);
    if (v == NULL) {
        return 0;
    }
    if (v->tag != VAL_INT) {
        return wrong_type(f, name, v);
    }
    if (v->i < low || v->i > high) {
        return err_set(f->reterr, ERR_CORRUPT, "field %s: %lld is outside of its range", name,
                       (long long)v->i);
    }
    *ret = v->i;
    return 0;
}

static int get_u32(const struct filling *f, struct val record, const char *name, uint32_t high,
                   uint32_t *ret)
{
    int64_t v = *ret;
    int rc = get_long(f, record, name, 0, high, &v);
    *ret = (uint32_t)v;
    return rc;
}

static int get_text(const struct filling *f, struct val record, const char *name, struct slice *ret)
{
    const struct val *v = field(record, name);
    if (v == NULL) {
        return 0;
    }
    if (v->tag != VAL_STRING && v->tag != VAL_BYTES) {
        return wrong_type(f, name, v);
    }
    *ret = val_slice(*v);
    return 0;
}

static int get_fixed(const struct filling *f, struct val record, const char *name, uint8_t *to,
                     size_t n)
{
    const struct val *v = field(record, name);
    if (v == NULL || v->tag == VAL_NULL) {
        return 0;
    }
    if (v->tag != VAL_BYTES || v->len != n) {
        return wrong_type(f, name, v);
    }
    memcpy(to, v->str, n);
    return 0;
}

static int get_list(const struct filling *f, struct val record, const char *name, uint32_t max,
                    struct val *ret)
{
    const struct val *v = field(record, name);
    *ret = val_list(NULL, 0);
    if (v == NULL) {
        return 0;
    }
    if (v->tag != VAL_LIST) {
        return wrong_type(f, name, v);
    }
    if (v->len > max) {
        return err_set(f->reterr, ERR_LIMIT, "field %s: %u items, at most %u", name, v->len, max);
    }
    *ret = *v;
    return 0;
}

/* A map as pairs with interned keys. Its own pairs stay as they are: nested maps have no numbers.
 */
static int get_pairs(const struct filling *f, struct val map, const struct val_pair **ret,
                     uint32_t *ret_len)
{
    if (map.tag != VAL_MAP) {
        return wrong_type(f, "of attributes", &map);
    }
    if (map.len > f->limits.items) {
        return err_set(f->reterr, ERR_LIMIT, "%u attributes, at most %u", map.len, f->limits.items);
    }
    struct val_pair *pairs = arena_array(f->arena, map.len, sizeof *pairs);
    if (pairs == NULL) {
        return err_set(f->reterr, ERR_LIMIT, "the batch needs more memory than its limit");
    }
    for (uint32_t i = 0; i < map.len; i++) {
        pairs[i] = map.map[i];
        pairs[i].key_id = intern_id(f->keys, val_key(&pairs[i]));
        if (pairs[i].key_id != 0) {
            pairs[i].key = intern_text(f->keys, pairs[i].key_id).ptr;
        }
    }
    *ret = pairs;
    *ret_len = map.len;
    return 0;
}

static int get_causes(const struct filling *f, struct val event, struct rec *r)
{
    struct val list;
    int rc = get_list(f, event, "causes", f->limits.causes, &list);
    if (rc != 0 || list.len == 0) {
        return rc;
    }
    struct ref *causes = arena_array(f->arena, list.len, sizeof *causes);
    if (causes == NULL) {
        return err_set(f->reterr, ERR_LIMIT, "the batch needs more memory than its limit");
    }
    for (uint32_t i = 0; i < list.len; i++) {
        if (list.list[i].tag != VAL_BYTES || list.list[i].len != sizeof *causes) {
            return wrong_type(f, "causes", &list.list[i]);
        }
        memcpy(causes[i].bytes, list.list[i].str, sizeof *causes);
    }
    r->causes = causes;
    r->causes_len = list.len;
    return 0;
}

static int fill_event(const struct filling *f, struct val event, const struct rec_batch *batch,
                      struct rec *r)
{
    static const struct val no_map = {.tag = VAL_MAP};
    uint32_t context = 0, kind = REC_NONE;
    if (event.tag != VAL_MAP) {
        return wrong_type(f, "events", &event);
    }
    int rc = get_u32(f, event, "context", INT32_MAX, &context);
    rc = rc != 0 ? rc : get_u32(f, event, "n", INT32_MAX, &r->n);
    rc = rc != 0 ? rc : get_fixed(f, event, "id", r->id.bytes, sizeof r->id.bytes);
    rc = rc != 0 ? rc : get_long(f, event, "ts", INT64_MIN, INT64_MAX, &r->ts);
    rc = rc != 0 ? rc : get_long(f, event, "ingest_ts", INT64_MIN, INT64_MAX, &r->ingest_ts);
    rc = rc != 0 ? rc : get_u32(f, event, "kind", UINT8_MAX, &kind);
    rc = rc != 0 ? rc : get_text(f, event, "type", &r->type);
    rc = rc != 0 ? rc : get_fixed(f, event, "trace_id", r->trace_id, sizeof r->trace_id);
    rc = rc != 0 ? rc : get_fixed(f, event, "span_id", r->span_id, sizeof r->span_id);
    rc = rc != 0 ? rc : get_u32(f, event, "flags", INT32_MAX, &r->flags);
    rc = rc != 0 ? rc : get_causes(f, event, r);
    const struct val *payload = field(event, "payload");
    rc = rc != 0 ? rc
                 : get_pairs(f, payload != NULL ? *payload : no_map, &r->payload, &r->payload_len);
    if (rc == 0 && context >= batch->contexts_len) {
        rc = err_set(f->reterr, ERR_CORRUPT, "an event has context %u of %u", context,
                     batch->contexts_len);
    }
    if (rc == 0) {
        r->context = &batch->contexts[context];
        r->kind = (uint8_t)kind;
        r->type_id = intern_id(f->keys, r->type);
        r->type = r->type_id != 0 ? intern_text(f->keys, r->type_id) : r->type;
    }
    return rc;
}

static int fill_contexts(const struct filling *f, struct val list, struct rec_batch *batch)
{
    struct rec_context *contexts = arena_array(f->arena, list.len, sizeof *contexts);
    if (contexts == NULL) {
        return err_set(f->reterr, ERR_LIMIT, "the batch needs more memory than its limit");
    }
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < list.len; i++) {
        contexts[i].index = i;
        rc = get_pairs(f, list.list[i], &contexts[i].pairs, &contexts[i].len);
    }
    batch->contexts = contexts;
    batch->contexts_len = list.len;
    return rc;
}

static int fill_events(const struct filling *f, struct val list, struct rec_batch *batch)
{
    struct rec *events = arena_array(f->arena, list.len, sizeof *events);
    if (events == NULL) {
        return err_set(f->reterr, ERR_LIMIT, "the batch needs more memory than its limit");
    }
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < list.len; i++) {
        rc = fill_event(f, list.list[i], batch, &events[i]);
    }
    batch->events = events;
    batch->events_len = list.len;
    return rc;
}

int batch_other_read(const struct schema *writer, struct batch_limits limits, struct intern *keys,
                     struct arena *a, struct slice body, struct rec_batch *ret_batch,
                     struct err *reterr)
{
    assert(writer != NULL && keys != NULL);
    assert(ret_batch != NULL);
    struct filling f = {limits, keys, a, reterr};
    struct rec_batch batch = {.source = SLICE("")};
    struct val root, list;
    int rc = schema_read(writer, limits, a, body, &root, reterr);
    if (rc == 0 && root.tag != VAL_MAP) {
        rc = wrong_type(&f, "EventBatch", &root);
    }
    rc = rc != 0 ? rc : get_text(&f, root, "source", &batch.source);
    rc = rc != 0 ? rc : get_long(&f, root, "seq", INT64_MIN, INT64_MAX, &batch.seq);
    rc = rc != 0 ? rc : get_long(&f, root, "min_ts", INT64_MIN, INT64_MAX, &batch.min_ts);
    rc = rc != 0 ? rc : get_long(&f, root, "max_ts", INT64_MIN, INT64_MAX, &batch.max_ts);
    rc = rc != 0 ? rc : get_list(&f, root, "contexts", limits.contexts, &list);
    rc = rc != 0 ? rc : fill_contexts(&f, list, &batch);
    rc = rc != 0 ? rc : get_list(&f, root, "events", limits.events, &list);
    rc = rc != 0 ? rc : fill_events(&f, list, &batch);
    if (rc == 0) {
        *ret_batch = batch;
    }
    return rc;
}
