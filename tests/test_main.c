/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs the tests that TEST registered, in the order of the link. `prog [part of a name]...`;
 * with `-l` lists them. KAIJU_TEST_SHARD=2/4 runs every fourth from the second, so that four
 * processes run all; KAIJU_TEST_TIMES=1 prints what each took. Exit status: 0 all passed, 1
 * otherwise. One thread; a test may start others but only the first may fail a CHECK.
 */
#include "tests/test.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

extern const struct test_case *const __start_kaiju_tests[];
extern const struct test_case *const __stop_kaiju_tests[];

enum outcome { OUTCOME_PASSED = 0, OUTCOME_FAILED = 1, OUTCOME_SKIPPED = 2 };

static jmp_buf escape;
static char tmpdir[64];

void test_fail(const char *file, int line, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fprintf(stderr, "%s:%d: ", file, line);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
    longjmp(escape, OUTCOME_FAILED);
}

void test_skip(const char *why)
{
    fprintf(stderr, "skipped: %s\n", why);
    longjmp(escape, OUTCOME_SKIPPED);
}

const char *test_tmpdir(void)
{
    if (tmpdir[0] == '\0') {
        snprintf(tmpdir, sizeof tmpdir, "/tmp/kaiju-test-XXXXXX");
        if (mkdtemp(tmpdir) == NULL) {
            test_fail(__FILE__, __LINE__, "mkdtemp failed");
        }
    }
    return tmpdir;
}

const char *test_source_dir(void)
{
    const char *dir = getenv("KAIJU_SOURCE_DIR");
    return dir != NULL ? dir : ".";
}

const char *test_build_dir(void)
{
    const char *dir = getenv("KAIJU_BUILD_DIR");
    return dir != NULL ? dir : "build/dev";
}

void test_check_str(const char *file, int line, const char *what, const char *want, const char *got)
{
    if (want == NULL || got == NULL ? want != got : strcmp(want, got) != 0) {
        test_fail(file, line, "%s:\n  want: %s\n  got:  %s", what, want != NULL ? want : "(null)",
                  got != NULL ? got : "(null)");
    }
}

void test_check_bytes(const char *file, int line, const char *what, const char *want,
                      const char *got, size_t got_len)
{
    if (strlen(want) != got_len || memcmp(want, got, got_len) != 0) {
        test_fail(file, line, "%s:\n  want: %s\n  got:  %.*s", what, want, (int)got_len, got);
    }
}

void test_check_has(const char *file, int line, const char *part, const char *text)
{
    if (text == NULL || strstr(text, part) == NULL) {
        test_fail(file, line, "missing: %s\n  in: %s", part, text != NULL ? text : "(null)");
    }
}

static void remove_tmpdir(void)
{
    if (tmpdir[0] != '\0') {
        char cmd[96];
        snprintf(cmd, sizeof cmd, "rm -rf '%s'", tmpdir);
        if (system(cmd) != 0) {
            fprintf(stderr, "could not remove %s\n", tmpdir);
        }
        tmpdir[0] = '\0';
    }
}

static enum outcome run_one(const struct test_case *t)
{
    enum outcome outcome = (enum outcome)setjmp(escape);
    if (outcome == OUTCOME_PASSED) {
        t->run();
    }
    remove_tmpdir();
    if (outcome == OUTCOME_FAILED) {
        fprintf(stderr, "FAILED %s (%s)\n", t->name, t->file);
    }
    return outcome;
}

/* "2/4"; all of one without it. */
static void shard(unsigned long *ret_first, unsigned long *ret_step)
{
    const char *text = getenv("KAIJU_TEST_SHARD");
    char *slash = NULL;
    unsigned long first = text != NULL ? strtoul(text, &slash, 10) : 1;
    unsigned long step = slash != NULL && *slash == '/' ? strtoul(slash + 1, NULL, 10) : 1;
    *ret_step = step > 0 ? step : 1;
    *ret_first = first > 0 ? first - 1 : 0;
}

static enum outcome run_timed(const struct test_case *t)
{
    struct timespec from, to;
    (void)timespec_get(&from, TIME_UTC);
    enum outcome outcome = run_one(t);
    (void)timespec_get(&to, TIME_UTC);
    if (getenv("KAIJU_TEST_TIMES") != NULL) {
        double s = (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
        fprintf(stderr, "%8.3f s %s\n", s, t->name);
    }
    return outcome;
}

/* Without parts: all. */
static bool is_wanted(const struct test_case *t, int n_parts, char *const *parts)
{
    bool wanted = n_parts == 0;
    for (int i = 0; i < n_parts; i++) {
        wanted |= strstr(t->name, parts[i]) != NULL;
    }
    return wanted;
}

int main(int argc, char **argv)
{
    bool list = argc > 1 && strcmp(argv[1], "-l") == 0;
    int counts[3] = {0, 0, 0};
    unsigned long first, step, n = 0;
    shard(&first, &step);
    for (const struct test_case *const *t = __start_kaiju_tests; t < __stop_kaiju_tests; t++) {
        if (list) {
            puts((*t)->name);
        } else if (is_wanted(*t, argc - 1, argv + 1) && n++ % step == first) {
            counts[run_timed(*t)]++;
        }
    }
    if (list) {
        return 0;
    }
    printf("%d passed, %d failed, %d skipped\n", counts[OUTCOME_PASSED], counts[OUTCOME_FAILED],
           counts[OUTCOME_SKIPPED]);
    return counts[OUTCOME_FAILED] > 0 || counts[OUTCOME_PASSED] + counts[OUTCOME_SKIPPED] == 0;
}
