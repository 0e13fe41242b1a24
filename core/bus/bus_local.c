/* SPDX-License-Identifier: Apache-2.0
 *
 * The local bus's table of operations, its clients and its registry of open directories. See
 * bus_local_store.h for the file, bus_local_commit.h for the writing thread.
 */
#include "core/bus/bus_local.h"

#include "core/base/mem.h"
#include "core/bus/bus_local_commit.h"
#include "core/bus/bus_local_impl.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

enum { DIR_MODE = 0700, PARENT_BYTES = 4096 };

/* LMDB keeps locks by process: a directory may be open once in it, so all buses on one directory
 * share a store. */
PROCESS_WIDE
static pthread_mutex_t registry_mutex = PTHREAD_MUTEX_INITIALIZER;
PROCESS_WIDE
static struct local_store *registry;
PROCESS_WIDE
static struct bus_local_tuning tuning = {.pin_warn_ns = 5 * CLOCK_NS_PER_S,
                                         .tick_ns = CLOCK_NS_PER_S,
                                         .tombstone_ms = INT64_C(24) * 3600 * 1000,
                                         .compact_min_bytes = UINT64_C(16) << 20};

struct bus_local_tuning bus_local_tuning_default(void)
{
    return (struct bus_local_tuning){.pin_warn_ns = 5 * CLOCK_NS_PER_S,
                                     .tick_ns = CLOCK_NS_PER_S,
                                     .tombstone_ms = INT64_C(24) * 3600 * 1000,
                                     .compact_min_bytes = UINT64_C(16) << 20};
}

void bus_local_tune(const struct bus_local_tuning *new_tuning)
{
    pthread_mutex_lock(&registry_mutex);
    tuning = *new_tuning;
    pthread_mutex_unlock(&registry_mutex);
}

static int dir_open(const struct bus_local_conf *conf, struct stat *ret_stat, struct err *reterr)
{
    if (conf->dir == NULL || conf->dir[0] == '\0') {
        return err_set(reterr, ERR_USAGE, "the local bus needs a directory");
    }
    if (strlen(conf->dir) > PARENT_BYTES / 2) {
        return err_set(reterr, ERR_TOO_BIG, "the directory's name is too long");
    }
    if (!conf->read_only && mkdir(conf->dir, DIR_MODE) != 0 && errno != EEXIST) {
        int code = errno == EACCES ? ERR_DENIED : ERR_IO;
        return err_set(reterr, (enum err_code)code, "directory %s cannot be made: %s", conf->dir,
                       strerror(errno));
    }
    if (stat(conf->dir, ret_stat) != 0) {
        int code = errno == ENOENT ? ERR_NOT_FOUND : errno == EACCES ? ERR_DENIED : ERR_IO;
        return err_set(reterr, (enum err_code)code, "directory %s: %s", conf->dir, strerror(errno));
    }
    if (!S_ISDIR(ret_stat->st_mode)) {
        return err_set(reterr, ERR_IO, "%s is not a directory", conf->dir);
    }
    return 0;
}

/* Under the registry's mutex. */
static int store_get(const struct bus_local_conf *conf, struct local_store **ret_store,
                     struct err *reterr)
{
    struct stat st;
    int rc = dir_open(conf, &st, reterr);
    if (rc != 0) {
        return rc;
    }
    for (struct local_store *s = registry; s != NULL; s = s->next_store) {
        if (s->dev == st.st_dev && s->ino == st.st_ino) {
            if (s->read_only && !conf->read_only) {
                return err_set(reterr, ERR_DENIED,
                               "%s: this process has it open read-only: close that bus first",
                               conf->dir);
            }
            s->refs++;
            *ret_store = s;
            return 0;
        }
    }
    rc = bus_local_store_open(conf, &tuning, ret_store, reterr);
    if (rc == 0) {
        (*ret_store)->dev = st.st_dev;
        (*ret_store)->ino = st.st_ino;
        (*ret_store)->next_store = registry;
        registry = *ret_store;
    }
    return rc;
}

static int local_new(const struct bus_conf *conf, struct bus **ret_bus, struct err *reterr)
{
    struct local_store *s = NULL;
    pthread_mutex_lock(&registry_mutex);
    int rc = store_get(&conf->local, &s, reterr);
    pthread_mutex_unlock(&registry_mutex);
    if (rc != 0) {
        return rc;
    }
    struct local_bus *b = MEM_NEW(struct local_bus);
    b->store = s;
    b->read_only = conf->local.read_only;
    *ret_bus = &b->bus;
    return 0;
}

static void local_free(struct bus *bus)
{
    struct local_bus *b = (struct local_bus *)bus;
    struct local_store *s = b->store;
    pthread_mutex_lock(&registry_mutex);
    if (--s->refs == 0) {
        struct local_store **at = &registry;
        while (*at != s) {
            at = &(*at)->next_store;
        }
        *at = s->next_store;
        bus_local_store_close(s);
    }
    pthread_mutex_unlock(&registry_mutex);
    mem_free(b);
}

/* Nobody may be writing any more, so that it would never be known that there is room again: who was
 * told so stays told for a while. */
static bool is_full(const struct local_store *s)
{
    static const int64_t told_ns = 5 * CLOCK_NS_PER_S;
    int64_t at = (int64_t)atomic_load(&s->counters.full_ns);
    return at != 0 && clock_mono(&s->clock) - at < told_ns;
}

static struct bus_stats local_stats(const struct bus *bus)
{
    struct local_store *s = ((const struct local_bus *)bus)->store;
    struct local_counters *n = &s->counters;
    return (struct bus_stats){.puts = atomic_load(&n->puts),
                              .put_bytes = atomic_load(&n->put_bytes),
                              .reads = atomic_load(&n->reads),
                              .read_bytes = atomic_load(&n->read_bytes),
                              .commits = atomic_load(&n->commits),
                              .aborts = atomic_load(&n->aborts),
                              .unknowns = atomic_load(&n->unknowns),
                              .fences = atomic_load(&n->fences),
                              .fulls = atomic_load(&n->fulls),
                              .refused = atomic_load(&n->refused),
                              .syncs = atomic_load(&n->syncs),
                              .used_bytes = atomic_load(&n->used_bytes),
                              .quota_bytes = s->quota_bytes,
                              .full = is_full(s)};
}

int bus_local_report(struct bus *b, struct bus_local_report *ret_report, struct err *reterr)
{
    assert(bus_kind(b) == BUS_LOCAL);
    return bus_local_report_of(((struct local_bus *)b)->store, ret_report, reterr);
}

static void client_init(struct bus_client *bc)
{
    struct local_client *c = local_client_of(bc);
    struct local_store *s = c->store = ((struct local_bus *)bc->bus)->store;
    c->inbox = bus_local_inbox_new(&bc->wake);
    c->ready_tail = &c->ready;
    pthread_mutex_lock(&s->mutex);
    *VEC_PUSH(&s->inboxes) = c->inbox;
    pthread_mutex_unlock(&s->mutex);
}

static void drop_ops(struct local_op *op)
{
    for (struct local_op *next; op != NULL; op = next) {
        next = op->next;
        bus_local_op_free(op);
    }
}

static void leave_store(struct local_client *c)
{
    struct local_store *s = c->store;
    pthread_mutex_lock(&s->mutex);
    for (size_t i = 0; i < s->inboxes.len; i++) {
        if (s->inboxes.ptr[i] == c->inbox) {
            VEC_REMOVE(&s->inboxes, i);
            break;
        }
    }
    pthread_mutex_unlock(&s->mutex);
    if (c->elected.len > 0) {
        bus_local_submit(s, bus_local_op_new(LOCAL_OP_RELEASE, c->inbox, NULL, 0));
    }
    bus_local_inbox_close(c->inbox);
    drop_ops(bus_local_inbox_take(c->inbox));
}

static void client_done(struct bus_client *bc)
{
    struct local_client *c = local_client_of(bc);
    while (c->readers.len > 0) {
        bus_local_reader_free(&c->readers.ptr[0]->reader);
    }
    while (c->writers.len > 0) {
        bus_local_writer_close(&c->writers.ptr[0]->writer);
    }
    leave_store(c);
    drop_ops(c->ready);
    VEC_EACH (&c->asks, op) {
        bus_local_op_free(*op);
    }
    VEC_EACH (&c->lent, op) {
        bus_local_op_free(*op);
    }
    VEC_EACH (&c->blocks, b) {
        mem_free(b->ptr);
    }
    VEC_EACH (&c->elected, e) {
        mem_free(e->name);
    }
    VEC_EACH (&c->gone, a) {
        mem_free(*a);
    }
    if (c->txn != NULL) {
        mdb_txn_abort(c->txn);
    }
    VEC_DONE(&c->asks);
    VEC_DONE(&c->lent);
    VEC_DONE(&c->blocks);
    VEC_DONE(&c->elected);
    VEC_DONE(&c->gone);
    VEC_DONE(&c->known);
    VEC_DONE(&c->readers);
    VEC_DONE(&c->writers);
    bus_local_inbox_unref(c->inbox);
}

static int check_writes(const struct bus_client *c, struct err *reterr)
{
    if (((const struct local_bus *)c->bus)->read_only) {
        return err_set(reterr, ERR_DENIED, "the bus was opened read-only");
    }
    return 0;
}

static int local_ensure(struct bus_client *bc, const struct bus_topic_spec *specs, uint32_t n,
                        uint64_t tag, struct err *reterr)
{
    struct local_client *c = local_client_of(bc);
    struct slice prefix = slice_str(bc->bus->prefix);
    size_t bytes = 0;
    int rc = check_writes(bc, reterr);
    if (rc != 0) {
        return rc;
    }
    struct local_op *op = bus_local_op_new(LOCAL_OP_ENSURE, c->inbox, NULL, tag);
    op->specs = mem_calloc(n, sizeof *op->specs);
    op->spec_count = n;
    for (uint32_t i = 0; i < n; i++) {
        bytes += prefix.len + specs[i].name.len;
    }
    char *at = op->specs_text = mem_alloc(bytes);
    for (uint32_t i = 0; i < n; i++) {
        op->specs[i] = specs[i];
        op->specs[i].name = slice_of(at, prefix.len + specs[i].name.len);
        memcpy(at, prefix.ptr, prefix.len);
        memcpy(at + prefix.len, specs[i].name.ptr, specs[i].name.len);
        at += op->specs[i].name.len;
    }
    bus_local_submit(c->store, op);
    return 0;
}

/* Answered from the file by the next poll. */
static int ask(struct bus_client *bc, enum local_op_kind kind, struct bus_tp tp, int64_t arg,
               uint64_t tag)
{
    struct local_client *c = local_client_of(bc);
    struct local_op *op = bus_local_op_new(kind, c->inbox, NULL, tag);
    op->ev.tp = tp;
    op->topic_number = tp.topic;
    op->arg = arg;
    *VEC_PUSH(&c->asks) = op;
    bus_wake_signal(&bc->wake);
    return 0;
}

static int local_describe(struct bus_client *c, uint32_t topic, uint64_t tag, struct err *reterr)
{
    (void)reterr;
    return ask(c, LOCAL_OP_DESCRIBE, (struct bus_tp){.topic = topic}, 0, tag);
}

static int local_list(struct bus_client *c, uint64_t tag, struct err *reterr)
{
    (void)reterr;
    return ask(c, LOCAL_OP_LIST, (struct bus_tp){.topic = 0}, 0, tag);
}

static int local_bounds(struct bus_client *c, struct bus_tp tp, uint64_t tag, struct err *reterr)
{
    (void)reterr;
    return ask(c, LOCAL_OP_BOUNDS, tp, 0, tag);
}

static int local_by_time(struct bus_client *c, struct bus_tp tp, int64_t time_ms, uint64_t tag,
                         struct err *reterr)
{
    (void)reterr;
    return ask(c, LOCAL_OP_BY_TIME, tp, time_ms, tag);
}

static int local_trim(struct bus_client *bc, struct bus_tp tp, int64_t before, uint64_t tag,
                      struct err *reterr)
{
    struct local_client *c = local_client_of(bc);
    int rc = check_writes(bc, reterr);
    if (rc != 0) {
        return rc;
    }
    struct local_part *p = bus_local_part(c, tp);
    if (p == NULL) {
        struct local_op *op = bus_local_event(c, BUS_EV_ERROR, tag);
        (void)err_set(bus_local_op_fail(op, BUS_EV_ERROR, false), ERR_NOT_FOUND,
                      "no partition %u of topic " SLICE_FMT, tp.part,
                      SLICE_ARG(bus_topic_name(bc, tp.topic)));
        return 0;
    }
    struct local_op *op = bus_local_op_new(LOCAL_OP_TRIM, c->inbox, NULL, tag);
    op->ev.tp = tp;
    op->part = p;
    op->arg = before;
    bus_local_submit(c->store, op);
    return 0;
}

static int submit_named(struct bus_client *bc, enum local_op_kind kind, struct slice name,
                        int64_t arg, uint64_t tag, struct err *reterr)
{
    struct local_client *c = local_client_of(bc);
    int rc = check_writes(bc, reterr);
    if (rc != 0) {
        return rc;
    }
    struct local_op *op = bus_local_op_new(kind, c->inbox, NULL, tag);
    op->name = name.len > 0 ? mem_dup(name.ptr, name.len) : NULL;
    op->arg = arg;
    bus_local_submit(c->store, op);
    return 0;
}

static int local_maintain(struct bus_client *c, uint64_t tag, struct err *reterr)
{
    return submit_named(c, LOCAL_OP_MAINTAIN, SLICE_NONE, 0, tag, reterr);
}

static int local_fence(struct bus_client *c, struct slice slot, uint64_t tag, struct err *reterr)
{
    return submit_named(c, LOCAL_OP_FENCE, slot, 0, tag, reterr);
}

size_t bus_local_elected(const struct local_client *c, struct slice name, int64_t candidacy)
{
    size_t i = 0;
    while (i < c->elected.len && (!slice_eq(slice_str(c->elected.ptr[i].name), name) ||
                                  (candidacy != 0 && c->elected.ptr[i].candidacy != candidacy))) {
        i++;
    }
    return i;
}

void bus_local_elected_drop(struct local_client *c, size_t i)
{
    if (i < c->elected.len) {
        mem_free(c->elected.ptr[i].name);
        VEC_REMOVE(&c->elected, i);
    }
}

static int local_elect(struct bus_client *bc, struct slice name, uint64_t tag, struct err *reterr)
{
    struct local_client *c = local_client_of(bc);
    if (bus_local_elected(c, name, 0) < c->elected.len) {
        return err_set(reterr, ERR_EXISTS, "this client takes part in election " SLICE_FMT,
                       SLICE_ARG(name));
    }
    int rc = submit_named(bc, LOCAL_OP_ELECT, name, c->candidacies + 1, tag, reterr);
    if (rc == 0) {
        *VEC_PUSH(&c->elected) =
            (struct local_elected){mem_dup(name.ptr, name.len), ++c->candidacies};
    }
    return rc;
}

static void local_resign(struct bus_client *bc, struct slice name)
{
    struct local_client *c = local_client_of(bc);
    size_t i = bus_local_elected(c, name, 0);
    if (i < c->elected.len) {
        bus_local_elected_drop(c, i);
        int rc = submit_named(bc, LOCAL_OP_RESIGN, name, 0, 0, NULL);
        assert(rc == 0);
        (void)rc;
    }
}

const struct bus_ops bus_local_ops = {
    .bus_new = local_new,
    .bus_free = local_free,
    .stats = local_stats,
    .client_bytes = sizeof(struct local_client),
    .client_init = client_init,
    .client_done = client_done,
    .poll = bus_local_poll,
    .ensure = local_ensure,
    .describe = local_describe,
    .list = local_list,
    .bounds = local_bounds,
    .settled = local_bounds, /* a transaction is written when it is committed */
    .by_time = local_by_time,
    .trim = local_trim,
    .maintain = local_maintain,
    .fence = local_fence,
    .elect = local_elect,
    .resign = local_resign,
    .reader_new = bus_local_reader_new,
    .reader_free = bus_local_reader_free,
    .assign = bus_local_assign,
    .unassign = bus_local_unassign,
    .seek = bus_local_seek,
    .pause = bus_local_pause,
    .open = bus_local_open,
    .writer_close = bus_local_writer_close,
    .put = bus_local_put,
    .commit = bus_local_commit,
    .abort = bus_local_abort,
};
