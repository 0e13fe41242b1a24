/* SPDX-License-Identifier: Apache-2.0
 *
 * `kaiju import esper`: the original's statement and event files as a graph document, checked at
 * once, so that what cannot work is said.
 */
#include "operators/cmd/cmd_graph.h"
#include "operators/doc/doc_esper.h"
#include "operators/graph/eng_doc.h"

#include <errno.h>
#include <stdio.h>

enum { FILES_MAX = 64 };

static const struct conf_row rows[] = {
    {"statements", CONF_LIST, offsetof(struct cmd_graph_opts, files), NULL, 0, 0, NULL, 0,
     "a statement file; X-statements.txt becomes level X. More may stand beside the options"},
    {"events", CONF_STRING, offsetof(struct cmd_graph_opts, events), NULL, 0, 0, NULL, 0,
     "the file of event types, for level hl"},
    {"name", CONF_STRING, offsetof(struct cmd_graph_opts, name), "imported", 0, 0, NULL, 0,
     "of the graph"},
    {"output", CONF_STRING, offsetof(struct cmd_graph_opts, to), NULL, 0, 0, NULL, 0,
     "where to write the document (-o); standard output if not said"},
};

static int fail(const struct err *e)
{
    fprintf(stderr, "kaiju import: %s\n", e->msg);
    return CMD_USAGE;
}

static int read_file(struct arena *a, const char *path, struct doc_esper_file *to,
                     struct err *reterr)
{
    struct buf b;
    buf_init(&b, DOC_TEXT_MAX);
    int rc = buf_read_file(&b, path, reterr);
    to->path = slice_str(path);
    to->text = arena_copy(a, buf_slice(&b));
    buf_done(&b);
    return rc;
}

static int write_out(const char *path, struct slice text, struct err *reterr)
{
    FILE *f = path == NULL || strcmp(path, "-") == 0 ? stdout : fopen(path, "w");
    if (f == NULL) {
        return err_set(reterr, ERR_IO, "%s: %s", path, strerror(errno));
    }
    bool ok = text.len == 0 || fwrite(text.ptr, 1, text.len, f) == text.len;
    ok = (f == stdout ? fflush(f) : fclose(f)) == 0 && ok;
    return ok ? 0 : err_set(reterr, ERR_IO, "cannot write the document");
}

/* What is wrong with the document that has been written, on standard error. */
static int check(struct arena *a, struct slice text, const char *path)
{
    struct doc_notes notes;
    struct buf b;
    struct err err;
    doc_notes_init(&notes, a);
    buf_init(&b, DOC_ARENA_MAX);
    struct doc *d = doc_read(a, text, &notes);
    int rc = d != NULL ? doc_check(d, &eng_doc, &notes, &err) : -1;
    doc_notes_text(&notes, slice_str(path != NULL ? path : "graph.yaml"), text, &b);
    buf_print(&b, stderr);
    buf_done(&b);
    doc_notes_done(&notes);
    return rc == 0 ? CMD_OK : CMD_FINDINGS;
}

static int import(const struct cmd_graph_opts *o, const struct conf *c)
{
    struct arena *a = arena_new(NULL, "import", DOC_ARENA_MAX);
    struct doc_esper_file files[FILES_MAX], events = {SLICE_NONE, SLICE_NONE};
    struct err err;
    struct buf out;
    const char *path;
    size_t n = 0;
    int rc = 0;
    err_clear(&err);
    buf_init(&out, DOC_TEXT_MAX);
    for (size_t i = 0; rc == 0 && (path = cmd_graph_file(o, c, i)) != NULL; i++) {
        if (n == FILES_MAX) {
            rc = err_set(&err, ERR_LIMIT, "more than %d statement files", FILES_MAX);
        } else if (i != o->files.count) { /* the word esper */
            rc = read_file(a, path, &files[n++], &err);
        }
    }
    rc = rc == 0 && o->events != NULL ? read_file(a, o->events, &events, &err) : rc;
    rc = rc == 0 && !doc_is_name(slice_str(o->name))
             ? err_set(&err, ERR_USAGE, "'%s' is no name for a graph", o->name)
             : rc;
    rc = rc == 0 && n == 0 ? err_set(&err, ERR_USAGE, "which files? --statements FILE") : rc;
    rc = rc == 0 ? doc_esper(a, slice_str(o->name), files, n, o->events != NULL ? &events : NULL,
                             &out, &err)
                 : rc;
    rc = rc == 0 ? write_out(o->to, buf_slice(&out), &err) : rc;
    int code = rc != 0 ? fail(&err) : check(a, buf_slice(&out), o->to);
    buf_done(&out);
    arena_free(a);
    return code;
}

static int run(const struct cmd *self, int argc, char **argv)
{
    struct cmd_graph_opts o = {.format = CMD_TEXT};
    struct conf *c = NULL;
    int code = CMD_OK;
    if (cmd_graph_options(self, rows, ARRAY_LEN(rows), &o, &c, argc, argv, &code)) {
        const char *const *args;
        size_t n = conf_args(c, &args);
        if (n == 0 || strcmp(args[0], "esper") != 0) {
            fprintf(stderr, "kaiju import: from what? kaiju import esper --statements FILE\n");
            code = CMD_USAGE;
        } else {
            code = import(&o, c);
        }
    }
    conf_free(c);
    return code;
}

extern const struct cmd cmd_import;
const struct cmd cmd_import = {"import", "esper --statements FILE... [--events FILE] [-o FILE]",
                               "make a rule graph of rules that others have", run};
