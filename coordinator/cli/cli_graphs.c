/* SPDX-License-Identifier: Apache-2.0
 *
 * `kaiju get graphs [NAME]` and `kaiju delete graph NAME`.
 */
#include "coordinator/cli/cli.h"

#include <stdio.h>

struct settings {
    int format;
    bool all;
    const char *tenant;
};

#define AT(member) offsetof(struct settings, member)
static const char *const formats[] = {"text", "json", "yaml", NULL};
static const struct conf_row get_rows[] = {
    {"output", CONF_ENUM, AT(format), "text", 0, 0, formats, 0,
     "how to print (-o): text; json, as the API answers; yaml, the document as it was applied"},
    {"all-tenants", CONF_BOOL, AT(all), "no", 0, 0, NULL, 0, "list those of every tenant"},
    CLI_TENANT(AT(tenant)),
};
static const struct conf_row delete_rows[] = {CLI_TENANT(AT(tenant))};
static const char *const shorts[] = {"o", "output", NULL};

static bool is_graphs(const char *word)
{
    static const char *const words[] = {"graph", "graphs", "rulegraph", "rulegraphs"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (strcmp(word, words[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* ---- get ---- */

static void print_row(const json_t *o, bool head)
{
    if (head) {
        printf("%-16s %-32s %8s  %-10s %s\n", "TENANT", "NAME", "VERSION", "PHASE", "HASH");
    }
    printf("%-16s %-32s %8lld  %-10s %s\n", cli_text(o, "tenant"), cli_text(o, "name"),
           (long long)cli_number(o, "version"), cli_text(o, "phase"), cli_text(o, "hash"));
}

static bool get_one(struct cli *c, const struct settings *s, const char *name)
{
    char path[CLI_PATH_BYTES];
    struct cli_question q = {.path = cli_graph_path(slice_str(s->tenant), slice_str(name), path),
                             .accept = s->format == CLI_YAML ? "application/yaml" : NULL};
    if (!cli_ask(c, &q)) {
        return false;
    }
    if (c->status != 200) {
        return cli_refused(c);
    }
    if (s->format != CLI_TEXT) {
        cli_print_body(c);
        return true;
    }
    print_row(c->json, true);
    printf("\n%s", cli_text(c->json, "document"));
    return true;
}

/* Documents of a stream of YAML have "---" between them. */
static bool print_document(struct cli *c, const json_t *o, bool first)
{
    char path[CLI_PATH_BYTES];
    struct cli_question q = {.path = cli_graph_path(slice_str(cli_text(o, "tenant")),
                                                    slice_str(cli_text(o, "name")), path),
                             .accept = "application/yaml"};
    if (!cli_ask(c, &q)) {
        return false;
    }
    if (c->status == 404) {
        return true; /* it went in between */
    }
    if (c->status != 200) {
        return cli_refused(c);
    }
    fputs(first ? "" : "---\n", stdout);
    cli_print_body(c);
    return true;
}

/* All pages, as one list. */
static json_t *list_all(struct cli *c, const struct settings *s)
{
    char path[2 * CLI_PATH_BYTES], cursor[CLI_PATH_BYTES] = "";
    json_t *list = json_array();
    do {
        snprintf(path, sizeof path, "%s%s%srulegraphs?limit=1000%s%s", s->all ? "" : "tenants/",
                 s->all ? "" : s->tenant, s->all ? "" : "/", cursor[0] != '\0' ? "&cursor=" : "",
                 cursor);
        if (!cli_ask(c, &(struct cli_question){.path = path}) ||
            (c->status != 200 && !cli_refused(c))) {
            json_decref(list);
            return NULL;
        }
        (void)json_array_extend(list, json_object_get(c->json, "items"));
        snprintf(cursor, sizeof cursor, "%s", cli_text(c->json, "next"));
    } while (cursor[0] != '\0');
    return list;
}

static bool get_list(struct cli *c, const struct settings *s)
{
    json_t *list = list_all(c, s), *o;
    size_t i;
    bool ok = list != NULL;
    if (ok && s->format == CLI_JSON) {
        (void)json_dumpf(list, stdout, JSON_COMPACT);
        putchar('\n');
    } else if (ok && json_array_size(list) == 0 && s->format == CLI_TEXT) {
        fputs("no rule graphs; kaiju apply -f graph.yaml makes one\n", stderr);
    } else if (ok) {
        json_array_foreach(list, i, o)
        {
            if (s->format == CLI_TEXT) {
                print_row(o, i == 0);
            } else if (!print_document(c, o, i == 0)) {
                ok = false;
                break;
            }
        }
    }
    json_decref(list);
    return ok;
}

static int run_get(const struct cmd *self, int argc, char **argv)
{
    struct settings s;
    struct conf_table own = {"Get", get_rows, ARRAY_LEN(get_rows), &s};
    const char *const *args;
    struct cli c;
    if (cli_open(&c, self, &own, shorts, argc, argv)) {
        size_t n = conf_args(c.conf, &args);
        if (n == 0 || n > 2 || !is_graphs(args[0])) {
            (void)cli_usage(&c, "what? kaiju get graphs [NAME]");
        } else if (!cli_name(&c, "tenant", s.tenant) ||
                   (n == 2 && !cli_name(&c, "rule graph", args[1]))) {
            /* told */
        } else if (n == 2) {
            (void)get_one(&c, &s, args[1]);
        } else {
            (void)get_list(&c, &s);
        }
    }
    return cli_close(&c);
}

extern const struct cmd cmd_get;
const struct cmd cmd_get = {"get", "graphs [NAME] [-o text|json|yaml]",
                            "show the rule graphs of a coordinator", run_get};

/* ---- delete ---- */

static int run_delete(const struct cmd *self, int argc, char **argv)
{
    char path[CLI_PATH_BYTES];
    const char *const *args;
    struct settings s;
    struct conf_table own = {"Delete", delete_rows, ARRAY_LEN(delete_rows), &s};
    struct cli c;
    if (cli_open(&c, self, &own, NULL, argc, argv)) {
        size_t n = conf_args(c.conf, &args);
        if (n != 2 || !is_graphs(args[0])) {
            (void)cli_usage(&c, "what? kaiju delete graph NAME");
        } else if (cli_name(&c, "tenant", s.tenant) && cli_name(&c, "rule graph", args[1]) &&
                   cli_ask(&c,
                           &(struct cli_question){.method = HTTP_DELETE,
                                                  .path = cli_graph_path(slice_str(s.tenant),
                                                                         slice_str(args[1]), path),
                                                  .match = "*"})) {
            if (c.status == 204) {
                printf("rulegraph/%s deleted (tenant %s)\n", args[1], s.tenant);
            } else {
                (void)cli_refused(&c);
            }
        }
    }
    return cli_close(&c);
}

extern const struct cmd cmd_delete;
const struct cmd cmd_delete = {"delete", "graph NAME", "remove a rule graph from a coordinator",
                               run_delete};
