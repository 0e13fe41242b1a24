/* SPDX-License-Identifier: Apache-2.0
 *
 * The test harness. A test file includes this and writes
 *
 *     TEST(slice_trims_both_ends)
 *     {
 *         CHECK_EQ(1, 1);
 *     }
 *
 * TEST places a record in the linker section "kaiju_tests"; that is safe here, and only here,
 * because test objects are linked directly and not out of a static library. test_main.c runs every
 * record (or those whose name contains an argument), prints one line for each failure and a
 * summary. A failed CHECK ends its test at once by longjmp, so tests need no clean-up path.
 */
#ifndef TESTS_TEST_H
#define TESTS_TEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct test_case {
    const char *name;
    const char *file;
    void (*run)(void);
};

_Noreturn void test_fail(const char *file, int line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Ends the test as skipped; the summary counts it. Use only for what the machine cannot offer. */
_Noreturn void test_skip(const char *why);
/* A fresh directory, removed after the test. Valid until the test ends. */
const char *test_tmpdir(void);
/* The checkout (KAIJU_SOURCE_DIR, else the current directory) and the build tree. */
const char *test_source_dir(void);
const char *test_build_dir(void);

#define TEST(name_)                                                                                \
    static void test_##name_(void);                                                                \
    static const struct test_case test_case_##name_ = {#name_, __FILE__, test_##name_};            \
    static const struct test_case *const test_ptr_##name_                                          \
        __attribute__((used, section("kaiju_tests"))) = &test_case_##name_;                        \
    static void test_##name_(void)

#define CHECK(cond_)                                                                               \
    do {                                                                                           \
        if (!(cond_)) {                                                                            \
            test_fail(__FILE__, __LINE__, "not true: %s", #cond_);                                 \
        }                                                                                          \
    } while (0)

#define CHECK_EQ(want_, got_)                                                                      \
    do {                                                                                           \
        long long want__ = (long long)(want_), got__ = (long long)(got_);                          \
        if (want__ != got__) {                                                                     \
            test_fail(__FILE__, __LINE__, "%s: want %lld, got %lld", #got_, want__, got__);        \
        }                                                                                          \
    } while (0)

#define CHECK_OK(call_, err_)                                                                      \
    do {                                                                                           \
        int rc__ = (call_);                                                                        \
        if (rc__ != 0) {                                                                           \
            test_fail(__FILE__, __LINE__, "%s: %d %s", #call_, rc__, (err_).msg);                  \
        }                                                                                          \
    } while (0)

/* Strings, NULL-safe; and slices by their bytes. */
#define CHECK_STR(want_, got_) test_check_str(__FILE__, __LINE__, #got_, (want_), (got_))
#define CHECK_SLICE(want_, got_)                                                                   \
    do {                                                                                           \
        struct slice got__ = (got_);                                                               \
        test_check_bytes(__FILE__, __LINE__, #got_, (want_), got__.ptr, got__.len);                \
    } while (0)
/* The text contains the part. */
#define CHECK_HAS(part_, text_) test_check_has(__FILE__, __LINE__, (part_), (text_))

void test_check_str(const char *file, int line, const char *what, const char *want,
                    const char *got);
void test_check_bytes(const char *file, int line, const char *what, const char *want,
                      const char *got, size_t got_len);
void test_check_has(const char *file, int line, const char *part, const char *text);

/* So many seeds; fewer where each step costs many times as much. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TEST_SEEDS(n) (((n) + 3) / 4)
#else
#define TEST_SEEDS(n) (n)
#endif

#endif
