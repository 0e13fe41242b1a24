/* SPDX-License-Identifier: Apache-2.0
 *
 * kill -9 during commits, and power loss at every kind of moment: after each the bus is opened
 * again and crash_check says what is there. A directory lives for ROUNDS_A_DIR rounds, so later
 * rounds begin with what earlier ones left. On failure the directory stays and the message says how
 * to run that round again: KAIJU_CRASH_SEED, KAIJU_CRASH_FROM (a multiple of ROUNDS_A_DIR),
 * KAIJU_CRASH_ROUNDS.
 */
#include "tests/crash/crash_child.h"
#include "tests/test.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

enum {
    ROUNDS_A_DIR = 10,
    KILL_ROUNDS = 200,
    POWER_ROUNDS = 50,
    LIE_ROUNDS = 10,
    TEXT = 32,
    DIR_TEXT = 64
};

struct run {
    const char *name;
    uint64_t seed, round, x; /* x: chance of the round */
    char dir[DIR_TEXT];
    struct crash_model model;
    uint64_t acked, txns;
};

static uint64_t draw(struct run *r, uint64_t below)
{
    r->x ^= r->x << 13;
    r->x ^= r->x >> 7;
    r->x ^= r->x << 17;
    return (r->x >> 11) % below;
}

static void begin_round(struct run *r)
{
    if (r->round % ROUNDS_A_DIR == 0) {
        snprintf(r->dir, sizeof r->dir, "/tmp/kaiju-crash-XXXXXX");
        CHECK(mkdtemp(r->dir) != NULL);
        r->model = (struct crash_model){.plain = 0};
    }
    r->x = (r->seed + r->round) * 0x9e3779b97f4a7c15u | 1;
    (void)draw(r, 2);
}

static void remove_dir(const struct run *r)
{
    char cmd[DIR_TEXT + 16];
    snprintf(cmd, sizeof cmd, "rm -rf '%s'", r->dir);
    CHECK_EQ(0, system(cmd));
}

static void start_work(struct run *r, struct crash_child *c, const char *const *env)
{
    char seed[TEXT], first0[TEXT], first1[TEXT], plain[TEXT];
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)(r->seed + r->round));
    snprintf(first0, sizeof first0, "%llu", (unsigned long long)r->model.last[0] + 1);
    snprintf(first1, sizeof first1, "%llu", (unsigned long long)r->model.last[1] + 1);
    snprintf(plain, sizeof plain, "%llu", (unsigned long long)r->model.plain + 1);
    const char *const args[] = {"work", r->dir, seed, first0, first1, plain, NULL};
    crash_child_start(c, args, env);
}

/* NULL, or what is wrong. */
static const char *check_round(struct run *r, struct crash_child *c)
{
    struct crash_acks acks = {{0}, {NULL, 0, 0}};
    crash_child_acks(c, &acks);
    uint64_t before = r->model.last[0] + r->model.last[1];
    const char *wrong = crash_check(r->dir, &r->model, &acks);
    r->acked += acks.plain.len;
    r->txns += r->model.last[0] + r->model.last[1] - before;
    VEC_DONE(&acks.plain);
    return wrong;
}

static void end_round(struct run *r, const char *wrong)
{
    if (wrong != NULL) {
        test_fail(__FILE__, __LINE__,
                  "%s: round %llu: %s\n  the directory is %s; again: KAIJU_CRASH_SEED=%llu "
                  "KAIJU_CRASH_FROM=%llu KAIJU_CRASH_ROUNDS=%llu",
                  r->name, (unsigned long long)r->round, wrong, r->dir, (unsigned long long)r->seed,
                  (unsigned long long)(r->round / ROUNDS_A_DIR * ROUNDS_A_DIR),
                  (unsigned long long)(r->round % ROUNDS_A_DIR + 1));
    }
    r->round++;
    if (r->round % ROUNDS_A_DIR == 0) {
        remove_dir(r);
    }
}

static struct run new_run(const char *name, uint64_t *ret_end, uint64_t rounds)
{
    struct run r = {.name = name, .seed = crash_setting("KAIJU_CRASH_SEED", 1)};
    r.round = crash_setting("KAIJU_CRASH_FROM", 0);
    r.round -= r.round % ROUNDS_A_DIR;
    *ret_end = r.round + crash_setting("KAIJU_CRASH_ROUNDS", rounds);
    return r;
}

static void finish(struct run *r)
{
    if (r->round % ROUNDS_A_DIR != 0) {
        remove_dir(r);
    }
    printf("%s: %llu rounds, %llu transactions, %llu plain puts acknowledged, seed %llu\n", r->name,
           (unsigned long long)r->round, (unsigned long long)r->txns, (unsigned long long)r->acked,
           (unsigned long long)r->seed);
}

static struct crash_child child; /* large */

TEST(crash_kill_during_commits)
{
    uint64_t end;
    struct run r = new_run("kill", &end, KILL_ROUNDS);
    while (r.round < end) {
        begin_round(&r);
        start_work(&r, &child, NULL);
        /* Mostly during the work, at times while it opens. */
        uint64_t ms = draw(&r, 10) == 0 ? draw(&r, 6) : 5 + draw(&r, 60);
        crash_child_read(&child, (int64_t)ms * CLOCK_NS_PER_MS);
        int status = crash_child_end(&child, SIGKILL);
        CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        end_round(&r, check_round(&r, &child));
    }
    CHECK(r.acked > r.round); /* else nothing was going on when it was killed */
    finish(&r);
}

static const char *power_round(struct run *r, bool lie)
{
    char at[TEXT * 2], seed[TEXT * 2], torn[TEXT];
    begin_round(r);
    /* The first calls make the file; a group commit is some ten calls. */
    uint64_t call = draw(r, 8) == 0 ? 1 + draw(r, 40) : 40 + draw(r, 2500);
    snprintf(at, sizeof at, "KAIJU_POWER_AT=%llu", (unsigned long long)call);
    snprintf(seed, sizeof seed, "KAIJU_POWER_SEED=%llu", (unsigned long long)(r->seed + r->round));
    snprintf(torn, sizeof torn, "KAIJU_POWER_TORN=%d", (int)(r->round % 2));
    const char *const env[] = {at, seed, torn, lie ? "KAIJU_POWER_LIE=1" : "KAIJU_POWER_LIE=0",
                               NULL};
    start_work(r, &child, env);
    crash_child_read(&child, 20 * CLOCK_NS_PER_S);
    int status = crash_child_end(&child, 0);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL); /* the power did it */
    return check_round(r, &child);
}

TEST(crash_power_loss)
{
    uint64_t end;
    struct run r = new_run("power", &end, POWER_ROUNDS);
    while (r.round < end) {
        end_round(&r, power_round(&r, false));
    }
    CHECK(r.acked > r.round);
    finish(&r);
}

static void lie_round(struct run *r)
{
    const char *wrong = power_round(r, true);
    r->round = ROUNDS_A_DIR; /* a fresh directory each time */
    remove_dir(r);
    exit(wrong != NULL ? 1 : 0);
}

/* The test of the test: on a disk that does not keep what was synced something must be missing. */
TEST(crash_a_lying_disk_is_found_out)
{
    uint64_t end, found = 0;
    struct run r = new_run("lie", &end, LIE_ROUNDS);
    for (uint64_t i = 0; i < LIE_ROUNDS; i++) {
        int status = 0;
        fflush(NULL);
        pid_t pid = fork(); /* what lies in such a file may be anything */
        if (pid == 0) {
            r.seed += i * 1000;
            r.round = 0;
            lie_round(&r);
        }
        CHECK_EQ(pid, waitpid(pid, &status, 0));
        found += !WIFEXITED(status) || WEXITSTATUS(status) != 0;
    }
    CHECK(found > LIE_ROUNDS / 2);
}
