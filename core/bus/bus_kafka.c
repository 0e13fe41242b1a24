/* SPDX-License-Identifier: Apache-2.0
 *
 * The Kafka bus: what belongs to the process and to a client, and the poll, which gathers events
 * from five places: the box (ends of what workers did), writers (delivery reports), elections,
 * readers, and what the last poll lent is given back first. librdkafka's queues write to the
 * client's wake-up fd when they turn from empty to not empty, so each is polled until it is empty
 * or the wake-up is signalled again.
 */
#include "core/bus/bus_kafka_write.h"

#include "core/base/mem.h"

#include <assert.h>

enum { POLL_BYTES = 128 * 1024, TOPICS_MAX = 16384, FRESH_MS = 30000 };

char *kafka_name(const struct kafka_bus *b, struct slice name)
{
    size_t skip = strlen(b->b.prefix);
    char *full = mem_alloc(skip + name.len + 1);
    memcpy(full, b->b.prefix, skip);
    memcpy(full + skip, name.ptr, name.len);
    full[skip + name.len] = '\0';
    return full;
}

void kafka_topic_used(struct kafka_bus *b, const char *full_name)
{
    pthread_mutex_lock(&b->lock);
    (void)map_put(&b->topics, slice_str(full_name)); /* at the limit the rest is learnt later */
    pthread_mutex_unlock(&b->lock);
}

void kafka_topic_made(struct kafka_bus *b, const char *full_name)
{
    pthread_mutex_lock(&b->lock);
    void **at = map_put(&b->topics, slice_str(full_name));
    if (at != NULL) {
        *at = (void *)(uintptr_t)(clock_mono(&b->clock) / CLOCK_NS_PER_MS);
    }
    pthread_mutex_unlock(&b->lock);
}

bool kafka_topic_fresh(struct kafka_bus *b, const char *full_name)
{
    pthread_mutex_lock(&b->lock);
    int64_t made = (int64_t)(uintptr_t)map_get(&b->topics, slice_str(full_name));
    pthread_mutex_unlock(&b->lock);
    return made != 0 && clock_mono(&b->clock) / CLOCK_NS_PER_MS - made < FRESH_MS;
}

void kafka_warm(struct kafka_writer *w, int timeout_ms)
{
    struct kafka_bus *b = w->bus;
    pthread_mutex_lock(&b->lock);
    MAP_EACH (&b->topics, e) {
        char *full = mem_dup(e->key.ptr, e->key.len);
        *VEC_PUSH(&w->warm) = rd_kafka_topic_new(w->rk, full, NULL);
        mem_free(full);
    }
    pthread_mutex_unlock(&b->lock);
    const struct rd_kafka_metadata *md = NULL;
    if (w->warm.len > 0 &&
        rd_kafka_metadata(w->rk, 0, NULL, &md, timeout_ms) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        rd_kafka_metadata_destroy(md);
    }
}

struct kafka_health kafka_bus_health(struct kafka_bus *b)
{
    pthread_mutex_lock(&b->lock); /* error_cb runs in here: one poll at a time */
    (void)rd_kafka_poll(b->rk, 0);
    struct kafka_health h = b->health;
    pthread_mutex_unlock(&b->lock);
    return h;
}

void kafka_bus_healthy(struct kafka_bus *b)
{
    pthread_mutex_lock(&b->lock);
    b->health.code = RD_KAFKA_RESP_ERR_NO_ERROR;
    pthread_mutex_unlock(&b->lock);
}

static int check_confs(const struct kafka_conf *k, struct err *reterr)
{
    static const enum kafka_role roles[] = {KAFKA_READER, KAFKA_PLAIN, KAFKA_SLOT, KAFKA_ELECT};
    for (size_t i = 0; i < ARRAY_LEN(roles); i++) {
        rd_kafka_conf_t *conf = NULL;
        int rc = kafka_conf_make(k, roles[i], &conf, reterr);
        if (rc != 0) {
            return rc;
        }
        rd_kafka_conf_destroy(conf);
    }
    return 0;
}

static int kafka_new(const struct bus_conf *conf, struct bus **ret_bus, struct err *reterr)
{
    if (conf->kafka.brokers == NULL || conf->kafka.brokers[0] == '\0') {
        return err_set(reterr, ERR_USAGE, "kafka: no brokers are given");
    }
    struct kafka_bus *b = MEM_NEW(struct kafka_bus);
    rd_kafka_conf_t *rk_conf = NULL;
    b->conf = kafka_conf_new(conf);
    int rc = check_confs(b->conf, reterr);
    rc = rc != 0 ? rc : kafka_conf_make(b->conf, KAFKA_ADMIN, &rk_conf, reterr);
    if (rc == 0) {
        kafka_health_watch(rk_conf, &b->health);
        b->rk = kafka_client_make(rk_conf, RD_KAFKA_CONSUMER, false, reterr);
        rc = b->rk != NULL ? 0 : -ERR_USAGE;
    }
    if (rc != 0) {
        kafka_conf_free(b->conf);
        mem_free(b);
        return rc;
    }
    b->clock = clock_system();
    pthread_mutex_init(&b->lock, NULL);
    pthread_cond_init(&b->idle, NULL);
    map_init(&b->topics, TOPICS_MAX);
    b->admin = kafka_worker_new(b);
    b->reaper = kafka_worker_new(b);
    *ret_bus = &b->b;
    return 0;
}

static void kafka_free(struct bus *bus)
{
    struct kafka_bus *b = (struct kafka_bus *)bus;
    atomic_store(&b->stopping, true);
    kafka_worker_end(b->admin);
    kafka_worker_end(b->reaper);
    kafka_workers_wait(b);
    if (b->claims != NULL) {
        rd_kafka_destroy(b->claims);
    }
    if (b->all != NULL) {
        rd_kafka_destroy_flags(b->all, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    }
    rd_kafka_destroy_flags(b->rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    pthread_mutex_destroy(&b->lock);
    pthread_cond_destroy(&b->idle);
    map_done(&b->topics);
    kafka_conf_free(b->conf);
    mem_free(b);
}

static struct bus_stats kafka_stats(const struct bus *bus)
{
    const struct kafka_bus *b = (const struct kafka_bus *)bus;
    uint64_t n[KAFKA_COUNTS];
    for (int i = 0; i < KAFKA_COUNTS; i++) {
        n[i] = atomic_load_explicit(&b->counts[i], memory_order_relaxed);
    }
    return (struct bus_stats){
        .puts = n[KAFKA_PUTS],
        .put_bytes = n[KAFKA_PUT_BYTES],
        .reads = n[KAFKA_READS],
        .read_bytes = n[KAFKA_READ_BYTES],
        .commits = n[KAFKA_COMMITS],
        .aborts = n[KAFKA_ABORTS],
        .unknowns = n[KAFKA_UNKNOWNS],
        .fences = n[KAFKA_FENCES],
        .refused = n[KAFKA_REFUSED],
        .taints = n[KAFKA_TAINTS],
    };
}

static void client_init(struct bus_client *client)
{
    struct kafka_client *c = (struct kafka_client *)client;
    c->box = kafka_box_new(&client->wake);
}

struct err *kafka_lend_err(struct kafka_client *c)
{
    struct kafka_post *p = kafka_post_new(BUS_EV_ERROR, 0);
    p->next = c->lent_posts;
    c->lent_posts = p;
    return &p->err;
}

static void give_back(struct kafka_client *c)
{
    VEC_EACH (&c->lent, m) {
        rd_kafka_message_destroy(*m);
    }
    VEC_CLEAR(&c->lent);
    VEC_CLEAR(&c->records);
    VEC_CLEAR(&c->headers);
    VEC_EACH (&c->dying, rk) {
        kafka_reader_destroy(kafka_of(&c->c), *rk);
    }
    VEC_CLEAR(&c->dying);
    while (c->lent_posts != NULL) {
        struct kafka_post *p = c->lent_posts;
        c->lent_posts = p->next;
        kafka_post_free(p);
    }
}

static void client_done(struct bus_client *client)
{
    struct kafka_client *c = (struct kafka_client *)client;
    while (c->elections.len > 0) {
        kafka_election_free(*VEC_LAST(&c->elections));
    }
    while (c->writers.len > 0) {
        kafka_writer_close((struct bus_writer *)*VEC_LAST(&c->writers));
    }
    while (c->readers.len > 0) {
        kafka_reader_free((struct bus_reader *)*VEC_LAST(&c->readers));
    }
    give_back(c);
    kafka_box_close(c->box);
    kafka_box_unref(c->box);
    VEC_DONE(&c->readers);
    VEC_DONE(&c->writers);
    VEC_DONE(&c->elections);
    VEC_DONE(&c->lent);
    VEC_DONE(&c->dying);
    VEC_DONE(&c->records);
    VEC_DONE(&c->headers);
}

static int poll_box(struct kafka_client *c, struct bus_ev *evs, int max)
{
    int n = 0;
    struct kafka_post *p;
    while (n < max && (p = kafka_box_take(c->box)) != NULL) {
        if (p->apply != NULL && !p->apply(c, p)) {
            kafka_post_free(p);
            continue;
        }
        p->ev.err = p->err.code != ERR_OK ? &p->err : NULL;
        evs[n++] = p->ev;
        p->next = c->lent_posts;
        c->lent_posts = p;
    }
    return n;
}

static int poll_readers(struct kafka_client *c, struct bus_ev *evs, int max)
{
    int n = 0;
    int64_t budget = POLL_BYTES;
    bool more = false;
    size_t first = c->turn++;
    for (size_t i = 0; i < c->readers.len; i++) {
        int got = 0;
        struct kafka_reader *r = c->readers.ptr[(first + i) % c->readers.len];
        more = kafka_reader_poll(r, evs + n, max - n, &got, &budget) || more;
        n += got;
    }
    if (more) {
        bus_wake_signal(&c->c.wake);
    }
    kafka_reader_fix(c, evs, n);
    return n;
}

static int kafka_poll(struct bus_client *client, struct bus_ev *evs, int max)
{
    struct kafka_client *c = (struct kafka_client *)client;
    give_back(c);
    if (max == 0) {
        return 0;
    }
    VEC_EACH (&c->elections, e) {
        kafka_election_poll(*e);
    }
    int n = poll_box(c, evs, max);
    VEC_EACH (&c->writers, w) {
        n += kafka_writer_poll(*w, evs + n, max - n);
    }
    n += client->held ? 0 : poll_readers(c, evs + n, max - n);
    assert(n <= max);
    return n;
}

const struct bus_ops bus_kafka_ops = {
    .bus_new = kafka_new,
    .bus_free = kafka_free,
    .stats = kafka_stats,
    .client_bytes = sizeof(struct kafka_client),
    .client_init = client_init,
    .client_done = client_done,
    .poll = kafka_poll,
    .wait = NULL,
    .ensure = kafka_ensure,
    .describe = kafka_describe,
    .list = kafka_list,
    .bounds = kafka_bounds,
    .settled = kafka_settled,
    .by_time = kafka_by_time,
    .trim = kafka_trim,
    .maintain = kafka_maintain,
    .fence = kafka_fence,
    .elect = kafka_elect,
    .resign = kafka_resign,
    .reader_new = kafka_reader_new,
    .reader_free = kafka_reader_free,
    .assign = kafka_assign,
    .unassign = kafka_unassign,
    .seek = kafka_seek,
    .pause = kafka_pause,
    .open = kafka_open,
    .writer_close = kafka_writer_close,
    .put = kafka_put,
    .commit = kafka_commit,
    .abort = kafka_abort,
};
