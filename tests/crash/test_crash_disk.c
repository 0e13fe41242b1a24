/* SPDX-License-Identifier: Apache-2.0
 *
 * What is synced, and what happens when the disk, the map or the quota is full, or a sync fails:
 * crash_writer does it (with the preloaded disk where the kernel's cannot be made to fail), these
 * tests read what it prints.
 */
#include "tests/crash/crash_child.h"
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>

static struct crash_child child; /* large */
static const int64_t patience_ns = 60 * CLOCK_NS_PER_S;
static const char *const no_env[] = {"KAIJU_POWER_AT=0", NULL};

static void start(const char *mode, const char *arg, const char *const *env)
{
    const char *const args[] = {mode, test_tmpdir(), arg, NULL};
    crash_child_start(&child, args, env);
}

/* Valid until the next call. */
static const char *line(void)
{
    const char *text = crash_child_line(&child, patience_ns);
    CHECK(text != NULL);
    return text;
}

static void finish(void)
{
    CHECK(crash_child_line(&child, patience_ns) == NULL);
    CHECK_EQ(0, crash_child_end(&child, 0));
}

struct counts {
    unsigned long long commits, groups, syncs, synced_writes;
};

static struct counts read_counts(void)
{
    struct counts n = {0};
    CHECK_EQ(4, sscanf(line(), "commits %llu groups %llu syncs %llu synced_writes %llu", &n.commits,
                       &n.groups, &n.syncs, &n.synced_writes));
    finish();
    return n;
}

TEST(crash_each_group_is_one_sync)
{
    start("count", "100", no_env);
    struct counts n = read_counts();
    CHECK_EQ(100, n.commits);
    CHECK(n.groups >= 100); /* nothing was acknowledged out of another's sync */
    CHECK_EQ(n.groups, n.syncs);
    CHECK_EQ(n.groups, n.synced_writes);
}

TEST(crash_commits_that_wait_share_a_sync)
{
    start("group", "100", no_env);
    struct counts n = read_counts();
    CHECK_EQ(1600, n.commits);
    CHECK(n.groups < n.commits / 2);
    CHECK_EQ(n.groups, n.syncs);
    CHECK_EQ(n.groups, n.synced_writes);
}

/* Fills up, FULL with this message, trims, fills up again as far. */
static void check_full(const char *message)
{
    unsigned long long first, second;
    CHECK_EQ(1, sscanf(line(), "first %llu FULL", &first));
    const char *again = line();
    CHECK_EQ(1, sscanf(again, "second %llu FULL", &second));
    CHECK_HAS(message, again);
    CHECK(first >= 20);
    CHECK(second >= first / 2);
    finish();
}

TEST(crash_full_disk)
{
    const char *const env[] = {"KAIJU_POWER_SPACE=8000000", NULL};
    start("full", NULL, env);
    check_full("no space left on the disk");
}

TEST(crash_full_disk_that_cannot_reserve)
{
    const char *const env[] = {"KAIJU_POWER_SPACE=8000000", "KAIJU_POWER_RESERVE=0", NULL};
    start("full", NULL, env);
    check_full("no space left on the disk");
}

TEST(crash_full_disk_of_the_kernel)
{
    start("tmpfs", "8", NULL);
    char *text = (char *)(uintptr_t)line();
    if (strcmp(text, "cannot mount") == 0) {
        test_skip("no right to mount");
    }
    unsigned long long first, second;
    CHECK_EQ(1, sscanf(text, "first %llu FULL", &first));
    CHECK_HAS("no space left on the disk", text);
    CHECK_EQ(1, sscanf(line(), "second %llu FULL", &second));
    CHECK(first >= 20 && second >= first / 2);
    finish();
}

TEST(crash_full_map_and_a_larger_one)
{
    setenv("KAIJU_CRASH_MAP_MIB", "8", 1);
    start("full", NULL, NULL);
    check_full("the map of 8 MiB is full: shorten retention, or enlarge the map");
    setenv("KAIJU_CRASH_MAP_MIB", "24", 1);
    start("full", NULL, NULL);
    check_full("the map of 24 MiB is full");
    unsetenv("KAIJU_CRASH_MAP_MIB");
}

TEST(crash_quota)
{
    setenv("KAIJU_CRASH_QUOTA_MIB", "6", 1);
    start("full", NULL, NULL);
    check_full("(quota): shorten retention, or raise it");
    unsetenv("KAIJU_CRASH_QUOTA_MIB");
}

TEST(crash_a_failed_sync_is_unknown_and_the_last)
{
    const char *const env[] = {"KAIJU_POWER_EIO=20", NULL};
    unsigned long long n;
    start("broken", NULL, env);
    const char *text = line();
    CHECK_EQ(1, sscanf(text, "committed %llu, then UNKNOWN reopen", &n));
    CHECK_HAS("Input/output error", text);
    CHECK_STR("put CLOSED", line());
    CHECK_HAS("open ERROR", line());
    finish();
    /* The next process starts from the last group that was synced. */
    start("count", "3", NULL);
    CHECK_EQ(3, read_counts().commits);
}
