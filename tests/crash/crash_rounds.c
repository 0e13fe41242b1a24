/* SPDX-License-Identifier: Apache-2.0
 *
 * Rounds of interruption: crash_writer works, is stopped at some moment, and crash_check says what
 * is there afterwards.
 *
 *     crash_rounds [kill|power|lie|early] [--seed N] [--rounds N] [--from N]
 *
 * kill (200 rounds): kill -9 during commits. power (50): the preloaded disk loses power in the N-th
 * call that writes or syncs, half the rounds with torn pages. lie, early (10): the tests of the
 * test: a disk that keeps nothing at a sync, a writer that acknowledges before it commits; of these
 * rounds a fifth at least must be found out. Without a word all of them. A directory lives for
 * ROUNDS_A_DIR rounds, so later rounds begin with what earlier ones left. What goes wrong leaves
 * its directory behind and prints how to run that round again; --from is rounded down to where its
 * directory began. A seed fixes the work and the moment; what threads do until then is not repeated
 * exactly.
 */
#include "tests/crash/crash_child.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROUNDS_A_DIR = 10, TEXT = 32, DIR_TEXT = 64, CALL_KINDS = 8 };

struct run {
    const char *name;
    uint64_t seed, from, rounds;
    uint64_t round, x; /* x: chance of the round */
    char dir[DIR_TEXT];
    struct crash_model model;
    uint64_t acked, txns, beyond; /* beyond: rounds that left more than was acknowledged */
    struct {
        char name[TEXT];
        uint64_t count;
    } calls[CALL_KINDS];
};

static struct crash_child child; /* large */

static uint64_t draw(struct run *r, uint64_t below)
{
    r->x ^= r->x << 13;
    r->x ^= r->x >> 7;
    r->x ^= r->x << 17;
    return (r->x >> 11) % below;
}

static void begin_round(struct run *r, bool fresh)
{
    if (fresh) {
        snprintf(r->dir, sizeof r->dir, "/tmp/kaiju-crash-XXXXXX");
        if (mkdtemp(r->dir) == NULL) {
            crash_die(r->dir, NULL);
        }
        snprintf(r->dir + strlen(r->dir), sizeof r->dir - strlen(r->dir), "/bus");
        r->model = (struct crash_model){.plain = 0};
    }
    r->x = (r->seed + r->round) * 0x9e3779b97f4a7c15u | 1;
    (void)draw(r, 2);
}

static void remove_dir(const struct run *r)
{
    char cmd[DIR_TEXT + 16];
    snprintf(cmd, sizeof cmd, "rm -rf '%.*s'", (int)strlen(r->dir) - (int)strlen("/bus"), r->dir);
    if (system(cmd) != 0) {
        crash_die(cmd, NULL);
    }
}

static void start_work(struct run *r, const char *const *env, bool early)
{
    char seed[TEXT], first0[TEXT], first1[TEXT], plain[TEXT];
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)(r->seed + r->round));
    snprintf(first0, sizeof first0, "%llu", (unsigned long long)r->model.last[0] + 1);
    snprintf(first1, sizeof first1, "%llu", (unsigned long long)r->model.last[1] + 1);
    snprintf(plain, sizeof plain, "%llu", (unsigned long long)r->model.plain + 1);
    const char *const args[] = {"work", r->dir, seed, first0, first1, plain, early ? "early" : NULL,
                                NULL};
    crash_child_start(&child, args, env);
}

static void count_call(struct run *r, const char *name)
{
    size_t i = 0;
    while (i + 1 < CALL_KINDS && r->calls[i].count > 0 && strcmp(r->calls[i].name, name) != 0) {
        i++;
    }
    snprintf(r->calls[i].name, sizeof r->calls[i].name, "%s", name);
    r->calls[i].count++;
}

/* NULL, or what is wrong. */
static const char *check_round(struct run *r)
{
    struct crash_acks acks = {.plain = {NULL, 0, 0}};
    struct crash_model before = r->model;
    crash_child_acks(&child, &acks);
    const char *wrong = crash_check(r->dir, &r->model, &acks);
    bool beyond = false;
    for (size_t i = 0; i < CRASH_SLOTS; i++) {
        beyond = beyond || r->model.last[i] > MAX(acks.last[i], before.last[i]);
        r->txns += r->model.last[i] - before.last[i];
    }
    r->beyond += beyond;
    r->acked += acks.plain.len;
    if (acks.fell_in[0] != '\0') {
        count_call(r, acks.fell_in);
    }
    VEC_DONE(&acks.plain);
    return wrong;
}

static const char *kill_round(struct run *r, bool early)
{
    start_work(r, NULL, early);
    /* Mostly during the work, at times while it opens. */
    uint64_t ms = draw(r, early ? 10 : 60);
    if (early || draw(r, 10) != 0) {
        crash_child_wait(&child, 30 * CLOCK_NS_PER_S);
    }
    crash_child_read(&child, (int64_t)ms * CLOCK_NS_PER_MS);
    int status = crash_child_end(&child, SIGKILL);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) {
        return "the writer ended by itself";
    }
    return check_round(r);
}

static const char *power_round(struct run *r, bool lie)
{
    static const char *const in[] = {"KAIJU_POWER_ANY=1", "KAIJU_POWER_IN=sync",
                                     "KAIJU_POWER_IN=synced_write"};
    char at[TEXT * 2], seed[TEXT * 2], torn[TEXT];
    /* The first calls make the file; a group commit is some ten calls. */
    uint64_t call = draw(r, 8) == 0 ? 1 + draw(r, 40) : 40 + draw(r, 2500);
    snprintf(at, sizeof at, "KAIJU_POWER_AT=%llu", (unsigned long long)call);
    snprintf(seed, sizeof seed, "KAIJU_POWER_SEED=%llu", (unsigned long long)(r->seed + r->round));
    snprintf(torn, sizeof torn, "KAIJU_POWER_TORN=%d", (int)(r->round % 2));
    const char *const env[] = {at,
                               seed,
                               torn,
                               in[draw(r, ARRAY_LEN(in))],
                               lie ? "KAIJU_POWER_LIE=1" : "KAIJU_POWER_LIE=0",
                               NULL};
    start_work(r, env, false);
    crash_child_read(&child, 60 * CLOCK_NS_PER_S);
    int status = crash_child_end(&child, 0);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) {
        return "power did not fail in time";
    }
    return check_round(r);
}

static int honest(struct run *r, const char *(*round)(struct run *, bool))
{
    uint64_t end = r->from + r->rounds;
    for (r->round = r->from - r->from % ROUNDS_A_DIR; r->round < end; r->round++) {
        begin_round(r, r->round % ROUNDS_A_DIR == 0);
        const char *wrong = round(r, false);
        if (wrong != NULL) {
            printf("%s: round %llu: %s\n  the directory is %s; again: crash_rounds %s --seed %llu "
                   "--from %llu --rounds 1\n",
                   r->name, (unsigned long long)r->round, wrong, r->dir, r->name,
                   (unsigned long long)r->seed, (unsigned long long)r->round);
            return 1;
        }
        if (r->round % ROUNDS_A_DIR == ROUNDS_A_DIR - 1 || r->round == end - 1) {
            remove_dir(r);
        }
    }
    printf("%s: %llu rounds from %llu, seed %llu: %llu transactions and %llu acknowledged plain "
           "puts are there, none half; %llu rounds were cut between commit and acknowledgement\n",
           r->name, (unsigned long long)r->rounds, (unsigned long long)r->from,
           (unsigned long long)r->seed, (unsigned long long)r->txns, (unsigned long long)r->acked,
           (unsigned long long)r->beyond);
    for (size_t i = 0; i < CALL_KINDS && r->calls[i].count > 0; i++) {
        printf("%s%s %llu%s", i == 0 ? "  power failed in: " : ", ", r->calls[i].name,
               (unsigned long long)r->calls[i].count,
               i + 1 == CALL_KINDS || r->calls[i + 1].count == 0 ? "\n" : "");
    }
    return r->txns > r->rounds ? 0 : 1; /* else nothing was going on */
}

/* Each round in a directory and a process of its own: what lies in such a file may be anything. */
static int dishonest(struct run *r, const char *(*round)(struct run *, bool))
{
    uint64_t found = 0;
    for (r->round = r->from; r->round < r->from + r->rounds; r->round++) {
        int status = 0;
        begin_round(r, true);
        fflush(NULL);
        pid_t pid = fork();
        if (pid == 0) {
            status = freopen("/dev/null", "w", stderr) == NULL;
            _exit(status != 0 || round(r, true) == NULL ? 0 : 1);
        }
        if (pid < 0 || waitpid(pid, &status, 0) != pid) {
            crash_die("fork", NULL);
        }
        found += !WIFEXITED(status) || WEXITSTATUS(status) != 0;
        remove_dir(r);
    }
    printf("%s: %llu of %llu rounds from %llu, seed %llu, were found out\n", r->name,
           (unsigned long long)found, (unsigned long long)r->rounds, (unsigned long long)r->from,
           (unsigned long long)r->seed);
    return found * 5 >= r->rounds ? 0 : 1;
}

static const struct {
    const char *name;
    uint64_t rounds;
    int (*judge)(struct run *r, const char *(*round)(struct run *, bool));
    const char *(*round)(struct run *, bool);
} modes[] = {
    {"kill", 200, honest, kill_round},
    {"power", 50, honest, power_round},
    {"lie", 10, dishonest, power_round},
    {"early", 10, dishonest, kill_round},
};

static _Noreturn void usage(const char *arg)
{
    fprintf(stderr, "crash_rounds: %s? See the head of its source.\n", arg);
    exit(2);
}

int main(int argc, char **argv)
{
    struct clock clock = clock_system();
    uint64_t seed = (uint64_t)clock_wall(&clock) / CLOCK_NS_PER_S % 1000000, rounds = 0, from = 0;
    const char *only = NULL;
    int failed = 0, known = 0;
    for (int i = 1; i < argc; i++) {
        struct slice arg = slice_str(argv[i]);
        uint64_t *to = slice_eq(arg, SLICE("--seed"))     ? &seed
                       : slice_eq(arg, SLICE("--rounds")) ? &rounds
                       : slice_eq(arg, SLICE("--from"))   ? &from
                                                          : NULL;
        if (to == NULL && only == NULL && argv[i][0] != '-') {
            only = argv[i];
        } else if (to == NULL || i + 1 == argc || !slice_to_u64(slice_str(argv[++i]), to)) {
            usage(argv[i]);
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        if (only == NULL || strcmp(only, modes[i].name) == 0) {
            struct run r = {.name = modes[i].name,
                            .seed = seed,
                            .from = from,
                            .rounds = rounds > 0 ? rounds : modes[i].rounds};
            printf("%s: seed %llu\n", r.name, (unsigned long long)seed);
            failed += modes[i].judge(&r, modes[i].round);
            known++;
        }
    }
    if (known == 0) {
        usage(only);
    }
    return failed > 0;
}
