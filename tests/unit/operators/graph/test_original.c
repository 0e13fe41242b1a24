/* SPDX-License-Identifier: Apache-2.0
 *
 * Rules in the form of the original Kaiju, imported, over records as ingest makes them: a container
 * above its limit after an image was pulled, and a span far slower than its kind.
 */
#include "core/base/clock.h"
#include "operators/doc/doc_esper.h"
#include "operators/graph/eng_doc.h"
#include "operators/sig/dat_intake.h"
#include "tests/unit/operators/doc/doc_case.h"

#define CPU                                                                                        \
    "name:schema=create schema Usage(container String, pod String, ns String, usage double)\n"     \
    "name:usage=insert into Usage select m1.tags('container_name') as container, "                 \
    "m1.tags('pod_name') as pod, m1.tags('namespace') as ns, avg((m2.fields('counter') - "         \
    "m1.fields('counter'))/((m2.timestamp - m1.timestamp)/1000)) as usage from pattern [every "    \
    "m1=Metric(name='cpu') -> m2=Metric(m2.name=m1.name and m2.tags=m1.tags)]#time(1min) group "   \
    "by m1.tags('container_name'), m1.tags('pod_name'), m1.tags('namespace') output last every "   \
    "1min\n"                                                                                       \
    "name:high=insert into Event select java.time.Instant.now().toEpochMilli() as timestamp, new " \
    "{container=container, highUsage=usage} as payload, new {pod=pod, namespace=ns} as context "   \
    "from Usage#lastevent u, Metric(name='limit')#lastevent m where m.tags('pod')=u.pod and "      \
    "m.tags('namespace')=u.ns and usage > fields('gauge')\n"
#define LOGS                                                                                       \
    "name:pulled=insert into Event select java.time.Instant.now().toEpochMilli() as timestamp, "   \
    "new {image=fields('event.involvedObject.name')} as payload, "                                 \
    "new {namespace=fields('event.involvedObject.namespace')} as context from FLog("               \
    "fields('kubernetes.labels.app')='eventrouter' and fields('event.reason')='Pulled' and "       \
    "(fields('event.message').toString()).contains('pulled'))\n"
#define TRACES                                                                                     \
    "name:slow=insert into Event select java.time.Instant.now().toEpochMilli() as timestamp, new " \
    "{spanId=Long.toHexString(s.spanId), operationName=s.operationName} as payload, new "          \
    "{service=p.serviceName, pod=s.getTags().firstOf(t => t.key = 'kube.pod_name').getVStr()} as " \
    "context from Batch[select process as p, * from spans as s] where s.duration > 1000000\n"
#define HL                                                                                         \
    "name:after=select a.image as image, b.container as container from pattern [every a=Pulled "   \
    "-> every b=HighUsage(namespace=a.namespace) where timer:within(10min)]\n"                     \
    "name:spans=select operationName, spanId, service, pod from SlowSpan\n"
#define EVENTS                                                                                     \
    "Pulled>{image:string}>{namespace:string}\n"                                                   \
    "HighUsage>{container:string,highUsage:float}>{pod:string,namespace:string}\n"                 \
    "SlowSpan>{spanId:string,operationName:string}>{service:string,pod:string}\n"

struct seen {
    struct buf rows;
};

static void on_rows(void *arg, struct slice statement, const struct eng_rows *rows)
{
    struct seen *s = arg;
    bool wanted = slice_eq(statement, SLICE("after")) || slice_eq(statement, SLICE("spans"));
    for (size_t i = 0; wanted && i < rows->n_nw; i++) {
        (void)buf_add_slice(&s->rows, statement);
        for (uint32_t k = 0; k < rows->nw[i]->type->n_cols; k++) {
            struct dat v = rows->nw[i]->p[k];
            (void)buf_addf(&s->rows, " " SLICE_FMT,
                           SLICE_ARG(v.kind == DAT_STRING ? vstr_slice(v.s) : SLICE("-")));
        }
        (void)buf_add_byte(&s->rows, '\n');
    }
}

struct play {
    struct doc_case c;
    struct eng *eng;
    struct intern *keys;
    struct dat_intake *in;
    struct seen seen;
    struct rec_context context;
    struct val_pair contexts[3];
};

static struct val_pair pair(struct play *p, const char *key, struct val v)
{
    struct val_pair x = val_pair(slice_str(key), v);
    x.key_id = intern_id(p->keys, slice_str(key));
    return x;
}

static struct val text(const char *s)
{
    return val_string(slice_str(s));
}

static void play_open(struct play *p)
{
    struct arena *a = arena_new(NULL, "import", DOC_ARENA_MAX);
    struct doc_esper_file files[] = {{SLICE("hl-statements.txt"), slice_str(HL)},
                                     {SLICE("metrics-statements.txt"), slice_str(CPU)},
                                     {SLICE("logs-statements.txt"), slice_str(LOGS)},
                                     {SLICE("traces-statements.txt"), slice_str(TRACES)}};
    struct doc_esper_file events = {SLICE("hl-events.txt"), slice_str(EVENTS)};
    struct buf b;
    struct err err;
    buf_init(&b, 1 << 20);
    CHECK_OK(doc_esper(a, SLICE("g"), files, ARRAY_LEN(files), &events, &b, &err), err);
    p->c = doc_case(buf_cstr(&b));
    CHECK_OK(doc_check(p->c.d, &eng_doc, &p->c.notes, &err), err);
    buf_init(&p->seen.rows, 1 << 20);
    p->eng = eng_new(&(struct eng_conf){.on_rows = on_rows, .arg = &p->seen});
    buf_clear(&b);
    doc_prelude(p->c.d, 0, &b);
    CHECK_OK(eng_deploy(p->eng, SLICE("types"), buf_slice(&b), &err), err);
    for (uint32_t i = 0; i < p->c.d->g.n_levels; i++) {
        const struct doc_level *l = &p->c.d->g.levels[i];
        CHECK_OK(eng_deploy(p->eng, l->name, l->epl, &err), err);
    }
    buf_done(&b);
    arena_free(a);
    p->keys = intern_new(1000, 1 << 20);
    p->in = dat_intake_new(eng_heap(p->eng), p->keys);
    for (size_t i = 0; i < builtin_n_types; i++) {
        if (builtin_types[i].world == BUILTIN_ORIGINAL) {
            const struct etype *t = eng_type(p->eng, slice_str(builtin_types[i].name));
            CHECK(dat_intake_builtin(p->in, t, BUILTIN_ORIGINAL));
        }
    }
    p->contexts[0] = pair(p, "k8s.namespace.name", text("shop"));
    p->contexts[1] = pair(p, "k8s.pod.name", text("cart-1"));
    p->contexts[2] = pair(p, "service.name", text("cart"));
    p->context = (struct rec_context){.pairs = p->contexts, .len = 3};
}

static void play_close(struct play *p)
{
    dat_intake_free(p->in);
    intern_free(p->keys);
    eng_free(p->eng);
    buf_done(&p->seen.rows);
    doc_case_done(&p->c);
}

/* One record as a batch of its own, at a second of the clock. */
static void take(struct play *p, int64_t second, const char *type, struct val_pair *pairs,
                 uint32_t n)
{
    struct rec r = {.ts = second * CLOCK_NS_PER_S, .context = &p->context, .payload = pairs};
    struct rec_batch b = {.events = &r, .events_len = 1};
    struct err err;
    r.payload_len = n;
    r.type = slice_str(type);
    r.type_id = intern_id(p->keys, r.type);
    r.span_id[7] = 255;
    eng_advance_span(p->eng, second * 1000);
    dat_intake_begin(p->in);
    struct evt *before = dat_intake_before(p->in, &b, 0);
    if (before != NULL) {
        CHECK_OK(eng_send(p->eng, before, &err), err);
    }
    CHECK_OK(eng_send(p->eng, dat_intake_event(p->in, &r), &err), err);
}

static void metric(struct play *p, int64_t second, const char *name, bool counter, double value)
{
    struct val_pair pairs[] = {pair(p, "container", text("app")),
                               pair(p, "container_name", text("app")),
                               pair(p, "monotonic", val_bool(counter)), pair(p, "name", text(name)),
                               pair(p, "value", val_double(value))};
    take(p, second, "Metric", pairs, ARRAY_LEN(pairs));
}

static void span(struct play *p, int64_t second, int64_t ms)
{
    struct val_pair pairs[] = {pair(p, "duration_ns", val_int(ms * CLOCK_NS_PER_MS)),
                               pair(p, "name", text("GET"))};
    take(p, second, "Span", pairs, ARRAY_LEN(pairs));
}

TEST(imported_rules_fire)
{
    struct play p;
    play_open(&p);
    struct val_pair pulled[] = {pair(&p, "message", text("Successfully pulled image cart:2")),
                                pair(&p, "object_name", text("cart-1")),
                                pair(&p, "reason", text("Pulled"))};
    take(&p, 1, "KubeEvent", pulled, ARRAY_LEN(pulled));
    for (int i = 0; i <= 12; i++) {
        metric(&p, 2 + i * 10, "cpu", true, i * 20.0); /* two cores */
        metric(&p, 2 + i * 10, "limit", false, 1);
        span(&p, 3 + i * 10, 20);
    }
    span(&p, 140, 5000);
    eng_advance_span(p.eng, 200000);
    CHECK_HAS("after cart-1 app\n", buf_cstr(&p.seen.rows));
    CHECK_HAS("spans GET ff cart cart-1\n", buf_cstr(&p.seen.rows));
    play_close(&p);
}

TEST(and_stay_quiet_when_nothing_is_wrong)
{
    struct play p;
    play_open(&p);
    for (int i = 0; i <= 12; i++) {
        metric(&p, 2 + i * 10, "cpu", true, i * 2.0); /* a fifth of a core */
        metric(&p, 2 + i * 10, "limit", false, 1);
        span(&p, 3 + i * 10, 20);
    }
    eng_advance_span(p.eng, 200000);
    CHECK_STR("", buf_cstr(&p.seen.rows));
    play_close(&p);
}
