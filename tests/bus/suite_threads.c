/* SPDX-License-Identifier: Apache-2.0
 *
 * Several clients of one bus, each in a thread of its own. Only the first thread may fail a test,
 * so the others use the bus directly and report a reason.
 */
#include "tests/bus/suite.h"

#include <pthread.h>
#include <stdio.h>

enum { THREADS = 3, COMMITS = 20, PUTS = 10 };

struct job {
    struct bus *bus;
    int number;
    const char *failed;
};

static bool await(struct bus_client *c, enum bus_ev_kind kind, uint64_t tag)
{
    int64_t until = clock_mono(bus_clock(c)) + suite_hooks.patience_ns;
    while (clock_mono(bus_clock(c)) < until) {
        struct bus_ev evs[16];
        int n = bus_poll(c, evs, 16);
        for (int i = 0; i < n; i++) {
            if (evs[i].tag == tag) {
                return evs[i].kind == kind;
            }
        }
        if (n == 0) {
            bus_wait(c, until - clock_mono(bus_clock(c)));
        }
    }
    return false;
}

static bool put(struct bus_client *c, struct bus_writer *w, int thread, int n)
{
    char value[32];
    struct bus_put put = {.to = {bus_topic(c, SLICE("t")), (uint32_t)(n % 4)}};
    put.value = slice_of(value, (size_t)snprintf(value, sizeof value, "%d.%d", thread, n));
    int rc;
    while ((rc = bus_put(w, &put, NULL)) == -ERR_AGAIN) {
        struct bus_ev evs[4];
        (void)bus_poll(c, evs, 4);
    }
    return rc == 0;
}

static const char *work(struct bus_client *c, int number)
{
    char slot[16];
    snprintf(slot, sizeof slot, "thread.%d", number);
    struct bus_writer *w = NULL;
    if (bus_open(c, slice_str(slot), 1, &w, NULL) != 0 || !await(c, BUS_EV_OPENED, 1)) {
        return "open";
    }
    for (int i = 0; i < COMMITS; i++) {
        for (int j = 0; j < PUTS; j++) {
            if (!put(c, w, number, i * PUTS + j)) {
                return "put";
            }
        }
        uint64_t tag = 10 + (uint64_t)i;
        if (bus_commit(w, tag, NULL) != 0 || !await(c, BUS_EV_COMMITTED, tag)) {
            return "commit";
        }
    }
    return NULL;
}

static void *run(void *arg)
{
    struct job *job = arg;
    struct bus_client *c = bus_client_new(job->bus, "thread");
    job->failed = work(c, job->number);
    bus_client_free(c);
    return NULL;
}

TEST(threads_write_side_by_side)
{
    if (!suite_hooks.threads) {
        test_skip("one thread only");
    }
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_tp tp = suite_topic(a, "t", 4, BUS_DELETE);
    struct job jobs[THREADS];
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        jobs[i] = (struct job){s.bus, i, NULL};
        CHECK_EQ(0, pthread_create(&threads[i], NULL, run, &jobs[i]));
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    for (int i = 0; i < THREADS; i++) {
        CHECK_STR(NULL, jobs[i].failed);
    }
    for (uint32_t p = 0; p < 4; p++) {
        struct suite_log *log =
            suite_read(a, suite_part(tp, p), BUS_FROM_START, THREADS * COMMITS * PUTS / 4);
        int last[THREADS] = {-1, -1, -1};
        for (size_t i = 0; i < log->count; i++) {
            struct slice value = log->recs[i].value;
            int thread = value.ptr[0] - '0';
            int64_t n = -1;
            CHECK(thread >= 0 && thread < THREADS);
            CHECK(slice_to_i64(slice_sub(value, 2, value.len), &n));
            CHECK(n > last[thread]);
            last[thread] = (int)n;
        }
    }
    suite_end(&s);
}
