/* SPDX-License-Identifier: Apache-2.0
 *
 * See batch_plain.h.
 */
#include "core/event/batch_plain.h"

#include "core/codec/text.h"

#include <assert.h>

struct making {
    struct arena *a;
    struct intern *keys;
    struct val_pair *to;
    uint32_t n;
};

static struct val_pair pair(const struct making *m, struct slice key, struct val v)
{
    struct val_pair p = val_pair(key, v);
    p.key_id = intern_id(m->keys, key);
    return p;
}

/* Ids and references are text for rules and people; absent at the arena's limit. */
static struct val hex(const struct making *m, struct val v)
{
    struct buf b;
    if (v.tag != VAL_BYTES) {
        return v;
    }
    buf_init(&b, 2 * REC_PLAIN_FIXED + 1);
    (void)text_put_hex(&b, val_slice(v));
    struct slice s = arena_copy(m->a, buf_slice(&b));
    buf_done(&b);
    return s.ptr != NULL ? val_string(s) : val_null();
}

static struct val hexes(const struct making *m, struct val list)
{
    struct val *to = arena_array(m->a, (size_t)list.len + 1, sizeof *to);
    for (uint32_t i = 0; to != NULL && i < list.len; i++) {
        to[i] = hex(m, list.list[i]);
    }
    return to != NULL ? val_list(to, list.len) : val_null();
}

static void add_field(struct making *m, const char *name, struct val v)
{
    bool bytes = v.tag == VAL_BYTES && v.len == REC_PLAIN_FIXED;
    if (v.tag != VAL_NULL) {
        m->to[m->n++] = pair(m, slice_str(name), bytes ? hex(m, v) : v);
    }
}

/* Names that rules have for what contexts have. */
static const struct {
    const char *column;
    enum rec_name name;
} columns[] = {
    {"cluster", REC_NAME_CLUSTER}, {"namespace", REC_NAME_NAMESPACE},
    {"pod", REC_NAME_POD},         {"container", REC_NAME_CONTAINER},
    {"node", REC_NAME_NODE},       {"service", REC_NAME_SERVICE},
};

static const struct rec_context *context_of(struct making *m, struct val tenant, struct val key)
{
    struct rec_context *c = ARENA_NEW(m->a, struct rec_context);
    struct val_pair *pairs = arena_array(m->a, ARRAY_LEN(columns) + 1, sizeof *pairs);
    if (c == NULL || pairs == NULL) {
        return NULL;
    }
    uint32_t n = 0;
    pairs[n++] = pair(m, rec_name_text(REC_NAME_TENANT), tenant);
    for (size_t i = 0; i < ARRAY_LEN(columns) && key.tag == VAL_MAP; i++) {
        const struct val *v = val_map_get(key, slice_str(columns[i].column));
        if (v != NULL && v->tag == VAL_STRING) {
            pairs[n++] = pair(m, rec_name_text(columns[i].name), *v);
        }
    }
    *c = (struct rec_context){pairs, n, 0};
    return c;
}

static void of_alert(struct making *m, const struct val *f, struct rec *r)
{
    struct val causes = f[REC_ALERT_CAUSES], traces = f[REC_ALERT_TRACE_IDS];
    struct ref *refs = arena_array(m->a, (size_t)causes.len + 1, sizeof *refs);
    for (uint32_t i = 0; refs != NULL && i < causes.len; i++) {
        memcpy(refs[i].bytes, causes.list[i].str, sizeof refs[i].bytes);
    }
    r->causes = refs;
    r->causes_len = refs != NULL ? causes.len : 0;
    if (traces.len > 0) {
        memcpy(r->trace_id, traces.list[0].str, sizeof r->trace_id);
    }
    memcpy(r->id.bytes, f[REC_ALERT_ID].str, sizeof r->id.bytes);
    r->ts = r->ingest_ts = f[REC_ALERT_UPDATED_AT].i;
    r->type = SLICE("Alert");
    for (uint32_t i = 0; i < REC_ALERT_FIELDS; i++) {
        if (i != REC_ALERT_CAUSES && i != REC_ALERT_TENANT) {
            add_field(m, rec_plain_name(REC_PLAIN_ALERT, i),
                      i == REC_ALERT_TRACE_IDS ? hexes(m, f[i]) : f[i]);
        }
    }
    r->context = context_of(m, f[REC_ALERT_TENANT], f[REC_ALERT_KEY]);
}

static void of_dead(struct making *m, const struct val *f, struct rec *r)
{
    r->ts = r->ingest_ts = f[REC_DEAD_CLOCK].i;
    r->type = SLICE("DeadLetter");
    for (uint32_t i = 0; i < REC_DEAD_FIELDS; i++) {
        if (i != REC_DEAD_TENANT) {
            add_field(m, rec_plain_name(REC_PLAIN_DEAD, i), f[i]);
        }
    }
    r->context = context_of(m, f[REC_DEAD_TENANT], val_null());
}

int batch_plain_read(enum rec_plain_kind kind, struct batch_dec *dec, struct intern *keys,
                     struct arena *a, struct slice body, struct rec_batch *ret_batch,
                     struct err *reterr)
{
    struct val fields[REC_PLAIN_FIELDS_MAX];
    int rc = rec_plain_read(kind, dec, a, body, fields, reterr);
    if (rc != 0) {
        return rc;
    }
    struct making m = {.a = a, .keys = keys};
    struct rec *r = ARENA_NEW(a, struct rec);
    m.to = arena_array(a, REC_PLAIN_FIELDS_MAX, sizeof *m.to);
    if (r == NULL || m.to == NULL) {
        return err_set(reterr, ERR_LIMIT, "no room for a record");
    }
    *r = (struct rec){.kind = REC_DERIVED};
    (kind == REC_PLAIN_ALERT ? of_alert : of_dead)(&m, fields, r);
    if (r->context == NULL) {
        return err_set(reterr, ERR_LIMIT, "no room for a record");
    }
    r->type_id = intern_id(keys, r->type);
    r->payload = m.to;
    r->payload_len = m.n;
    *ret_batch = (struct rec_batch){.min_ts = r->ts,
                                    .max_ts = r->ts,
                                    .contexts = r->context,
                                    .events = r,
                                    .contexts_len = 1,
                                    .events_len = 1};
    return 0;
}
