/* SPDX-License-Identifier: Apache-2.0
 *
 * Decoded records as events of built-in types, declared in an engine.
 */
#include "core/event/prop.h"
#include "operators/graph/eng.h"
#include "operators/sig/dat_intake.h"
#include "tests/test.h"

struct world {
    struct eng *eng;
    struct intern *keys;
    struct dat_intake *in;
    struct rec_context context;
    struct rec rec;
};

static struct val_pair pair(struct intern *keys, const char *key, struct val v)
{
    struct val_pair p = val_pair(slice_str(key), v);
    p.key_id = intern_id(keys, slice_str(key));
    return p;
}

static struct val text(const char *s)
{
    return val_string(slice_str(s));
}

static struct world world_new(enum builtin_world w)
{
    struct world x = {.eng = eng_new(&(struct eng_conf){.on_rows = NULL})};
    struct buf b;
    struct err err;
    buf_init(&b, 1 << 20);
    builtin_epl(w, &b);
    CHECK_OK(eng_deploy(x.eng, SLICE(BUILTIN_DEPLOYMENT), buf_slice(&b), &err), err);
    buf_done(&b);
    x.keys = intern_new(1000, 1 << 20);
    x.in = dat_intake_new(eng_heap(x.eng), x.keys);
    for (size_t i = 0; i < builtin_n_types; i++) {
        if (builtin_types[i].world == w) {
            const struct etype *t = eng_type(x.eng, slice_str(builtin_types[i].name));
            CHECK(t != NULL);
            CHECK(dat_intake_builtin(x.in, t, w));
        }
    }
    return x;
}

static void world_done(struct world *w)
{
    dat_intake_free(w->in);
    vheap_drain(eng_heap(w->eng));
    CHECK_EQ(0, vheap_live(eng_heap(w->eng)));
    intern_free(w->keys);
    eng_free(w->eng);
}

static struct dat col(const struct evt *e, const char *name)
{
    int at = ety_col(e->type, slice_str(name));
    CHECK(at >= 0);
    return e->p[at];
}

static void is_text(const char *want, struct dat v)
{
    CHECK_EQ(DAT_STRING, v.kind);
    CHECK_SLICE(want, vstr_slice(v.s));
}

static struct dat entry(struct dat map, const char *key)
{
    CHECK_EQ(DAT_MAP, map.kind);
    return vmap_get(map.m, slice_str(key), NULL);
}

static struct val_pair contexts[4];

static void fill_context(struct world *w)
{
    contexts[0] = pair(w->keys, "k8s.namespace.name", text("shop"));
    contexts[1] = pair(w->keys, "k8s.pod.name", text("cart-1"));
    contexts[2] = pair(w->keys, "kaiju.tenant", text("default"));
    contexts[3] = pair(w->keys, "service.name", text("cart"));
    w->context = (struct rec_context){.pairs = contexts, .len = 4};
    w->rec.context = &w->context;
    w->rec.ts = 1700000000123456789;
    w->rec.ingest_ts = 1700000001000000000;
}

static struct evt *take(struct world *w, const char *type, const struct val_pair *pairs, uint32_t n)
{
    w->rec.type = slice_str(type);
    w->rec.type_id = intern_id(w->keys, w->rec.type);
    w->rec.payload = pairs;
    w->rec.payload_len = n;
    struct evt *e = dat_intake_event(w->in, &w->rec);
    CHECK(e != NULL);
    return e;
}

TEST(an_event_that_nobody_keeps_is_filled_again)
{
    struct world w = world_new(BUILTIN_KAIJU);
    struct vheap *h = eng_heap(w.eng);
    fill_context(&w);
    struct val_pair full[] = {pair(w.keys, "name", text("cpu")),
                              pair(w.keys, "value", val_double(1))};
    dat_intake_begin(w.in);
    struct evt *kept = evt_keep(take(&w, "Metric", full, 2));
    struct evt *here = take(&w, "Metric", full, 1); /* nor one of the step that lasts */
    CHECK(here != kept);
    is_text("cart", col(here, "service"));
    vheap_drain(h);
    here->ref = (struct eref){1, 2};
    here->causes = causes_new(h, 1);
    obj_keep(&here->causes->o);
    struct evt *again = take(&w, "Metric", full + 1, 1);
    CHECK(again == here);
    CHECK(dat_is_null(col(again, "name")) && col(again, "value").d == 1);
    CHECK(again->ref.lo == 0 && again->causes == NULL);
    w.rec.context = NULL;
    vheap_drain(h);
    CHECK(dat_is_null(col(take(&w, "Metric", full, 2), "service")));
    is_text("cpu", col(kept, "name"));
    is_text("cart", col(kept, "service"));
    CHECK(col(kept, "value").d == 1);
    evt_drop(h, kept);
    world_done(&w);
}

TEST(every_row_of_builtin_types_is_a_column)
{
    for (int i = 0; i < 2; i++) {
        struct world w = world_new((enum builtin_world)i);
        for (size_t k = 0; k < builtin_n_types; k++) {
            const struct builtin_type *t = &builtin_types[k];
            if (t->world != (enum builtin_world)i) {
                continue;
            }
            const struct etype *e = eng_type(w.eng, slice_str(t->name));
            for (const struct builtin_col *c = NULL; (c = builtin_next(t, c)) != NULL;) {
                CHECK(ety_col(e, slice_str(c->name)) >= 0);
            }
            for (uint32_t m = 0; m < e->n_cols; m++) {
                CHECK(builtin_column(t, e->cols[m].name) != NULL);
            }
        }
        world_done(&w);
    }
}

/* What ingest writes and what rules see: each own key is some column's, or named here. */
TEST(payload_keys_that_rules_read_are_written_by_ingest)
{
    for (size_t i = 0; i < builtin_n_types; i++) {
        const struct builtin_type *t = &builtin_types[i];
        for (const struct builtin_col *c = NULL; (c = builtin_next(t, c)) != NULL;) {
            bool from_payload = c->fill >= BUILTIN_PAYLOAD && c->fill <= BUILTIN_PAYLOAD_TEXT;
            bool alert = strcmp(t->name, "Alert") == 0; /* out of a topic of its own */
            if (from_payload && !alert && !prop_reserved(slice_str(c->key))) {
                test_fail(__FILE__, __LINE__, "%s.%s: ingest writes no '%s'", t->name, c->name,
                          c->key);
            }
        }
    }
}

TEST(a_log_record)
{
    struct world w = world_new(BUILTIN_KAIJU);
    fill_context(&w);
    struct val_pair inner = val_pair(SLICE("a"), val_int(1));
    struct val_pair p[] = {
        pair(w.keys, "attributes.body", text("mine")), pair(w.keys, "body", val_map(&inner, 1)),
        pair(w.keys, "http.status", val_int(500)),     pair(w.keys, "severity_number", val_int(17)),
        pair(w.keys, "severity_text", text("ERROR")),
    };
    memset(w.rec.trace_id, 0xab, 16);
    struct evt *e = take(&w, "LogRecord", p, ARRAY_LEN(p));
    CHECK_EQ(1700000000123, col(e, "timestamp").i);
    CHECK_EQ(1700000000123456789, col(e, "timestamp_ns").i);
    CHECK_EQ(1700000001000, col(e, "ingest_timestamp").i);
    is_text("default", col(e, "tenant"));
    is_text("cart-1", col(e, "pod"));
    CHECK(dat_is_null(col(e, "cluster")));
    is_text("abababababababababababababababab", col(e, "trace_id"));
    CHECK(dat_is_null(col(e, "span_id")));
    is_text("{\"a\":1}", col(e, "body"));
    CHECK_EQ(17, col(e, "severity_number").i);
    CHECK_EQ(DAT_INT, col(e, "severity_number").kind);
    is_text("cart", entry(col(e, "context"), "service.name"));
    CHECK_EQ(2, col(e, "attributes").m->len);
    is_text("mine", entry(col(e, "attributes"), "body"));
    CHECK_EQ(500, entry(col(e, "attributes"), "http.status").i);
    world_done(&w);
}

TEST(a_span_and_a_metric)
{
    struct world w = world_new(BUILTIN_KAIJU);
    fill_context(&w);
    struct val_pair event[] = {val_pair(SLICE("name"), text("exception")),
                               val_pair(SLICE("timestamp_ns"), val_int(7))};
    struct val one = val_map(event, 2);
    struct val_pair p[] = {pair(w.keys, "duration_ns", val_int(1500000)),
                           pair(w.keys, "events", val_list(&one, 1)),
                           pair(w.keys, "name", text("GET"))};
    struct evt *e = take(&w, "Span", p, ARRAY_LEN(p));
    is_text("GET", col(e, "name"));
    CHECK(col(e, "duration_ms").d == 1.5);
    CHECK_EQ(1, col(e, "events").l->len);
    is_text("exception", col(col(e, "events").l->v[0].ev, "name"));
    CHECK_EQ(0, col(e, "attributes").m->len);
    struct val counts[] = {val_int(1), val_int(2)};
    struct val_pair q[] = {pair(w.keys, "bucket_counts", val_list(counts, 2)),
                           pair(w.keys, "monotonic", val_bool(true)),
                           pair(w.keys, "start_timestamp_ns", val_int(5000000)),
                           pair(w.keys, "value", val_int(3))};
    e = take(&w, "Metric", q, ARRAY_LEN(q));
    CHECK(col(e, "value").d == 3.0);
    CHECK(dat_true(col(e, "monotonic")));
    CHECK_EQ(5, col(e, "start_timestamp").i);
    CHECK_EQ(2, col(e, "bucket_counts").l->v[1].i);
    CHECK(dat_is_null(col(e, "sum")));
    world_done(&w);
}

TEST(what_a_context_gives_is_made_once_for_a_batch)
{
    struct world w = world_new(BUILTIN_KAIJU);
    fill_context(&w);
    dat_intake_begin(w.in);
    struct evt *a = take(&w, "KubeEvent", NULL, 0), *b = take(&w, "KubeEvent", NULL, 0);
    CHECK(col(a, "pod").s == col(b, "pod").s);
    CHECK(col(a, "context").m == col(b, "context").m);
    contexts[1].value = text("cart-2"); /* another batch, at the same address */
    dat_intake_begin(w.in);
    is_text("cart-2", col(take(&w, "KubeEvent", NULL, 0), "pod"));
    is_text("cart-1", col(a, "pod"));
    world_done(&w);
}

TEST(columns_that_nobody_reads_stay_null)
{
    struct world w = world_new(BUILTIN_KAIJU);
    fill_context(&w);
    const struct etype *t = eng_type(w.eng, SLICE("KubeEvent"));
    dat_intake_skip(w.in, t, (uint32_t)ety_col(t, SLICE("context")));
    struct evt *e = take(&w, "KubeEvent", NULL, 0);
    CHECK(dat_is_null(col(e, "context")));
    is_text("cart-1", col(e, "pod"));
    world_done(&w);
}

TEST(original_metrics_and_logs)
{
    struct world w = world_new(BUILTIN_ORIGINAL);
    fill_context(&w);
    struct val_pair p[] = {pair(w.keys, "cpu", text("total")),
                           pair(w.keys, "monotonic", val_bool(true)),
                           pair(w.keys, "name", text("container_cpu_usage_seconds_total")),
                           pair(w.keys, "value", val_double(2.5))};
    struct evt *e = take(&w, "Metric", p, ARRAY_LEN(p));
    CHECK_EQ(1700000000123, col(e, "timestamp").i);
    CHECK(entry(col(e, "fields"), "counter").d == 2.5);
    is_text("total", entry(col(e, "tags"), "cpu"));
    is_text("cart-1", entry(col(e, "tags"), "pod_name"));
    is_text("shop", entry(col(e, "tags"), "namespace"));
    struct val_pair q[] = {pair(w.keys, "message", text("Successfully pulled image")),
                           pair(w.keys, "object_name", text("cart-1")),
                           pair(w.keys, "reason", text("Pulled"))};
    e = take(&w, "KubeEvent", q, ARRAY_LEN(q));
    CHECK_SLICE("FLog", e->type->name);
    is_text("eventrouter", entry(col(e, "fields"), "kubernetes.labels.app"));
    is_text("Pulled", entry(col(e, "fields"), "event.reason"));
    is_text("shop", entry(col(e, "fields"), "event.involvedObject.namespace"));
    struct val_pair l[] = {pair(w.keys, "body", text("hello")), pair(w.keys, "x", val_int(1))};
    e = take(&w, "LogRecord", l, ARRAY_LEN(l));
    is_text("hello", entry(col(e, "fields"), "log"));
    is_text("cart-1", entry(col(e, "fields"), "kubernetes.pod_name"));
    CHECK_EQ(1, entry(col(e, "fields"), "x").i);
    world_done(&w);
}

TEST(original_batches_stand_before_their_spans)
{
    struct world w = world_new(BUILTIN_ORIGINAL);
    fill_context(&w);
    struct rec_context other = {NULL, 0, 1};
    struct val_pair p[] = {pair(w.keys, "duration_ns", val_int(7000)),
                           pair(w.keys, "error.kind", text("x")), pair(w.keys, "name", text("GET")),
                           pair(w.keys, "parent_span_id", text("00000000000000ff"))};
    w.rec.type = SLICE("Span");
    w.rec.type_id = intern_id(w.keys, w.rec.type);
    w.rec.payload = p;
    w.rec.payload_len = ARRAY_LEN(p);
    memset(w.rec.trace_id, 0, 16);
    w.rec.trace_id[7] = 1;
    w.rec.trace_id[15] = 2;
    w.rec.span_id[7] = 10;
    struct rec recs[] = {w.rec, w.rec, w.rec};
    recs[1].context = &other;
    struct rec_batch b = {.events = recs, .events_len = 3};
    dat_intake_begin(w.in);
    struct evt *batch = dat_intake_before(w.in, &b, 0);
    CHECK(batch != NULL);
    CHECK_EQ(2, col(batch, "spans").l->len);
    is_text("cart", col(col(batch, "process").ev, "serviceName"));
    CHECK_EQ(1, col(dat_intake_before(w.in, &b, 1), "spans").l->len);
    CHECK(dat_intake_before(w.in, &b, 2) == NULL);
    struct evt *e = dat_intake_event(w.in, &recs[0]);
    CHECK_EQ(1, col(e, "traceIdHigh").i);
    CHECK_EQ(2, col(e, "traceIdLow").i);
    CHECK_EQ(10, col(e, "spanId").i);
    CHECK_EQ(255, col(e, "parentSpanId").i);
    CHECK_EQ(7, col(e, "duration").i);
    CHECK_EQ(1700000000123456, col(e, "startTime").i);
    const struct evt *tag = col(e, "tags").l->v[0].ev;
    is_text("kube.pod_name", col(tag, "key"));
    is_text("cart-1", col(tag, "vStr"));
    CHECK_EQ(255, col(col(e, "references").l->v[0].ev, "spanId").i);
    world_done(&w);
}
