/* SPDX-License-Identifier: Apache-2.0
 *
 * `kaiju check`, and what the commands on graph documents share. See cmd_graph.h.
 */
#include "operators/cmd/cmd_graph.h"

#include "operators/graph/eng_doc.h"

#include <assert.h>
#include <stdio.h>
#include <unistd.h>

int cmd_graph_open(struct cmd_graph *g, const char *path)
{
    struct err err;
    err_clear(&err);
    *g = (struct cmd_graph){.arena = arena_new(NULL, "document", DOC_ARENA_MAX)};
    buf_init(&g->text, DOC_TEXT_MAX);
    doc_notes_init(&g->notes, g->arena);
    if (buf_read_file(&g->text, path, &err) != 0) {
        fflush(stdout);
        fprintf(stderr, "kaiju: %s\n", err.msg);
        if (access(path, F_OK) != 0) {
            fputs("what a coordinator has: kaiju get graphs NAME -o yaml > FILE\n", stderr);
        }
        return CMD_USAGE;
    }
    g->doc = doc_read(g->arena, buf_slice(&g->text), &g->notes);
    if (g->doc != NULL && doc_check(g->doc, &eng_doc, &g->notes, &err) != 0) {
        assert(g->notes.errors > 0);
    }
    return CMD_OK;
}

void cmd_graph_close(struct cmd_graph *g)
{
    doc_notes_done(&g->notes);
    buf_done(&g->text);
    arena_free(g->arena);
}

void cmd_graph_say(const struct cmd_graph *g, const char *path, int format)
{
    struct buf b;
    buf_init(&b, DOC_ARENA_MAX);
    if (format == CMD_JSON) {
        doc_notes_json(&g->notes, slice_str(path), &b);
    } else {
        doc_notes_text(&g->notes, slice_str(path), buf_slice(&g->text), &b);
    }
    fflush(stdout);
    buf_print(&b, format == CMD_JSON ? stdout : stderr);
    buf_done(&b);
}

/* ---- options ---- */

static void usage(const struct cmd *self, const struct conf *c, FILE *to)
{
    fprintf(to, "usage: kaiju %s %s\n\n%s\n", self->name, self->args, self->summary);
    conf_help(c, to);
}

bool cmd_graph_options(const struct cmd *self, const struct conf_row *rows, size_t n_rows,
                       struct cmd_graph_opts *o, struct conf **ret_conf, int argc, char **argv,
                       int *ret_code)
{
    static const char *const shorts[] = {"o", "output", "f", "file", NULL};
    struct conf_table table = {"Options", rows, n_rows, o};
    struct conf *c = conf_new(&table, 1);
    *ret_conf = c;
    int rc = conf_load(c, &(struct conf_input){argc, argv, NULL, shorts});
    if (rc != 0) {
        fprintf(stderr, "%s", conf_errors(c));
        *ret_code = CMD_USAGE;
        return false;
    }
    *ret_code = CMD_OK;
    if (conf_wants_help(c)) {
        usage(self, c, stdout);
    } else if (conf_wants_print(c)) {
        conf_print(c, stdout);
    } else if (conf_wants_check(c)) {
        puts("the configuration is right");
    } else {
        return true;
    }
    return false;
}

const char *cmd_graph_file(const struct cmd_graph_opts *o, const struct conf *c, size_t i)
{
    const char *const *args;
    size_t n = conf_args(c, &args);
    if (i < o->files.count) {
        return o->files.pairs[i].value;
    }
    return i - o->files.count < n ? args[i - o->files.count] : NULL;
}

/* ---- check ---- */

static const char *const formats[] = {"text", "json", NULL};

static const struct conf_row rows[] = {
    {"file", CONF_LIST, offsetof(struct cmd_graph_opts, files), NULL, 0, 0, NULL, 0,
     "a document (-f), - is standard input; more may stand beside the options"},
    {"output", CONF_ENUM, offsetof(struct cmd_graph_opts, format), "text", 0, 0, formats, 0,
     "how to print (-o)"},
    {"lint-fatal", CONF_BOOL, offsetof(struct cmd_graph_opts, lint_fatal), "no", 0, 0, NULL, 0,
     "warnings alone give exit code 3"},
    {"canonical", CONF_BOOL, offsetof(struct cmd_graph_opts, canonical), "no", 0, 0, NULL, 0,
     "print the canonical form of documents that are right"},
    {"schema", CONF_BOOL, offsetof(struct cmd_graph_opts, schema), "no", 0, 0, NULL, 0,
     "print the JSON Schema of documents"},
    {"reference", CONF_BOOL, offsetof(struct cmd_graph_opts, reference), "no", 0, 0, NULL, 0,
     "print the reference of documents, Markdown"},
};

static void print_done(const struct cmd_graph *g, const char *path, bool canonical)
{
    uint32_t stmts = 0;
    for (uint32_t i = 0; i < g->doc->g.n_levels; i++) {
        stmts += g->doc->g.levels[i].n_stmts;
    }
    if (canonical) {
        struct buf b;
        buf_init(&b, DOC_ARENA_MAX);
        doc_canonical(g->doc, &b);
        buf_print(&b, stdout);
        buf_done(&b);
        return;
    }
    printf("%s: %u levels, %u statements, nothing wrong, %u warnings; %016llx\n", path,
           g->doc->g.n_levels, stmts, g->notes.warnings, (unsigned long long)doc_hash(g->doc));
}

static int check_one(const struct cmd_graph_opts *o, const char *path)
{
    struct cmd_graph g;
    int code = cmd_graph_open(&g, path);
    if (code == CMD_OK) {
        cmd_graph_say(&g, path, o->format);
        code = g.notes.errors > 0                      ? CMD_FINDINGS
               : g.notes.warnings > 0 && o->lint_fatal ? CMD_LINT
                                                       : CMD_OK;
        if (g.notes.errors == 0 && (o->format == CMD_TEXT || o->canonical)) {
            print_done(&g, path, o->canonical);
        }
    }
    cmd_graph_close(&g);
    return code;
}

static int print_generated(const struct cmd_graph_opts *o)
{
    struct buf b;
    buf_init(&b, DOC_ARENA_MAX);
    if (o->schema) {
        doc_schema(&b);
    } else {
        doc_reference(&b);
    }
    buf_print(&b, stdout);
    buf_done(&b);
    return CMD_OK;
}

static int run(const struct cmd *self, int argc, char **argv)
{
    struct cmd_graph_opts o = {.format = CMD_TEXT};
    struct conf *c = NULL;
    int code = CMD_OK;
    if (cmd_graph_options(self, rows, ARRAY_LEN(rows), &o, &c, argc, argv, &code)) {
        const char *path;
        if (o.schema || o.reference) {
            code = print_generated(&o);
        } else if (cmd_graph_file(&o, c, 0) == NULL) {
            fprintf(stderr, "kaiju check: which document? -f graph.yaml\n");
            code = CMD_USAGE;
        }
        for (size_t i = 0; !o.schema && !o.reference && (path = cmd_graph_file(&o, c, i)) != NULL;
             i++) {
            int one = check_one(&o, path);
            /* A file that is not there outweighs a mistake, a mistake outweighs a warning. */
            code = one == CMD_USAGE || code == CMD_USAGE         ? CMD_USAGE
                   : one == CMD_FINDINGS || code == CMD_FINDINGS ? CMD_FINDINGS
                                                                 : MAX(one, code);
        }
    }
    conf_free(c);
    return code;
}

extern const struct cmd cmd_check_graph;
const struct cmd cmd_check_graph = {"check", "-f FILE... [-o text|json] [--lint-fatal]",
                                    "say what is wrong with rule graphs, and where", run};
