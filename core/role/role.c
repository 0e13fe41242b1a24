/* SPDX-License-Identifier: Apache-2.0
 *
 * See role.h. The order of a start: settings, log, bus, loop, pages, roles; the end is the reverse,
 * after a drain: readiness turns false, roles stop taking work, open requests are answered. A
 * second signal ends the process at once: the log is the truth, and it survives that. SIGHUP reads
 * certificates again.
 */
#include "core/role/role.h"

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/net/addr.h"
#include "core/net/health.h"
#include "core/net/http_server.h"
#include "core/net/loop.h"
#include "core/net/tls.h"
#include "core/role/role_stats.h"
#include "core/stats/stats.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define DRAIN_LOOK_NS (20 * CLOCK_NS_PER_MS)

static const char *const levels[] = {"debug", "info", "warn", "error", NULL};
static const char *const formats[] = {"logfmt", "json", NULL};

#define AT(member) offsetof(struct role_settings, member)
static const struct conf_row rows[] = {
    {"log.level", CONF_ENUM, AT(log_level), "info", 0, 0, levels, 0,
     "the least severe entries that are logged"},
    {"log.format", CONF_ENUM, AT(log_format), "logfmt", 0, 0, formats, 0, "of the log, on stderr"},
    {"http.listen", CONF_STRING, AT(listen), "127.0.0.1:8080", 0, 0, NULL, 0,
     "address of the health pages and the API: host:port, [::1]:port or unix:PATH"},
    {"http.tls.cert_file", CONF_STRING, AT(tls_cert), NULL, 0, 0, NULL, 0,
     "PEM file of the server's certificate and chain; set, it turns TLS on; read again at SIGHUP"},
    {"http.tls.key_file", CONF_STRING, AT(tls_key), NULL, 0, 0, NULL, 0,
     "PEM file of the certificate's key"},
    {"http.tls.client_ca_file", CONF_STRING, AT(tls_ca), NULL, 0, 0, NULL, 0,
     "PEM file of the authorities of clients; set, clients must have a certificate"},
    {"drain_timeout", CONF_DURATION, AT(drain_ns), "10s", 0, 600 * CLOCK_NS_PER_S, NULL, 0,
     "how long open requests may take to end after SIGTERM"},
};

struct process {
    const struct role *const *roles;
    size_t n, started;
    void *states[ROLES_MAX], *own[ROLES_MAX];
    struct role_settings settings;
    struct role_env env;
    struct bus_property *properties;
    struct tls_ctx *tls;
    struct role_stats *counted;
    struct loop_timer *drain_timer;
    int64_t drain_until_ns;
    bool draining;
};

size_t role_tables(const struct role *const *roles, size_t n, struct role_settings *shared,
                   void *const *targets, struct conf_table ret_tables[ROLE_TABLES_MAX])
{
    size_t count = 0;
    assert(n <= ROLES_MAX);
    ret_tables[count++] = (struct conf_table){"Process", rows, ARRAY_LEN(rows), shared};
    ret_tables[count++] = bus_settings_table(shared != NULL ? &shared->bus : NULL);
    for (size_t i = 0; i < n; i++) {
        if (roles[i]->row_count > 0) {
            ret_tables[count++] =
                (struct conf_table){roles[i]->what, roles[i]->rows, roles[i]->row_count,
                                    targets != NULL ? targets[i] : NULL};
        }
    }
    return count;
}

/* The pages are drained; roles may have work under way. They bound it by the same deadline. */
static void on_drained(void *arg)
{
    struct process *p = arg;
    for (size_t i = 0; i < p->started; i++) {
        if (p->roles[i]->is_drained != NULL && !p->roles[i]->is_drained(p->states[i]) &&
            loop_now_ns(p->env.loop) < p->drain_until_ns) {
            loop_timer_set(p->drain_timer, DRAIN_LOOK_NS);
            return;
        }
    }
    loop_stop(p->env.loop);
}

static void say_read(const char *who, int rc, const struct err *err)
{
    if (rc == 0) {
        LOG_INFO("certificates were read again", LOG_STR("by", who));
    } else if (rc < 0) {
        LOG_ERROR("certificates stay as they were", LOG_STR("by", who), LOG_STR("error", err->msg));
    }
}

/* Files are exchanged under a process that goes on; settings stay as they were. */
static void reload(struct process *p)
{
    struct err e;
    if (p->tls != NULL) {
        say_read("http", tls_reload(p->tls, &e), &e);
    }
    for (size_t i = 0; i < p->started; i++) {
        if (p->roles[i]->reload != NULL) {
            say_read(p->roles[i]->name, p->roles[i]->reload(p->states[i], &e), &e);
        }
    }
}

static void on_signal(void *arg, int signo)
{
    struct process *p = arg;
    if (signo == SIGHUP) {
        reload(p);
        return;
    }
    if (p->draining) {
        LOG_WARN("second signal: leaving at once", LOG_INT("signal", signo));
        _exit(CMD_INTERRUPTED);
    }
    p->draining = true;
    p->drain_until_ns = loop_now_ns(p->env.loop) + p->settings.drain_ns;
    p->drain_timer = loop_timer_new(p->env.loop, on_drained, p);
    LOG_INFO("draining", LOG_INT("signal", signo));
    health_drain(p->env.health);
    for (size_t i = 0; i < p->started; i++) {
        if (p->roles[i]->drain != NULL) {
            p->roles[i]->drain(p->states[i]);
        }
    }
    http_server_drain(p->env.http, p->settings.drain_ns, on_drained, p);
}

/* What no row of a table can say of a value; without touching anything. */
static int check(const struct process *p, struct err *reterr)
{
    int64_t partitions = p->settings.bus.partitions;
    struct addr addr;
    if ((partitions & (partitions - 1)) != 0) {
        return err_set(reterr, ERR_USAGE, "bus.partitions is %lld: expected a power of two",
                       (long long)partitions);
    }
    int rc = addr_parse(slice_str(p->settings.listen), &addr, reterr);
    if (rc != 0) {
        return err_wrap(reterr, "http.listen");
    }
    for (size_t i = 0; i < p->n && rc == 0; i++) {
        rc = p->roles[i]->check != NULL ? p->roles[i]->check(p->own[i], reterr) : 0;
    }
    return rc;
}

static int open_bus(struct process *p, struct err *reterr)
{
    size_t count = p->settings.bus.properties.count;
    p->properties = mem_calloc(count, sizeof *p->properties);
    struct bus_conf conf = bus_settings_conf(&p->settings.bus, p->properties);
    return bus_new(&conf, &p->env.bus, reterr);
}

/* Who sends work meanwhile is refused: it belongs to where there is room, or has to wait. */
static bool has_room(void *arg, char *why, size_t size)
{
    const struct process *p = arg;
    bool full = bus_stats(p->env.bus).full;
    if (full) {
        (void)snprintf(why, size, "it refuses writes for want of room; kaiju doctor says of what");
    }
    return !full;
}

static int open_pages(struct process *p, struct err *reterr)
{
    const struct role_settings *s = &p->settings;
    struct http_server_conf conf = http_server_conf_default();
    p->env.http = http_server_new(p->env.loop, &conf);
    p->env.health = health_new();
    health_routes(p->env.health, http_server_router(p->env.http));
    health_watch(p->env.health, "main", p->env.loop);
    health_check(p->env.health, "bus", has_room, p);
    p->counted = role_stats_new(&p->env);
    if (s->tls_cert != NULL) {
        struct tls_conf tls = {.cert_file = s->tls_cert,
                               .key_file = s->tls_key,
                               .ca_file = s->tls_ca,
                               .verify =
                                   s->tls_ca != NULL ? TLS_VERIFY_REQUIRE : TLS_VERIFY_DEFAULT};
        int rc = tls_server_new(&tls, &p->tls, reterr);
        if (rc != 0) {
            return err_wrap(reterr, "http.tls");
        }
    }
    struct http_listen at = {.addr = s->listen, .tls = p->tls};
    int rc = http_server_listen(p->env.http, &at, reterr);
    return rc != 0 ? err_wrap(reterr, "http.listen") : 0;
}

static int start(struct process *p, struct err *reterr)
{
    int rc = check(p, reterr);
    rc = rc == 0 ? open_bus(p, reterr) : rc;
    if (rc != 0) {
        return rc;
    }
    p->env.settings = &p->settings;
    p->env.loop = loop_new();
    p->env.stats = stats_new();
    rc = open_pages(p, reterr);
    if (rc == 0) {
        p->env.topics = role_topics_new(&p->env);
    }
    while (rc == 0 && p->started < p->n) {
        size_t i = p->started;
        if (p->roles[i]->start != NULL) {
            rc = p->roles[i]->start(&p->env, p->own[i], &p->states[i], reterr);
        }
        if (rc != 0) {
            return err_wrap(reterr, "%s", p->roles[i]->name);
        }
        p->started++;
    }
    return rc;
}

static void stop(struct process *p)
{
    while (p->started > 0) {
        p->started--;
        if (p->roles[p->started]->stop != NULL) {
            p->roles[p->started]->stop(p->states[p->started]);
        }
    }
    role_topics_free(p->env.topics);
    http_server_free(p->env.http);
    role_stats_free(p->counted);
    health_free(p->env.health);
    tls_unref(p->tls);
    loop_timer_free(p->drain_timer);
    if (p->env.loop != NULL) {
        loop_free(p->env.loop);
    }
    stats_free(p->env.stats);
    bus_free(p->env.bus);
    mem_free(p->properties);
}

static int exit_code(const struct err *e)
{
    return e->code == ERR_UNAVAILABLE ? CMD_UNREACHABLE
           : e->code == ERR_TIMEOUT   ? CMD_TIMEOUT
                                      : CMD_USAGE;
}

static int run(const struct cmd *self, struct process *p)
{
    struct err e;
    err_clear(&e);
    mem_tune();
    log_setup(&(struct log_conf){.level = (enum log_level)p->settings.log_level,
                                 .format = (enum log_format)p->settings.log_format,
                                 .fd = STDERR_FILENO,
                                 .burst = 20});
    int rc = start(p, &e);
    if (rc == 0) {
        loop_on_signals(p->env.loop, on_signal, p);
        LOG_INFO("ready", LOG_STR("role", self->name),
                 LOG_STR("bus", bus_kind_name(bus_kind(p->env.bus))),
                 LOG_STR("http", http_server_addr(p->env.http, 0)));
        loop_run(p->env.loop);
    } else {
        fprintf(stderr, "kaiju %s: %s\n", self->name, e.msg);
    }
    stop(p);
    if (rc == 0) {
        LOG_INFO("stopped", LOG_STR("role", self->name));
    }
    return rc == 0 ? CMD_OK : exit_code(&e);
}

int role_main(const struct cmd *self, const struct role *const *roles, size_t n, int argc,
              char **argv)
{
    struct process p = {.roles = roles, .n = n};
    struct conf_table tables[ROLE_TABLES_MAX];
    const char *const *args;
    int code = CMD_USAGE;
    assert(n > 0 && n <= ROLES_MAX);
    for (size_t i = 0; i < n; i++) {
        p.own[i] = mem_calloc(1, roles[i]->settings_size + 1);
    }
    struct conf *c = conf_new(tables, role_tables(roles, n, &p.settings, p.own, tables));
    int rc = conf_load(c, &(struct conf_input){.argc = argc, .argv = argv, .environ = environ});
    if (conf_wants_help(c)) {
        printf("usage: kaiju %s %s\n\n%s\n", self->name, self->args, self->summary);
        conf_help(c, stdout);
        code = CMD_OK;
    } else if (rc != 0) {
        fputs(conf_errors(c), stderr);
    } else if (conf_args(c, &args) > 0) {
        fprintf(stderr, "kaiju %s: unexpected argument '%s'; see --help\n", self->name, args[0]);
    } else if (conf_wants_print(c)) {
        conf_print(c, stdout);
        code = CMD_OK;
    } else if (conf_wants_check(c)) {
        struct err e;
        code = check(&p, &e) == 0 ? CMD_OK : CMD_USAGE;
        if (code == CMD_OK) {
            puts("the configuration is right");
        } else {
            fprintf(stderr, "kaiju %s: %s\n", self->name, e.msg);
        }
    } else {
        code = run(self, &p);
    }
    conf_free(c);
    for (size_t i = 0; i < n; i++) {
        mem_free(p.own[i]);
    }
    return code;
}
