/* SPDX-License-Identifier: Apache-2.0
 *
 * Other processes beside the writer: several readers, one that is stopped, a second writer.
 */
#include "core/base/log.h"
#include "core/bus/bus_local.h"
#include "tests/crash/crash_child.h"
#include "tests/test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

enum { READERS = 3, VALUE_BYTES = 100 * 1000, TEXT = 256, LOG_BYTES = 4096 };

static struct crash_child child, readers[READERS]; /* large */
static const int64_t patience_ns = 60 * CLOCK_NS_PER_S;

static void start(struct crash_child *c, const char *mode, const char *arg)
{
    const char *const args[] = {mode, test_tmpdir(), arg, NULL};
    crash_child_start(c, args, NULL);
}

struct writing {
    struct bus *bus;
    struct bus_client *client;
    struct bus_writer *writer;
    struct bus_tp log, churn;
};

static struct writing begin(void)
{
    struct writing w = {.bus = crash_open(test_tmpdir(), false)};
    struct err err;
    w.client = bus_client_new(w.bus, "test");
    crash_make_topics(w.client);
    w.log = (struct bus_tp){bus_topic(w.client, SLICE("log")), 0};
    w.churn = (struct bus_tp){bus_topic(w.client, SLICE("churn")), 0};
    CHECK_OK(bus_open(w.client, SLICE("s0"), 2, &w.writer, &err), err);
    (void)crash_await(w.client, BUS_EV_OPENED, 2);
    return w;
}

static void end(struct writing *w)
{
    bus_client_free(w->client);
    bus_free(w->bus);
}

/* COMMITTED or FULL; *ret_err for the latter. */
static enum bus_ev_kind commit(struct writing *w, struct bus_tp to, struct err *ret_err)
{
    static char value[VALUE_BYTES];
    struct bus_put put = {.to = to, .value = slice_of(value, sizeof value)};
    struct bus_ev ev;
    struct err err;
    CHECK_OK(bus_put(w->writer, &put, &err), err);
    CHECK_OK(bus_commit(w->writer, 3, &err), err);
    while (bus_poll(w->client, &ev, 1) == 0) {
        bus_wait(w->client, CLOCK_NS_PER_S);
    }
    CHECK(ev.tag == 3 && (ev.kind == BUS_EV_COMMITTED || ev.kind == BUS_EV_FULL));
    if (ev.kind == BUS_EV_FULL) {
        *ret_err = *ev.err;
        CHECK(!ev.reopen);
    }
    return ev.kind;
}

/* Three maps' worth through a topic with short retention. */
static void churn(struct writing *w)
{
    struct err err;
    for (size_t bytes = 0; bytes < (size_t)CRASH_MAP_BYTES * 3; bytes += VALUE_BYTES) {
        if (commit(w, w->churn, &err) != BUS_EV_COMMITTED) {
            test_fail(__FILE__, __LINE__, "after %zu bytes: %s", bytes, err.msg);
        }
    }
}

static struct bus_local_report report(struct writing *w)
{
    struct bus_local_report r;
    struct err err;
    CHECK_OK(bus_local_report(w->bus, &r, &err), err);
    return r;
}

TEST(crash_readers_beside_a_writer)
{
    const char *const args[] = {"work", test_tmpdir(), "1", "1", "1", "1", NULL};
    char first[TEXT];
    crash_child_start(&child, args, NULL);
    crash_child_wait(&child, patience_ns); /* the topics are there */
    for (int i = 0; i < READERS; i++) {
        start(&readers[i], "read", "300");
    }
    for (int i = 0; i < READERS; i++) {
        const char *text = crash_child_line(&readers[i], patience_ns);
        CHECK(text != NULL);
        if (i == 0) {
            snprintf(first, sizeof first, "%s", text);
        }
        CHECK_STR(first, text);
        CHECK_EQ(0, crash_child_end(&readers[i], 0));
    }
    CHECK_HAS("read ", first);
    (void)crash_child_end(&child, SIGKILL);
    start(&readers[0], "read", "300"); /* and without a writer */
    CHECK_STR(first, crash_child_line(&readers[0], patience_ns));
    CHECK_EQ(0, crash_child_end(&readers[0], 0));
}

TEST(crash_read_only_beside_a_writer)
{
    struct writing w = begin();
    struct err err;
    char want[TEXT];
    CHECK_EQ(BUS_EV_COMMITTED, commit(&w, w.log, &err));
    CHECK_OK(bus_bounds(w.client, w.log, 4, &err), err);
    struct bus_ev ev = crash_await(w.client, BUS_EV_DONE, 4);
    snprintf(want, sizeof want, "bounds %lld %lld", (long long)ev.offset, (long long)ev.end);
    start(&child, "peek", NULL);
    CHECK_HAS("open DENIED: the bus was opened read-only", crash_child_line(&child, patience_ns));
    CHECK_STR("trim DENIED", crash_child_line(&child, patience_ns));
    CHECK_STR(want, crash_child_line(&child, patience_ns));
    CHECK_EQ(0, crash_child_end(&child, 0));
    CHECK_EQ(BUS_EV_COMMITTED, commit(&w, w.log, &err));
    end(&w);
}

TEST(crash_a_second_writer_is_told_who_holds_it)
{
    struct writing w = begin();
    char want[TEXT];
    snprintf(want, sizeof want, "process %ld writes there: only one may; stop it", (long)getpid());
    start(&child, "open", NULL);
    const char *text = crash_child_line(&child, patience_ns);
    CHECK_HAS("DENIED", text);
    CHECK_HAS(want, text);
    CHECK_EQ(0, crash_child_end(&child, 0));
    end(&w);
    start(&child, "open", NULL);
    CHECK_HAS("OK", crash_child_line(&child, patience_ns));
    CHECK_EQ(0, crash_child_end(&child, 0));
}

static void check_log(const char *path, const char *part)
{
    char text[LOG_BYTES] = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0 && read(fd, text, sizeof text - 1) >= 0);
    close(fd);
    CHECK_HAS("a reader keeps old pages", text);
    CHECK_HAS(part, text);
}

TEST(crash_a_stopped_reader_is_named_and_the_map_keeps_its_reserve)
{
    char path[TEXT], want[TEXT];
    snprintf(path, sizeof path, "%s/log", test_tmpdir());
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    log_setup(&(struct log_conf){.level = LOG_LEVEL_INFO, .fd = fd});
    struct writing w = begin();
    struct err err;
    CHECK_EQ(BUS_EV_COMMITTED, commit(&w, w.log, &err));
    start(&child, "hold", NULL);
    CHECK_STR("holding", crash_child_line(&child, patience_ns));
    kill(child.pid, SIGSTOP);
    CHECK_EQ(BUS_EV_COMMITTED, commit(&w, w.churn, &err));
    usleep(CRASH_PIN_WARN_MS * 2000);
    /* Named before anything is full. */
    struct bus_local_report r = report(&w);
    CHECK(r.pin_count == 1 && r.pins[0].pid == child.pid);
    CHECK(r.pins[0].held_ns >= CRASH_PIN_WARN_MS * CLOCK_NS_PER_MS);
    snprintf(want, sizeof want, "pid=%ld", (long)child.pid);
    check_log(path, want);

    size_t bytes = 0;
    while (bytes < CRASH_MAP_BYTES && commit(&w, w.churn, &err) == BUS_EV_COMMITTED) {
        bytes += VALUE_BYTES;
    }
    snprintf(want, sizeof want, "reader process %ld holds old pages", (long)child.pid);
    CHECK_HAS(want, err.msg);
    CHECK_EQ(ERR_FULL, err.code);
    r = report(&w);
    CHECK(r.file_pages * r.page_bytes <= r.map_bytes - r.reserve_bytes / 2);
    CHECK_OK(bus_trim(w.client, w.churn, BUS_FROM_END, 5, &err), err); /* works, if to no avail */
    (void)crash_await(w.client, BUS_EV_DONE, 5);
    CHECK_EQ(BUS_EV_FULL, commit(&w, w.churn, &err));

    (void)crash_child_end(&child, SIGKILL);
    usleep(CRASH_PIN_WARN_MS * 1000);
    churn(&w); /* and goes on without end */
    CHECK_EQ(0, report(&w).pin_count);
    end(&w);
    log_setup(&(struct log_conf){.level = LOG_LEVEL_INFO, .fd = STDERR_FILENO});
    close(fd);
}

TEST(crash_a_reader_stopped_between_polls_holds_nothing)
{
    struct writing w = begin();
    start(&child, "read", "1000000");
    usleep(CRASH_PIN_WARN_MS * 1000);
    kill(child.pid, SIGSTOP);
    churn(&w);
    CHECK_EQ(0, report(&w).pin_count);
    (void)crash_child_end(&child, SIGKILL);
    end(&w);
}
