/* SPDX-License-Identifier: Apache-2.0
 *
 * `kaiju status`: is there a coordinator, does it take changes, what runs. Exit code 1 if something
 * is not as it should be: nobody takes changes, or a graph is degraded.
 */
#include "coordinator/cli/cli.h"

#include <stdio.h>

struct settings {
    int format;
};

static const char *const formats[] = {"text", "json", NULL};
static const struct conf_row rows[] = {
    {"output", CONF_ENUM, offsetof(struct settings, format), "text", 0, 0, formats, 0,
     "how to print (-o)"},
};
static const char *const shorts[] = {"o", "output", NULL};

static void print_lacks(const json_t *tasks)
{
    const json_t *list = json_object_get(tasks, "incomplete"), *one;
    size_t i;
    json_array_foreach(list, i, one)
    {
        printf("%s  %s/%s %s (%lld tasks)\n", i == 0 ? "incomplete " : "           ",
               cli_text(one, "tenant"), cli_text(one, "graph"), cli_text(one, "statement"),
               (long long)cli_number(one, "tasks"));
    }
    if (i > 0) {
        puts("             input, or what was held, was lost that these may lack; kaiju doctor "
             "says what to do");
    }
}

static void print_status(const json_t *o)
{
    const json_t *tasks = json_object_get(o, "tasks"), *phases = json_object_get(o, "phases"), *v;
    const char *name, *between = "  (";
    bool writable = json_is_true(json_object_get(o, "writable"));
    printf("coordinator  %s, bus %s, %s\n", cli_text(o, "version"), cli_text(o, "bus"),
           writable ? "takes changes" : "takes no changes");
    if (!writable) {
        printf("             %s\n", cli_text(o, "why"));
    }
    printf("graphs       %lld", (long long)cli_number(o, "graphs"));
    json_object_foreach((json_t *)(uintptr_t)phases, name, v)
    {
        printf("%s%lld %s", between, (long long)json_integer_value(v), name);
        between = ", ";
    }
    puts(json_object_size(phases) > 0 ? ")" : "");
    if (cli_number(phases, "degraded") > 0) {
        puts("             kaiju get says which are degraded, kaiju doctor what is wrong");
    }
    printf("workers      %lld\n", (long long)cli_number(o, "workers"));
    printf("tasks        %lld", (long long)cli_number(tasks, "tasks"));
    if (cli_number(tasks, "tasks") > 0) {
        printf("  (%lld live, %lld replay, %lld lost)  behind: %lld records, %.3f s",
               (long long)cli_number(tasks, "live"), (long long)cli_number(tasks, "replay"),
               (long long)cli_number(tasks, "lost"), (long long)cli_number(tasks, "lag_records"),
               (double)cli_number(tasks, "lag_ns") / 1e9);
    }
    putchar('\n');
    print_lacks(tasks);
}

static int run(const struct cmd *self, int argc, char **argv)
{
    struct settings s;
    struct conf_table own = {"Status", rows, ARRAY_LEN(rows), &s};
    const char *const *args;
    struct cli c;
    if (cli_open(&c, self, &own, shorts, argc, argv)) {
        if (conf_args(c.conf, &args) > 0) {
            (void)cli_usage(&c, "unexpected argument '%s'; see --help", args[0]);
        } else if (cli_ask(&c, &(struct cli_question){.path = "status"})) {
            if (c.status != 200) {
                (void)cli_refused(&c);
            } else {
                const json_t *phases = json_object_get(c.json, "phases");
                bool well = json_is_true(json_object_get(c.json, "writable")) &&
                            cli_number(phases, "degraded") == 0;
                c.code = well ? CMD_OK : CMD_FINDINGS;
                if (s.format == CLI_JSON) {
                    cli_print_body(&c);
                } else {
                    print_status(c.json);
                }
            }
        }
    }
    return cli_close(&c);
}

extern const struct cmd cmd_status;
const struct cmd cmd_status = {"status", "[-o text|json]",
                               "show what a coordinator and its tasks do", run};
