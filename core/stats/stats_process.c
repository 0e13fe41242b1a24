/* SPDX-License-Identifier: Apache-2.0
 *
 * What every process tells of itself, read from /proc at each scrape.
 */
#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/stats/stats.h"

#include <assert.h>
#include <dirent.h>
#include <stdio.h>

static const struct stats_row cpu_row = {
    "process_cpu_seconds_total", STATS_COUNTER, "CPU time used, user and system.", {NULL}, NULL, 0};
static const struct stats_row rss_row = {
    "process_resident_memory_bytes", STATS_GAUGE, "Resident memory.", {NULL}, NULL, 0};
static const struct stats_row anon_row = {"kaiju_process_rss_anon_bytes",
                                          STATS_GAUGE,
                                          "Resident memory that no file backs.",
                                          {NULL},
                                          NULL,
                                          0};
static const struct stats_row fds_row = {
    "process_open_fds", STATS_GAUGE, "Open file descriptors.", {NULL}, NULL, 0};
static const struct stats_row threads_row = {
    "process_threads", STATS_GAUGE, "Threads.", {NULL}, NULL, 0};
static const struct stats_row build_row = {
    "kaiju_build_info", STATS_GAUGE, "Always 1; the version is a label.", {"version"}, NULL, 0};

/* The number behind "Name:" in /proc/self/status, or -1. */
static double status_value(const char *name)
{
    char line[256];
    double value = -1;
    FILE *f = fopen("/proc/self/status", "r");
    size_t n = strlen(name);
    while (f != NULL && value < 0 && fgets(line, sizeof line, f) != NULL) {
        if (strncmp(line, name, n) == 0 && line[n] == ':') {
            struct slice text = slice_trim(slice_str(line + n + 1)), number;
            int64_t v;
            slice_split(&text, ' ', &number);
            value = slice_to_i64(number, &v) ? (double)v : -1;
        }
    }
    if (f != NULL) {
        fclose(f);
    }
    return value;
}

static double open_fds(void)
{
    double n = 0;
    DIR *dir = opendir("/proc/self/fd");
    if (dir == NULL) {
        return -1;
    }
    while (readdir(dir) != NULL) {
        n++;
    }
    closedir(dir);
    return n - 3; /* ".", ".." and the directory itself */
}

static void read_process(struct stats_scrape *scrape, void *arg)
{
    assert(scrape != NULL && arg != NULL);
    const struct slice version = slice_str(arg);
    stats_read(scrape, &cpu_row, NULL, (double)clock_cpu_ns() / 1e9);
    stats_read(scrape, &rss_row, NULL, status_value("VmRSS") * 1024);
    stats_read(scrape, &anon_row, NULL, status_value("RssAnon") * 1024);
    stats_read(scrape, &fds_row, NULL, open_fds());
    stats_read(scrape, &threads_row, NULL, status_value("Threads"));
    stats_read(scrape, &build_row, &version, 1);
}

void stats_process(struct stats *s, const char *version)
{
    assert(version != NULL);
    stats_reader(s, read_process, (void *)(uintptr_t)version);
}
