/* SPDX-License-Identifier: Apache-2.0
 *
 * Rule graphs over HTTP. A change is a job: its document is compiled beside the loop, then it is
 * queued at the store, where its turn decides against the state of that moment (conditions, next
 * version), and answered when it is durable. A job whose document says what is there already, to
 * the byte, writes nothing.
 */
#include "coordinator/api_impl.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "operators/doc/doc.h"
#include "operators/epl/epl.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

enum {
    ARENA_MAX = 256 * 1024 * 1024,
    TAGS_TEXT_MAX = 1024,
    COMPILED_MAX = 3, /* times that a job is compared with what others have made of its graph */
};

struct job {
    struct api *api;
    struct http_req *req;
    bool held; /* req is a reference */
    char key[GRAPH_KEY_BYTES], tag[GRAPH_TAG_BYTES];
    struct slice tenant, name; /* in key */
    bool removes, dry, creates;
    char match[TAGS_TEXT_MAX], none_match[TAGS_TEXT_MAX]; /* If-Match, If-None-Match; "" */
    struct buf text, value;
    uint64_t hash;
    int64_t version, life;
    json_t *warnings;
    bool forgets, warned; /* not all documents before it are kept */
    json_t *state;        /* what becomes of the state of statements; NULL: there was none */
    /* Of the compiler (coordinator_aside): the graph as it was when it began, what is wrong. */
    struct buf base;
    char base_tag[GRAPH_TAG_BYTES];
    uint64_t base_hash;
    int64_t replay_horizon, archive_every;
    json_t *errors;
    uint32_t n_errors, compiled; /* times */
};

static struct job *job_new(struct api_call *c, bool removes)
{
    struct job *j = MEM_NEW(struct job);
    struct slice key = graphs_key(api_tenant(c), c->name, j->key);
    j->api = c->api;
    j->req = c->req;
    j->removes = removes;
    j->dry = api_param(c, "dryRun").ptr != NULL;
    j->tenant = slice_sub(key, 0, slice_find(key, '/'));
    j->name = slice_sub(key, j->tenant.len + 1, key.len);
    buf_init(&j->text, API_BODY_MAX);
    buf_init(&j->value, BUS_RECORD_MAX);
    buf_init(&j->base, BUS_RECORD_MAX);
    return j;
}

static void job_free(struct job *j)
{
    if (j != NULL) {
        if (j->held) {
            (void)http_req_unref(j->req);
        }
        buf_done(&j->text);
        buf_done(&j->value);
        buf_done(&j->base);
        json_decref(j->errors);
        json_decref(j->warnings);
        json_decref(j->state);
        mem_free(j);
    }
}

/* From now on it outlives the handler. */
static void job_hold(struct job *j)
{
    j->req = http_req_ref(j->req);
    j->held = true;
}

static struct slice job_key(const struct job *j)
{
    return slice_of(j->key, j->tenant.len + 1 + j->name.len);
}

/* ---- answers ---- */

static json_t *summary(const struct api *a, const struct graph *g)
{
    char hash[20];
    snprintf(hash, sizeof hash, "%016" PRIx64, g->hash);
    return json_pack("{s:o, s:o, s:I, s:s, s:s, s:s}", "tenant", api_text(g->tenant), "name",
                     api_text(g->name), "version", (json_int_t)g->version, "hash", hash, "etag",
                     g->tag, "phase", tasks_phase(a->conf.tasks, g->tenant, g->name, g->version));
}

static void answer_put(struct job *j, bool changed)
{
    char hash[20], place[GRAPH_KEY_BYTES + 64];
    snprintf(hash, sizeof hash, "%016" PRIx64, j->hash);
    json_t *o =
        json_pack("{s:o, s:o, s:I, s:s, s:s, s:b, s:b, s:b, s:O}", "tenant", api_text(j->tenant),
                  "name", api_text(j->name), "version", (json_int_t)j->version, "hash", hash,
                  "etag", j->tag, "created", (int)j->creates, "changed", (int)changed, "dry_run",
                  (int)j->dry, "warnings", j->warnings);
    if (j->state != NULL) {
        (void)json_object_set(o, "state", j->state);
    }
    if (!j->dry) {
        http_reply_field(j->req, "ETag", slice_str(j->tag));
    }
    if (j->creates && !j->dry) {
        snprintf(place, sizeof place, "/api/v1/tenants/" SLICE_FMT "/rulegraphs/" SLICE_FMT,
                 SLICE_ARG(j->tenant), SLICE_ARG(j->name));
        http_reply_field(j->req, "Location", slice_str(place));
    }
    api_reply(j->req, j->creates && !j->dry ? 201 : 200, o);
}

static void answer_done(struct job *j, bool changed)
{
    if (!j->removes) {
        answer_put(j, changed);
    } else {
        http_reply(j->req, 204, NULL, SLICE_NONE);
    }
    job_free(j);
}

static void answer_err(struct job *j, const struct err *e)
{
    enum problem p = e->code == ERR_FULL                                ? PROBLEM_FULL
                     : e->code == ERR_TOO_BIG                           ? PROBLEM_TOO_BIG
                     : e->code == ERR_LIMIT                             ? PROBLEM_BUSY
                     : e->code == ERR_TIMEOUT || e->code == ERR_UNKNOWN ? PROBLEM_UNCERTAIN
                                                                        : PROBLEM_NOT_WRITING;
    api_problem(j->req, p, "%s", e->msg);
    job_free(j);
}

/* ---- conditions ---- */

/* Is the tag in the list of a condition? "*" is any that exists. */
static bool lists(const char *condition, const struct graph *g)
{
    struct slice rest = slice_str(condition), one;
    while (slice_split(&rest, ',', &one)) {
        one = slice_trim(one);
        if (g != NULL && (slice_eq(one, SLICE("*")) || slice_eq(one, slice_str(g->tag)))) {
            return true;
        }
    }
    return false;
}

static bool read_condition(struct job *j, const char *field, char *to)
{
    struct slice text = slice_trim(http_req_field(j->req, slice_str(field)));
    if (text.len >= TAGS_TEXT_MAX) {
        return false;
    }
    if (text.len > 0) {
        memcpy(to, text.ptr, text.len);
    }
    return true;
}

/* The other answers are given; false. */
static bool has_conditions(struct job *j)
{
    bool fit = read_condition(j, "if-match", j->match) &&
               read_condition(j, "if-none-match", j->none_match);
    if (!fit || (j->match[0] == '\0' && (j->none_match[0] == '\0' || j->removes))) {
        api_problem(j->req, PROBLEM_CONDITION_MISSING, "%s",
                    j->removes ? "a removal needs If-Match: the ETag read before, or *"
                               : "a change needs If-Match (the ETag read before, or *) or "
                                 "If-None-Match: *");
        return false;
    }
    return true;
}

static bool conditions_hold(struct job *j, const struct graph *g)
{
    char now[64 + GRAPH_TAG_BYTES] = "there is none";
    if ((j->match[0] == '\0' || lists(j->match, g)) &&
        (j->none_match[0] == '\0' || !lists(j->none_match, g))) {
        return true;
    }
    if (g != NULL) {
        snprintf(now, sizeof now, "it is %s now", g->tag);
        http_reply_field(j->req, "ETag", slice_str(g->tag));
    }
    api_problem(j->req, PROBLEM_CONDITION_FAILED, "rule graph " SLICE_FMT ": %s",
                SLICE_ARG(job_key(j)), now);
    return false;
}

/* ---- state ---- */

/* Statements by what becomes of their state. A failure is logged: what was asked for is done. */
static json_t *state_of(const struct job *j)
{
    static const char *const names[] = {[COORDINATOR_KEPT] = "kept",
                                        [COORDINATOR_BEGUN] = "begun",
                                        [COORDINATOR_DROPPED] = "dropped"};
    const struct coordinator_change *v = NULL;
    uint32_t n = 0;
    struct err e;
    struct arena *a = arena_new(NULL, "changes", ARENA_MAX);
    json_t *o = json_pack("{s:[], s:[], s:[]}", names[0], names[1], names[2]);
    if (j->api->conf.diff(a, buf_slice(&j->base), buf_slice(&j->text), j->api->conf.raw_parts, &v,
                          &n, &e) != 0) {
        LOG_WARN("what becomes of a graph's state is not known", LOG_SLICE("graph", job_key(j)),
                 LOG_STR("error", e.msg));
        json_decref(o);
        o = NULL;
    }
    for (uint32_t i = 0; o != NULL && i < n; i++) {
        (void)json_array_append_new(json_object_get(o, names[v[i].fate]),
                                    json_pack("{s:o, s:o}", "level", api_text(v[i].level),
                                              "statement", api_text(v[i].statement)));
    }
    arena_free(a);
    return o;
}

/* ---- the turn of a job ---- */

/* Of many changes in a row most have never run; what is there is the oldest or the newest. */
static uint32_t drop_one(struct slice *v, uint32_t n)
{
    uint32_t at = n > 2 ? 1 : 0;
    assert(n > 0);
    memmove(&v[at], &v[at + 1], (n - at - 1) * sizeof *v);
    return n - 1;
}

/* Documents whose tasks may not have written their last record when this one is applied, the last
 * one first: workers let them end before others begin. */
static uint32_t previous_of(struct job *j, const struct graph *g,
                            struct slice ret[GRAPH_PREVIOUS_MAX])
{
    uint32_t n = 0;
    if (g != NULL && g->version != j->version) {
        ret[n++] = g->document;
    }
    bool over = g == NULL ||
                (n > 0 && strcmp(tasks_phase(j->api->conf.tasks, g->tenant, g->name, g->version),
                                 "running") == 0);
    for (uint32_t i = 0; !over && i < g->n_previous; i++) {
        if (n == GRAPH_PREVIOUS_MAX) {
            n = drop_one(ret, n);
            j->forgets = true;
        }
        ret[n++] = g->previous[i];
    }
    return n;
}

/* With as many of them as fit; false: it is too large without any. */
static bool write_record(struct job *j, const struct graph *g)
{
    struct graph to = {.tenant = j->tenant,
                       .name = j->name,
                       .version = j->version,
                       .hash = j->hash,
                       .life = j->life,
                       .document = buf_slice(&j->text)};
    to.n_previous = previous_of(j, g, to.previous);
    for (bool more = true; more;) {
        buf_done(&j->value);
        buf_init(&j->value, BUS_RECORD_MAX);
        if (graphs_value(&j->value, &to) && j->value.len + GRAPH_KEY_BYTES <= BUS_RECORD_MAX) {
            return true;
        }
        more = to.n_previous > 0;
        to.n_previous = more ? drop_one(to.previous, to.n_previous) : 0;
        j->forgets |= more;
    }
    return false;
}

/* What it drops may be what some task ran last. */
static void warn_of_forgotten(struct job *j)
{
    if (j->forgets && !j->warned) {
        j->warned = true;
        (void)json_array_append_new(
            j->warnings,
            json_pack(
                "{s:s, s:s, s:s, s:s}", "code", "KJ-API-0017", "severity", "warning", "detail",
                "too many versions of this graph follow each other that did not run: the "
                "document of one between the first and the last is not kept",
                "hint",
                "tasks that ran that one last begin with nothing in memory and say so in dlq; "
                "start workers, and apply the next version when this one runs"));
    }
}

/* Until its tasks have ended (members.c) it is there, for nobody to see. */
static void write_removal(struct job *j, const struct graph *g)
{
    struct graph to = *g;
    to.deleted = true;
    to.n_previous = 0;
    buf_clear(&j->value);
    bool fits = graphs_value(&j->value, &to);
    assert(fits); /* it did, with the documents before it and some room */
    (void)fits;
}

/* One of this name that was removed has not ended, or tasks of others before it may be left. */
static int64_t life_of(const struct job *j, const struct graph *g)
{
    const struct graph *was = graphs_record(j->api->conf.graphs, job_key(j));
    return g != NULL ? g->life : was != NULL ? was->life + 1 : 0;
}

/* True: value is the record to be written. False: answered, and the job may be freed. */
static bool prepare(struct job *j, bool *ret_same)
{
    const struct graph *g = graphs_get(j->api->conf.graphs, job_key(j));
    *ret_same = false;
    if (g == NULL && j->removes) {
        api_problem(j->req, PROBLEM_NO_GRAPH, "there is no rule graph " SLICE_FMT,
                    SLICE_ARG(job_key(j)));
        return false;
    }
    if (!conditions_hold(j, g)) {
        return false;
    }
    if (j->removes) {
        j->version = g->version;
        write_removal(j, g);
        return true;
    }
    if (g == NULL && graphs_count(j->api->conf.graphs) >= GRAPHS_MAX) {
        api_problem(j->req, PROBLEM_GRAPHS_MANY, "there are %d rule graphs already", GRAPHS_MAX);
        return false;
    }
    j->creates = g == NULL;
    j->life = life_of(j, g);
    j->version = g == NULL ? 1 : g->hash == j->hash ? g->version : g->version + 1;
    graphs_tag(j->version, buf_slice(&j->text), j->tag);
    *ret_same = g != NULL && slice_eq(g->document, buf_slice(&j->text)) && g->version == j->version;
    if (g == NULL || g->version == j->version) {
        json_decref(j->state); /* nothing becomes of it */
        j->state = NULL;
    }
    bool fits = write_record(j, g);
    warn_of_forgotten(j);
    if (!fits) {
        api_problem(j->req, PROBLEM_TOO_BIG,
                    "the record of this graph would be larger than the %d bytes of one",
                    BUS_RECORD_MAX);
        return false;
    }
    return true;
}

static void compile(struct job *j);

/* What becomes of state was told of a graph that others have changed since. */
static bool is_overtaken(const struct job *j)
{
    const struct graph *g = graphs_get(j->api->conf.graphs, job_key(j));
    return !j->removes && j->api->conf.diff != NULL && g != NULL && g->hash != j->hash &&
           strcmp(g->tag, j->base_tag) != 0 && j->compiled < COMPILED_MAX;
}

static bool decide(void *arg, struct store_record *ret_record)
{
    struct job *j = arg;
    bool same;
    if (is_overtaken(j)) {
        compile(j);
        return false;
    }
    if (!prepare(j, &same)) {
        job_free(j);
        return false;
    }
    if (same) {
        answer_done(j, false);
        return false;
    }
    *ret_record = (struct store_record){job_key(j), buf_slice(&j->value), STORE_GRAPHS};
    return true;
}

static void done(void *arg, const struct err *err)
{
    struct job *j = arg;
    if (err != NULL) {
        answer_err(j, err);
        return;
    }
    LOG_INFO(j->removes ? "rule graph removed" : "rule graph stored",
             LOG_SLICE("graph", job_key(j)), LOG_INT("version", j->version));
    answer_done(j, true);
}

static void submit(struct job *j)
{
    static const struct store_change change = {.decide = decide, .done = done};
    struct err e;
    bool same;
    if (!store_loaded(j->api->conf.store)) {
        api_problem(j->req, PROBLEM_NOT_READ, "the coordinator is starting");
        job_free(j);
    } else if (!j->dry) {
        if (store_submit(j->api->conf.store, &change, j, &e) != 0) {
            answer_err(j, &e);
        }
    } else if (is_overtaken(j)) {
        compile(j);
    } else if (prepare(j, &same)) {
        answer_done(j, !same);
    } else {
        job_free(j);
    }
}

/* ---- documents ---- */

/* The line of a note with carets below. */
static json_t *excerpt(const struct doc_note *n, struct slice text)
{
    struct err e = {.line = n->span.line, .col = n->span.col, .len = n->span.len};
    struct buf b;
    buf_init(&b, API_BODY_MAX);
    epl_diag_text(&e, SLICE_NONE, text, &b);
    struct slice all = buf_slice(&b);
    json_t *v = api_text(slice_sub(all, slice_find(all, '\n') + 1, all.len));
    buf_done(&b);
    return v;
}

static void add(json_t *o, const char *name, struct slice text)
{
    if (text.len > 0) {
        (void)json_object_set_new(o, name, api_text(text));
    }
}

/* In the order of their places. */
static json_t *notes_json(const struct doc_notes *notes, struct slice text)
{
    json_t *list = json_array();
    VEC_EACH (&notes->list, n) {
        json_t *o = json_pack("{s:s, s:s}", "code", doc_code_text(n->code), "severity",
                              doc_code_severity(n->code) == DOC_ERROR ? "error" : "warning");
        add(o, "detail", n->message);
        add(o, "hint", n->hint);
        add(o, "level", n->level);
        add(o, "statement", n->statement);
        add(o, "pointer", n->pointer);
        if (n->span.line > 0) {
            (void)json_object_set_new(o, "line", json_integer(n->span.line));
            (void)json_object_set_new(o, "column", json_integer(n->span.col));
            (void)json_object_set_new(o, "length", json_integer(n->span.len));
            (void)json_object_set_new(o, "excerpt", excerpt(n, text));
        }
        (void)json_array_append_new(list, o);
    }
    return list;
}

static json_t *misplaced(const char *pointer, struct slice is, struct slice wanted)
{
    char text[300];
    snprintf(text, sizeof text, "the document says '" SLICE_FMT "', the path '" SLICE_FMT "'",
             SLICE_ARG(is), SLICE_ARG(wanted));
    return json_pack("[{s:s, s:s, s:s, s:s}]", "code", doc_code_text(DOC_VALUE), "severity",
                     "error", "pointer", pointer, "detail", text);
}

/* ---- compiling: beside the loop ---- */

/* What is wrong with it stands in j->errors. */
static void check_document(struct job *j)
{
    struct arena *a = arena_new(NULL, "document", ARENA_MAX);
    struct slice text = buf_slice(&j->text);
    struct doc_notes notes;
    struct err e;
    doc_notes_init(&notes, a);
    struct doc *d = doc_read(a, text, &notes);
    if (d != NULL && doc_check(d, j->api->conf.engine, &notes, &e) != 0) {
        assert(notes.errors > 0);
    }
    if (d == NULL || notes.errors > 0) {
        j->errors = notes_json(&notes, text);
    } else if (!slice_eq(d->g.name, j->name)) {
        j->errors = misplaced("/name", d->g.name, j->name);
    } else if (!slice_eq(d->g.tenant, j->tenant)) {
        j->errors = misplaced("/tenant", d->g.tenant, j->tenant);
    } else {
        j->hash = doc_hash(d);
        j->warnings = notes_json(&notes, text);
        j->replay_horizon = d->g.replay_horizon;
        j->archive_every = d->g.archive_every;
    }
    j->n_errors = MAX(notes.errors, 1u);
    doc_notes_done(&notes);
    arena_free(a);
}

static void work(void *arg)
{
    struct job *j = arg;
    if (j->compiled == 0) {
        check_document(j);
    }
    json_decref(j->state);
    bool changes = j->errors == NULL && j->base.len > 0 && j->base_hash != j->hash;
    j->state = changes ? state_of(j) : NULL;
}

static void compiled(void *arg, bool worked)
{
    struct job *j = arg;
    struct err e;
    if (!worked) {
        (void)err_set(&e, ERR_CLOSED, "the coordinator is stopping; nothing was stored");
        answer_err(j, &e);
        return;
    }
    j->compiled++;
    if (j->errors != NULL) {
        json_t *errors = j->errors;
        j->errors = NULL;
        api_problem_with(j->req, PROBLEM_DOCUMENT, errors, "%u %s; nothing was stored", j->n_errors,
                         j->n_errors == 1 ? "mistake" : "mistakes");
        job_free(j);
        return;
    }
    if (j->compiled == 1 && j->api->conf.keeps != NULL) {
        keeps_warn(j->api->conf.keeps, j->replay_horizon, j->archive_every, j->warnings);
    }
    submit(j);
    mem_trim();
}

/* The loop goes on meanwhile; what the job needs of the graph as it is now is copied. */
static void compile(struct job *j)
{
    const struct graph *g = graphs_get(j->api->conf.graphs, job_key(j));
    buf_clear(&j->base);
    snprintf(j->base_tag, sizeof j->base_tag, "%s", g != NULL ? g->tag : "");
    if (g != NULL && j->api->conf.diff != NULL) {
        (void)buf_add_slice(&j->base, g->document);
        j->base_hash = g->hash;
    }
    aside_do(j->api->conf.aside, work, compiled, j);
}

/* A job whose body is still coming: it goes with the request if the body never ends. */
struct upload {
    struct job *job;
};

static void on_freed(void *arg)
{
    struct upload *u = arg;
    job_free(u->job);
    mem_free(u);
}

static void on_body(struct http_req *r, struct slice body, void *arg)
{
    struct upload *u = arg;
    struct job *j = u->job;
    assert(j->req == r);
    u->job = NULL;
    job_hold(j);
    (void)buf_add_slice(&j->text, body);
    if (aside_waiting(j->api->conf.aside) >= API_COMPILING_MAX) {
        api_problem(j->req, PROBLEM_BUSY, "%d documents are waiting to be compiled already",
                    API_COMPILING_MAX);
        job_free(j);
        return;
    }
    compile(j);
}

static bool is_document(const struct http_req *r)
{
    static const char *const types[] = {"application/yaml", "application/x-yaml", "text/yaml",
                                        "text/x-yaml", "application/json"};
    struct slice is = http_req_field(r, SLICE("content-type"));
    is = slice_trim(slice_sub(is, 0, slice_find(is, ';')));
    bool fits = is.len == 0;
    for (size_t i = 0; !fits && i < ARRAY_LEN(types); i++) {
        fits = slice_eq_nocase(is, slice_str(types[i]));
    }
    return fits;
}

static bool has_name(struct api_call *c)
{
    if (doc_is_name(c->name) && doc_is_name(api_tenant(c))) {
        return true;
    }
    api_problem(c->req, PROBLEM_NO_GRAPH,
                "'" SLICE_FMT "' and '" SLICE_FMT "': a tenant and a name of a graph are small "
                "letters, digits and '-', at most %d",
                SLICE_ARG(api_tenant(c)), SLICE_ARG(c->name), DOC_NAME_MAX);
    return false;
}

void api_graph_put(struct api_call *c)
{
    if (!has_name(c)) {
        return;
    }
    if (!is_document(c->req)) {
        api_problem(c->req, PROBLEM_MEDIA, "send the graph with Content-Type: application/yaml");
        return;
    }
    struct job *j = job_new(c, false);
    if (!has_conditions(j)) {
        job_free(j);
        return;
    }
    static const struct http_req_ops ops = {.freed = on_freed};
    struct upload *u = MEM_NEW(struct upload);
    u->job = j;
    http_req_take(c->req, &ops, u);
    http_req_collect(c->req, API_BODY_MAX, on_body, u);
}

void api_graph_delete(struct api_call *c)
{
    if (!has_name(c)) {
        return;
    }
    struct job *j = job_new(c, true);
    if (!has_conditions(j)) {
        job_free(j);
        return;
    }
    job_hold(j);
    submit(j);
}

/* ---- reading ---- */

/* NULL: answered. */
static const struct graph *find(struct api_call *c)
{
    char key[GRAPH_KEY_BYTES];
    if (!store_loaded(c->api->conf.store)) {
        api_problem(c->req, PROBLEM_NOT_READ, "the coordinator is starting");
        return NULL;
    }
    if (!has_name(c)) {
        return NULL;
    }
    struct slice k = graphs_key(api_tenant(c), c->name, key);
    const struct graph *g = graphs_get(c->api->conf.graphs, k);
    if (g == NULL) {
        api_problem(c->req, PROBLEM_NO_GRAPH, "there is no rule graph " SLICE_FMT, SLICE_ARG(k));
    }
    return g;
}

void api_graph_get(struct api_call *c)
{
    const struct graph *g = find(c);
    char none[TAGS_TEXT_MAX] = "";
    if (g == NULL) {
        return;
    }
    struct slice tags = http_req_field(c->req, SLICE("if-none-match"));
    if (tags.len > 0 && tags.len < sizeof none) {
        memcpy(none, tags.ptr, tags.len);
    }
    http_reply_field(c->req, "ETag", slice_str(g->tag));
    if (lists(none, g)) {
        http_reply(c->req, 304, NULL, SLICE_NONE);
    } else if (api_accepts(c->req, "application/json", true)) {
        json_t *o = summary(c->api, g);
        (void)json_object_set_new(o, "document", api_text(g->document));
        api_reply(c->req, 200, o);
    } else if (api_accepts(c->req, "application/yaml", true)) {
        http_reply(c->req, 200, "application/yaml", g->document);
    } else {
        api_problem(c->req, PROBLEM_NOT_ACCEPTABLE, "a graph is JSON, its document YAML");
    }
}

void api_graphs_list(struct api_call *c)
{
    const struct graph *page[API_LIMIT_MAX + 1];
    size_t limit = api_limit(c);
    if (limit == 0) {
        return;
    }
    if (!store_loaded(c->api->conf.store)) {
        api_problem(c->req, PROBLEM_NOT_READ, "the coordinator is starting");
        return;
    }
    size_t n = graphs_list(c->api->conf.graphs, c->tenant, api_param(c, "cursor"), limit + 1, page);
    json_t *items = json_array();
    for (size_t i = 0; i < n && i < limit; i++) {
        (void)json_array_append_new(items, summary(c->api, page[i]));
    }
    api_reply_list(c, items, n > limit ? page[limit - 1]->key : SLICE_NONE);
}

void api_graph_status(struct api_call *c)
{
    const struct graph *g = find(c);
    if (g == NULL) {
        return;
    }
    struct tasks_filter f = {.tenant = g->tenant, .graph = g->name};
    json_t *o = summary(c->api, g);
    (void)json_object_set_new(o, "totals", tasks_sum(c->api->conf.tasks, &f));
    (void)json_object_set_new(o, "groups", tasks_groups(c->api->conf.tasks, g->tenant, g->name));
    (void)json_object_set_new(o, "tasks",
                              tasks_list(c->api->conf.tasks, &f, SLICE_NONE, API_LIMIT_MAX));
    api_reply(c->req, 200, o);
}
