/* SPDX-License-Identifier: Apache-2.0
 *
 * The routes of the API, and what all of them share: matching, parameters, answers, problems.
 */
#include "coordinator/api_impl.h"
#include "core/base/map.h"
#include "core/base/mem.h"
#include "core/event/rec_json.h"
#include "core/net/http_route.h"
#include "core/net/http_server.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#define ROOT "/api/v1/"

static const struct {
    unsigned status;
    const char *code, *slug, *doc;
} problems[] = {
#define PROBLEM(name, status, code, slug, doc) {status, code, slug, doc},
#include "coordinator/problem.def"
#undef PROBLEM
};

/* {} is a name. Below tenants/{}/ a tenant is meant; without it `default`, or all in lists. */
struct route {
    const char *path;
    enum http_method method;
    bool of_tenant; /* also below tenants/{}/ */
    void (*fn)(struct api_call *c);
    const char *params[API_PARAMS_MAX + 1];
};

static const struct route routes[] = {
    {"rulegraphs", HTTP_GET, true, api_graphs_list, {"limit", "cursor"}},
    {"rulegraphs/{}", HTTP_GET, true, api_graph_get, {NULL}},
    {"rulegraphs/{}", HTTP_PUT, true, api_graph_put, {"dryRun"}},
    {"rulegraphs/{}", HTTP_DELETE, true, api_graph_delete, {"dryRun"}},
    {"rulegraphs/{}/status", HTTP_GET, true, api_graph_status, {NULL}},
    {"status", HTTP_GET, false, api_status, {NULL}},
    {"workers", HTTP_GET, false, api_workers, {NULL}},
    {"tasks", HTTP_GET, true, api_tasks, {"limit", "cursor", "graph", "group", "worker", "state"}},
    {"topology", HTTP_GET, true, api_topology, {"graph"}},
    {"events", HTTP_GET, false, api_events, {"type"}},
    {"alerts/events", HTTP_GET, false, api_alerts, {NULL}},
    {"problems", HTTP_GET, false, api_problems, {NULL}},
};

/* ---- answers ---- */

static int add_part(const char *part, size_t n, void *arg)
{
    return buf_add(arg, part, n) ? 0 : -1;
}

void api_json_out(const json_t *value, struct buf *out)
{
    (void)json_dump_callback(value, add_part, out, JSON_COMPACT | JSON_ENCODE_ANY);
}

/* What is no UTF-8 shows U+FFFD: an excerpt of a document that is none, a message that was cut. */
static json_t *repaired(struct slice s)
{
    struct buf b;
    buf_init(&b, API_ANSWER_MAX);
    (void)rec_json_string(&b, s);
    json_t *v = json_loadb(b.ptr, b.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    buf_done(&b);
    return v;
}

json_t *api_text(struct slice s)
{
    json_t *v = s.ptr != NULL ? json_stringn(s.ptr, s.len) : NULL;
    v = v == NULL && s.ptr != NULL ? repaired(s) : v;
    return v != NULL ? v : json_null();
}

/* X-Request-Id comes back as it was sent. */
static void echo_id(struct http_req *r)
{
    enum { ID_MAX = 128 };
    struct slice id = http_req_field(r, SLICE("x-request-id"));
    if (id.len > 0 && id.len <= ID_MAX) {
        http_reply_field(r, "X-Request-Id", id);
    }
}

static void reply_as(struct http_req *r, unsigned status, const char *type, json_t *value)
{
    struct buf b;
    buf_init(&b, API_ANSWER_MAX);
    api_json_out(value, &b);
    (void)buf_add_byte(&b, '\n');
    echo_id(r);
    http_reply_field(r, "Cache-Control", SLICE("no-store"));
    http_reply(r, status, type, buf_slice(&b));
    buf_done(&b);
}

void api_reply(struct http_req *r, unsigned status, json_t *take_value)
{
    reply_as(r, status, "application/json", take_value);
    json_decref(take_value);
}

void api_problem_with(struct http_req *r, enum problem p, json_t *take_errors, const char *fmt, ...)
{
    char detail[1024], type[100];
    va_list ap;
    assert(p < PROBLEMS);
    va_start(ap, fmt);
    (void)vsnprintf(detail, sizeof detail, fmt, ap);
    va_end(ap);
    while (detail[0] != '\0' && !slice_is_utf8(slice_str(detail))) {
        detail[strlen(detail) - 1] = '\0'; /* a character that was cut */
    }
    snprintf(type, sizeof type, ROOT "problems#%s", problems[p].slug);
    json_t *o = json_pack("{s:s, s:s, s:i, s:s, s:s}", "type", type, "title",
                          http_status_text(problems[p].status), "status", (int)problems[p].status,
                          "code", problems[p].code, "detail", detail);
    const struct http_head *h = http_req_head(r);
    if (h != NULL) {
        (void)json_object_set_new(o, "instance", api_text(h->path));
    }
    if (take_errors != NULL) {
        (void)json_object_set_new(o, "errors", take_errors);
    }
    if (problems[p].status == 503) {
        http_reply_field(r, "Retry-After", SLICE("1"));
    }
    reply_as(r, problems[p].status, "application/problem+json", o);
    json_decref(o);
}

void api_reply_list(struct api_call *c, json_t *take_items, struct slice next)
{
    json_t *o = json_pack("{s:o}", "items", take_items);
    if (next.ptr != NULL) {
        /* The keys of what is listed are names with '/' between: fit for a query as they are. */
        const struct http_head *h = http_req_head(c->req);
        struct buf link;
        buf_init(&link, 4096);
        (void)buf_addf(&link, "<" SLICE_FMT "?cursor=" SLICE_FMT,
                       SLICE_ARG(h != NULL ? h->path : SLICE_NONE), SLICE_ARG(next));
        for (size_t i = 0; i < API_PARAMS_MAX && c->params[i].name != NULL; i++) {
            if (strcmp(c->params[i].name, "cursor") != 0 && c->params[i].value.ptr != NULL) {
                (void)buf_addf(&link, "&%s=" SLICE_FMT, c->params[i].name,
                               SLICE_ARG(c->params[i].value));
            }
        }
        (void)buf_add_str(&link, ">; rel=\"next\"");
        http_reply_field(c->req, "Link", buf_slice(&link));
        (void)json_object_set_new(o, "next", api_text(next));
        buf_done(&link);
    }
    api_reply(c->req, 200, o);
}

void api_problems(struct api_call *c)
{
    struct buf b;
    buf_init(&b, API_ANSWER_MAX);
    (void)buf_add_str(&b, "# Problems of the API\n");
    for (size_t i = 0; i < PROBLEMS; i++) {
        (void)buf_addf(&b, "\n## %s\n\n%s, %u %s: %s.\n", problems[i].slug, problems[i].code,
                       problems[i].status, http_status_text(problems[i].status), problems[i].doc);
    }
    http_reply(c->req, 200, "text/markdown; charset=utf-8", buf_slice(&b));
    buf_done(&b);
}

/* ---- requests ---- */

struct slice api_param(const struct api_call *c, const char *name)
{
    for (size_t i = 0; i < API_PARAMS_MAX && c->params[i].name != NULL; i++) {
        if (strcmp(c->params[i].name, name) == 0) {
            return c->params[i].value;
        }
    }
    return SLICE_NONE;
}

size_t api_limit(const struct api_call *c)
{
    struct slice text = api_param(c, "limit");
    int64_t n = API_LIMIT_DEFAULT;
    if (text.ptr != NULL && (!slice_to_i64(text, &n) || n < 1 || n > API_LIMIT_MAX)) {
        api_problem(c->req, PROBLEM_QUERY, "limit is '" SLICE_FMT "': expected 1 to %d",
                    SLICE_ARG(text), API_LIMIT_MAX);
        return 0;
    }
    return (size_t)n;
}

/* One that is named wins; "*" and nothing at all are `unsaid`. */
bool api_accepts(const struct http_req *r, const char *type, bool unsaid)
{
    struct slice rest = http_req_field(r, SLICE("accept")), one;
    struct slice want = slice_str(type), family = slice_sub(want, 0, slice_find(want, '/') + 1);
    if (rest.len == 0) {
        return unsaid;
    }
    while (slice_split(&rest, ',', &one)) {
        one = slice_trim(slice_sub(one, 0, slice_find(one, ';')));
        bool wide =
            slice_eq(one, SLICE("*/*")) ||
            (slice_starts(one, family) && one.len == family.len + 1 && one.ptr[family.len] == '*');
        if (slice_eq_nocase(one, want) || (wide && unsaid)) {
            return true;
        }
    }
    return false;
}

struct slice api_tenant(const struct api_call *c)
{
    return c->tenant.ptr != NULL ? c->tenant : SLICE("default");
}

static bool matches(const char *pattern, struct slice path, struct slice *ret_name)
{
    struct slice rest = slice_str(pattern), want, is;
    while (slice_split(&rest, '/', &want)) {
        if (!slice_split(&path, '/', &is)) {
            return false;
        }
        if (slice_eq(want, SLICE("{}"))) {
            *ret_name = is;
        } else if (!slice_eq(want, is)) {
            return false;
        }
    }
    return path.ptr == NULL;
}

/* Takes tenants/{}/ off the path. */
static struct slice take_tenant(struct slice *path)
{
    struct slice rest = *path, word, tenant;
    if (slice_split(&rest, '/', &word) && slice_eq(word, SLICE("tenants")) &&
        slice_split(&rest, '/', &tenant) && tenant.len > 0 && rest.ptr != NULL) {
        *path = rest;
        return tenant;
    }
    return SLICE_NONE;
}

/* Parameters whose values are words of a list. All others are names, of what may not be there yet;
 * api_limit reads the number. */
static const struct {
    const char *name, *words;
} worded[] = {
    {"dryRun", "server"},
    {"state", "live replay lost ended"}, /* of tasks: operators/operator_tasks.c */
};

static bool is_word_of(struct slice words, struct slice value)
{
    struct slice one;
    while (slice_split(&words, ' ', &one)) {
        if (slice_eq(one, value)) {
            return true;
        }
    }
    return false;
}

/* False: answered. */
static bool takes_value(const struct api_call *c, const char *name, struct slice value)
{
    if (value.len == 0) {
        api_problem(c->req, PROBLEM_QUERY, "%s has no value", name);
        return false;
    }
    for (size_t i = 0; i < ARRAY_LEN(worded); i++) {
        if (strcmp(worded[i].name, name) == 0 && !is_word_of(slice_str(worded[i].words), value)) {
            api_problem(c->req, PROBLEM_QUERY, "%s is '" SLICE_FMT "': expected %s%s", name,
                        SLICE_ARG(value), strchr(worded[i].words, ' ') != NULL ? "one of " : "",
                        worded[i].words);
            return false;
        }
    }
    return true;
}

static bool read_params(struct api_call *c, const struct route *route, struct slice query)
{
    struct slice name, value;
    for (size_t i = 0; i < API_PARAMS_MAX && route->params[i] != NULL; i++) {
        c->params[i].name = route->params[i];
    }
    while (http_query_next(&query, &name, &value)) {
        size_t i = 0;
        while (i < API_PARAMS_MAX && c->params[i].name != NULL &&
               !slice_eq(name, slice_str(c->params[i].name))) {
            i++;
        }
        if (name.len == 0 && value.len == 0) { /* "&&" */
            continue;
        }
        if (i == API_PARAMS_MAX || c->params[i].name == NULL) {
            api_problem(c->req, PROBLEM_QUERY, "there is no parameter '" SLICE_FMT "' here",
                        SLICE_ARG(name));
            return false;
        }
        if (c->params[i].value.ptr != NULL) {
            api_problem(c->req, PROBLEM_QUERY, "%s is given twice", c->params[i].name);
            return false;
        }
        int64_t n = value.len <= API_TEXT_MAX ? http_unescape(value, true, c->params[i].text) : -1;
        if (n < 0) {
            api_problem(c->req, PROBLEM_QUERY, "%s: a broken escape, or too long",
                        c->params[i].name);
            return false;
        }
        c->params[i].value = slice_of(c->params[i].text, (size_t)n);
        if (!takes_value(c, c->params[i].name, c->params[i].value)) {
            return false;
        }
    }
    return true;
}

static void on_request(struct http_req *r, void *arg)
{
    const struct http_head *h = http_req_head(r);
    struct api_call c = {.api = arg, .req = r, .method = h->method};
    struct slice path = http_req_tail(r);
    const struct route *found = NULL;
    unsigned allowed = 0;
    char allow[HTTP_ALLOW_BYTES];
    enum http_method method = h->method == HTTP_HEAD ? HTTP_GET : h->method;
    c.tenant = take_tenant(&path);
    for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
        struct slice name = SLICE_NONE;
        if ((routes[i].of_tenant || c.tenant.ptr == NULL) && matches(routes[i].path, path, &name)) {
            allowed |= 1u << routes[i].method;
            if (routes[i].method == method) {
                found = &routes[i];
                c.name = name;
            }
        }
    }
    if (found != NULL) {
        if (read_params(&c, found, h->query)) {
            found->fn(&c);
        }
    } else if (allowed != 0) {
        allowed |= HTTP_BIT(OPTIONS) | ((allowed & HTTP_BIT(GET)) != 0 ? HTTP_BIT(HEAD) : 0);
        http_reply_field(r, "Allow", slice_str(http_allow_text(allowed, allow)));
        api_problem(r, PROBLEM_METHOD, "%s has no %s", "this resource",
                    http_method_name(h->method));
    } else {
        api_problem(r, PROBLEM_NO_RESOURCE, "there is no resource '" SLICE_FMT "'",
                    SLICE_ARG(h->path));
    }
}

static const struct http_route http_routes[] = {
    {ROOT "*", HTTP_BIT(GET) | HTTP_BIT(PUT) | HTTP_BIT(DELETE) | HTTP_BIT(POST) | HTTP_BIT(PATCH),
     0, API_BODY_MAX, on_request, "the REST API"},
};

struct api *api_new(const struct api_conf *conf)
{
    assert(conf->http != NULL && conf->store != NULL && conf->engine != NULL);
    struct api *a = MEM_NEW(struct api);
    a->conf = *conf;
    a->topologies = MEM_NEW(struct map);
    map_init(a->topologies, GRAPHS_MAX);
    http_router_add(http_server_router(conf->http), http_routes, ARRAY_LEN(http_routes), a);
    return a;
}

void api_free(struct api *a)
{
    if (a == NULL) {
        return;
    }
    MAP_EACH (a->topologies, e) {
        api_forget(a, e->key);
    }
    map_done(a->topologies);
    mem_free(a->topologies);
    mem_free(a);
}
