/* SPDX-License-Identifier: Apache-2.0
 *
 * The REST API, below /api/v1/ of the server that has the health pages. What it serves is a table
 * of routes (api.c); reference with examples: docs/api.md. Reads answer from memory, on any
 * replica; changes go through the store and are answered when the bus has committed them. Loop
 * thread.
 *
 * To add a resource: a row in api.c, a handler in a file api_x.c, a section in docs/api.md, a test
 * in tests/e2e/test_coordinator.py.
 */
#ifndef COORDINATOR_API_H
#define COORDINATOR_API_H

#include "coordinator/coordinator.h"
#include "coordinator/feed.h"
#include "coordinator/graphs.h"
#include "coordinator/keeps.h"
#include "coordinator/store.h"
#include "coordinator/tasks.h"

struct api;
struct aside;
struct doc_engine;
struct http_server;
struct members;
struct sweep;

struct api_conf {
    struct http_server *http;
    struct store *store;
    struct graphs *graphs;
    struct tasks *tasks;
    struct feed *feeds[FEED_TOPICS];
    const struct members *members;
    const struct sweep *sweep;       /* NULL: nobody is told of it */
    struct keeps *keeps;             /* NULL: nobody looks at retention */
    const struct doc_engine *engine; /* documents are compiled with it */
    struct aside *aside;             /* documents are compiled there; NULL: in the loop */
    coordinator_diff_fn diff;        /* NULL: nobody is told what state is kept */
    uint32_t raw_parts;              /* partitions of signals */
    const char *bus;                 /* its kind, for people */
    struct bus *storage;             /* for how full it is; NULL: that is not told */
    int64_t retention_ns;            /* of topics; 0: not known */
};

struct api *api_new(const struct api_conf *conf);
void api_forget(struct api *a, struct slice key); /* what was drawn of a graph that is gone */
void api_free(struct api *a);                     /* behind the server: no request comes any more */

#endif
