/* SPDX-License-Identifier: Apache-2.0
 *
 * What the main program of every role does, once: settings, logging, the bus, the event loop, the
 * health pages, signals, drain. A role is a row with three functions; `kaiju ingest` runs one role,
 * `kaiju standalone` three of them in one process on one loop.
 *
 *     const struct role role_ingest = {"ingest", "receives telemetry", start, drain, stop,
 *                                        rows, ARRAY_LEN(rows), sizeof(struct ingest_settings)};
 *     return role_main(self, (const struct role *const[]){&role_ingest}, 1, argc, argv);
 *
 * Everything here runs on the loop's thread.
 */
#ifndef CORE_ROLE_ROLE_H
#define CORE_ROLE_ROLE_H

#include "core/base/cmd.h"
#include "core/bus/bus.h"
#include "core/bus/bus_settings.h"

struct health;
struct http_server;
struct loop;
struct stats;

struct role_settings {
    int log_level, log_format;
    const char *listen, *tls_cert, *tls_key, *tls_ca;
    int64_t drain_ns;
    struct bus_settings bus;
};

/* What a role is given. Outlives it. */
struct role_env {
    const struct role_settings *settings;
    struct loop *loop;
    struct bus *bus;
    struct stats *stats;
    struct health *health;
    struct http_server *http;
    struct role_topics *topics; /* the built-in ones: made by the process, for all of its roles */
};

/* Functions may be NULL: nothing to do. */
struct role {
    const char *name, *what;
    /* *ret_state comes back in the others; settings is what the rows below filled. */
    int (*start)(struct role_env *env, const void *settings, void **ret_state, struct err *reterr);
    /* Certificates and keys are read again from their files; on an error what was read stays. 1:
     * there are none. */
    int (*reload)(void *state, struct err *reterr);
    void (*drain)(void *state); /* stop taking work, finish what is under way */
    bool (*is_drained)(void *state);
    void (*stop)(void *state);
    const struct conf_row *rows; /* settings of this role alone */
    size_t row_count, settings_size;
    /* What no row can say of the settings; nothing is opened. */
    int (*check)(const void *settings, struct err *reterr);
};

int role_main(const struct cmd *self, const struct role *const *roles, size_t n, int argc,
              char **argv);

/* A bus client that the loop drives: on_event is called for every event of bus_poll. */
struct role_client;
struct role_client *role_client_new(const struct role_env *env, const char *name,
                                    void (*on_event)(void *arg, const struct bus_ev *ev),
                                    void *arg);
void role_client_free(struct role_client *c);
struct bus_client *role_client_bus(struct role_client *c);

/* Makes the built-in topics, trying again until they are there; a readiness check says so. */
struct role_topics;
struct role_topics *role_topics_new(const struct role_env *env);
void role_topics_free(struct role_topics *t);
/* fn(arg) once they are there; at once if they are. One fn for each role. */
void role_topics_then(struct role_topics *t, void (*fn)(void *arg), void *arg);

/* All settings of a process with these roles, as tables: shared ones first, then each role's.
 * targets may be NULL when nothing will be loaded. How many. */
enum { ROLES_MAX = 4, ROLE_TABLES_MAX = 2 + ROLES_MAX };
size_t role_tables(const struct role *const *roles, size_t n, struct role_settings *shared,
                   void *const *targets, struct conf_table ret_tables[ROLE_TABLES_MAX]);

#endif
