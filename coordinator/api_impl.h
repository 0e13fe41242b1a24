/* SPDX-License-Identifier: Apache-2.0
 *
 * What the handlers of the API share: a request that was matched, answers, problems.
 *
 *     api.c         routes, matching, answers, problems
 *     api_graphs.c  rule graphs: read, list, change
 *     api_status.c  status, workers, tasks
 *     api_topology.c  what flows where, out of documents and tasks
 *     api_events.c  streams
 */
#ifndef COORDINATOR_API_IMPL_H
#define COORDINATOR_API_IMPL_H

#include "coordinator/api.h"
#include "core/net/aside.h"
#include "core/net/http_req.h"

#include <jansson.h>

enum problem {
#define PROBLEM(name, status, code, slug, doc) PROBLEM_##name,
#include "coordinator/problem.def"
#undef PROBLEM
    PROBLEMS
};

struct api {
    struct api_conf conf;
    struct map *topologies; /* of api_topology.c, by the key of the graph */
};

enum {
    API_BODY_MAX = 1024 * 1024,
    API_ANSWER_MAX = 256 * 1024 * 1024,
    API_LIMIT_DEFAULT = 100,
    API_LIMIT_MAX = 1000,
    API_PARAMS_MAX = 8,
    API_TEXT_MAX = 256,     /* of a parameter */
    API_COMPILING_MAX = 64, /* requests that wait for documents, of 1 MiB at most */
};

/* A request, matched. Lives during the handler. */
struct api_call {
    struct api *api;
    struct http_req *req;
    enum http_method method;
    struct slice tenant, name; /* of the path; absent */
    struct {
        const char *name; /* of the route's list */
        char text[API_TEXT_MAX];
        struct slice value; /* absent: not given */
    } params[API_PARAMS_MAX];
};

struct slice api_param(const struct api_call *c, const char *name);
/* A number between 1 and max; 0 and answered if it is none. */
size_t api_limit(const struct api_call *c);
bool api_accepts(const struct http_req *r, const char *type, bool unsaid);
struct slice api_tenant(const struct api_call *c); /* "default" where the path says none */

json_t *api_text(struct slice s);
void api_json_out(const json_t *value, struct buf *out);
/* Takes the value. */
void api_reply(struct http_req *r, unsigned status, json_t *take_value);
/* The answer of a list: items, and where the next page begins (`next` NULL: nowhere). */
void api_reply_list(struct api_call *c, json_t *take_items, struct slice next);
/* Takes errors (may be NULL), put in as `errors`. */
void api_problem_with(struct http_req *r, enum problem p, json_t *take_errors, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
#define api_problem(r, p, ...) api_problem_with((r), (p), NULL, __VA_ARGS__)

void api_graphs_list(struct api_call *c);
void api_graph_get(struct api_call *c);
void api_graph_put(struct api_call *c);
void api_graph_delete(struct api_call *c);
void api_graph_status(struct api_call *c);
void api_status(struct api_call *c);
void api_workers(struct api_call *c);
void api_tasks(struct api_call *c);
void api_topology(struct api_call *c);
void api_events(struct api_call *c);
void api_alerts(struct api_call *c);
void api_problems(struct api_call *c);

#endif
