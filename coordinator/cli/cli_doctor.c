/* SPDX-License-Identifier: Apache-2.0
 *
 * `kaiju doctor`: what is wrong, in words, and what to do. Looks at the coordinator and at all
 * tasks twice, a while apart, so that what grows is told from what was. Exit code 1 if there are
 * problems.
 */
#include "coordinator/cli/cli.h"
#include "coordinator/cli/cli_findings.h"
#include "core/base/clock.h"

#include <stdio.h>

enum {
    PAGE = 1000,
    PAGES_MAX = 200,
    READY_MAX = 4096,
    OF_A_KIND_MAX = 5, /* findings that are printed as text one by one */
};

struct settings {
    int format;
    int64_t look_ns;
};

static const char *const formats[] = {"text", "json", NULL};
static const struct conf_row rows[] = {
    {"output", CONF_ENUM, offsetof(struct settings, format), "text", 0, 0, formats, 0,
     "how to print (-o)"},
    {"look", CONF_DURATION, offsetof(struct settings, look_ns), "2s", CLOCK_NS_PER_MS,
     600 * CLOCK_NS_PER_S, NULL, 0, "time between the two looks"},
};
static const char *const shorts[] = {"o", "output", NULL};

/* NULL: told. */
static json_t *ask(struct cli *c, const char *path)
{
    if (!cli_ask(c, &(struct cli_question){.path = path})) {
        return NULL;
    }
    if (c->status != 200) {
        (void)cli_refused(c);
        return NULL;
    }
    return json_incref(c->json);
}

/* Of all tenants, page by page. */
static json_t *ask_tasks(struct cli *c)
{
    json_t *all = json_array();
    char path[CLI_PATH_BYTES] = "";
    for (int i = 0; i < PAGES_MAX; i++) {
        char from[CLI_PATH_BYTES];
        (void)snprintf(from, sizeof from, "tasks?limit=%d%.400s", PAGE, path);
        json_t *page = ask(c, from);
        if (page == NULL) {
            json_decref(all);
            return NULL;
        }
        (void)json_array_extend(all, json_object_get(page, "items"));
        bool more = json_is_string(json_object_get(page, "next"));
        (void)snprintf(path, sizeof path, "&cursor=%.300s", cli_text(page, "next"));
        json_decref(page);
        if (!more) {
            break;
        }
    }
    return all;
}

static bool ask_ready(struct cli *c, struct cli_seen *seen, char text[READY_MAX])
{
    if (!cli_ask(c, &(struct cli_question){.path = "readyz", .root = true})) {
        return false;
    }
    seen->ready = c->status == 200;
    (void)snprintf(text, READY_MAX, SLICE_FMT, SLICE_ARG(buf_slice(&c->body)));
    seen->ready_text = slice_str(text);
    return true;
}

/* Of one kind: each task that it is about has a line, what to do is said once. */
static size_t print_kind(const json_t *findings, size_t at)
{
    const json_t *first = json_array_get(findings, at);
    const char *code = cli_text(first, "code");
    size_t end = at, n = json_array_size(findings);
    while (end < n && strcmp(cli_text(json_array_get(findings, end), "code"), code) == 0) {
        end++;
    }
    printf("%s %s\n", cli_text(first, "severity")[0] == 'p' ? "PROBLEM" : "warning", code);
    for (size_t i = at; i < MIN(end, at + OF_A_KIND_MAX); i++) {
        const json_t *f = json_array_get(findings, i);
        const char *about = cli_text(f, "about");
        printf("    %s%s%s\n", about, about[0] != '\0' ? " " : "", cli_text(f, "what"));
    }
    if (end > at + OF_A_KIND_MAX) {
        printf("    and %zu tasks more (-o json shows all)\n", end - at - OF_A_KIND_MAX);
    }
    printf("    do: %s\n\n", cli_text(first, "do"));
    return end;
}

static void print_text(const json_t *findings, size_t tasks)
{
    size_t problems = cli_findings_count(findings, "problem");
    for (size_t i = 0; i < json_array_size(findings);) {
        i = print_kind(findings, i);
    }
    size_t warnings = json_array_size(findings) - problems;
    printf("%zu task%s, %zu problem%s, %zu warning%s\n", tasks, tasks == 1 ? "" : "s", problems,
           problems == 1 ? "" : "s", warnings, warnings == 1 ? "" : "s");
}

static void examine(struct cli *c, const struct settings *s)
{
    struct cli_seen seen = {0};
    char ready[READY_MAX];
    json_t *before = NULL, *now = NULL, *was = NULL, *status = NULL;
    if (ask_ready(c, &seen, ready) && (was = ask(c, "status")) != NULL &&
        (before = ask_tasks(c)) != NULL) {
        clock_sleep_ns(s->look_ns);
        now = ask_tasks(c);
        status = now != NULL ? ask(c, "status") : NULL;
    }
    if (status != NULL) {
        seen.before = before;
        seen.now = now;
        seen.was = was;
        seen.status = status;
        json_t *findings = cli_findings(&seen);
        c->code = cli_findings_count(findings, "problem") > 0 ? CMD_FINDINGS : CMD_OK;
        if (s->format == CLI_JSON) {
            (void)json_dumpf(findings, stdout, JSON_INDENT(2) | JSON_SORT_KEYS);
            putchar('\n');
        } else {
            print_text(findings, json_array_size(now));
        }
        json_decref(findings);
    }
    json_decref(before);
    json_decref(now);
    json_decref(was);
    json_decref(status);
}

static int run(const struct cmd *self, int argc, char **argv)
{
    struct settings s;
    struct conf_table own = {"Doctor", rows, ARRAY_LEN(rows), &s};
    const char *const *args;
    struct cli c;
    if (cli_open(&c, self, &own, shorts, argc, argv)) {
        if (conf_args(c.conf, &args) > 0) {
            (void)cli_usage(&c, "unexpected argument '%s'; see --help", args[0]);
        } else {
            examine(&c, &s);
        }
    }
    return cli_close(&c);
}

extern const struct cmd cmd_doctor;
const struct cmd cmd_doctor = {"doctor", "[-o text|json] [--look 2s]",
                               "say in words what is wrong, and what to do", run};
