/* SPDX-License-Identifier: Apache-2.0
 *
 * `kaiju apply -f FILE...`: makes the rule graphs of the coordinator what the files say. The
 * document is read here for its name alone; what is wrong with it is the coordinator's to say, and
 * shown as `kaiju check` shows it. A graph that somebody else changes between our reading and our
 * writing is read again, three times.
 */
#include "coordinator/cli/cli.h"
#include "core/base/arena.h"
#include "operators/doc/doc.h"

#include <stdio.h>

enum { ARENA_MAX = 256 * 1024 * 1024, TEXT_MAX = 4 * 1024 * 1024, TRIES_MAX = 3 };

struct settings {
    struct conf_map files;
    bool dry_run;
};

#define AT(member) offsetof(struct settings, member)
static const struct conf_row rows[] = {
    {"file", CONF_LIST, AT(files), NULL, 0, 0, NULL, 0,
     "a document (-f), - is standard input; more may stand beside the options"},
    {"dry-run", CONF_BOOL, AT(dry_run), "no", 0, 0, NULL, 0,
     "let the coordinator check it and say what it would do; nothing is stored"},
};

/* ---- mistakes ---- */

static bool code_of(const char *text, enum doc_code *ret_code)
{
    for (int i = 0; i < DOC_CODES; i++) {
        if (strcmp(doc_code_text((enum doc_code)i), text) == 0) {
            *ret_code = (enum doc_code)i;
            return true;
        }
    }
    return false;
}

static struct slice text_in(const json_t *o, const char *name)
{
    return slice_str(cli_text(o, name));
}

/* A code of a newer coordinator has no row here: as it came. */
static void print_strange(const char *file, const json_t *o)
{
    fprintf(stderr, "%s:%lld:%lld: %s %s: %s\n", file, (long long)cli_number(o, "line"),
            (long long)cli_number(o, "column"), cli_text(o, "severity"), cli_text(o, "code"),
            cli_text(o, "detail"));
}

/* The notes of an answer, as `kaiju check` prints them. */
static void print_notes(const char *file, struct slice text, const json_t *list)
{
    struct arena *a = arena_new(NULL, "notes", ARENA_MAX);
    struct doc_notes notes;
    struct buf out;
    const json_t *o;
    size_t i;
    enum doc_code code;
    doc_notes_init(&notes, a);
    buf_init(&out, ARENA_MAX);
    json_array_foreach(list, i, o)
    {
        if (!code_of(cli_text(o, "code"), &code)) {
            print_strange(file, o);
            continue;
        }
        struct span at = {.line = (uint32_t)cli_number(o, "line"),
                          .col = (uint32_t)cli_number(o, "column"),
                          .len = (uint32_t)cli_number(o, "length")};
        notes.level = text_in(o, "level");
        notes.statement = text_in(o, "statement");
        struct doc_note *n = doc_note(&notes, code, at, "%s", cli_text(o, "detail"));
        n->hint = text_in(o, "hint");
        n->pointer = text_in(o, "pointer");
    }
    doc_notes_text(&notes, slice_str(file), text, &out);
    if (out.len > 0) {
        buf_print(&out, stderr);
    }
    buf_done(&out);
    doc_notes_done(&notes);
    arena_free(a);
}

/* ---- one file ---- */

/* What becomes of the state of statements, in a line each. */
static void print_state(const json_t *state)
{
    static const struct {
        const char *name, *words;
    } fates[] = {{"kept", "keeps its state"},
                 {"begun", "begins with nothing in memory"},
                 {"dropped", "is gone, and its state with it"}};
    for (size_t i = 0; i < ARRAY_LEN(fates); i++) {
        size_t k;
        json_t *s;
        json_array_foreach(json_object_get(state, fates[i].name), k, s)
        {
            printf("  %s/%s %s\n", cli_text(s, "level"), cli_text(s, "statement"), fates[i].words);
        }
    }
}

static void print_done(const struct cli *c)
{
    const json_t *o = c->json;
    bool created = json_is_true(json_object_get(o, "created"));
    bool changed = json_is_true(json_object_get(o, "changed"));
    printf("rulegraph/%s %s (tenant %s, version %lld)%s\n", cli_text(o, "name"),
           created   ? "created"
           : changed ? "changed"
                     : "unchanged",
           cli_text(o, "tenant"), (long long)cli_number(o, "version"),
           json_is_true(json_object_get(o, "dry_run")) ? " (dry run)" : "");
    print_state(json_object_get(o, "state"));
}

static bool put(struct cli *c, const char *path, struct slice text, bool dry_run)
{
    char url[CLI_PATH_BYTES + 20], tag[CLI_TAG_BYTES];
    snprintf(url, sizeof url, "%s%s", path, dry_run ? "?dryRun=server" : "");
    for (int i = 0; i < TRIES_MAX; i++) {
        if (!cli_ask(c, &(struct cli_question){.path = path})) {
            return false;
        }
        bool is_there = c->status == 200;
        if (!is_there && strcmp(cli_text(c->json, "code"), "KJ-API-0002") != 0) {
            return cli_refused(c);
        }
        snprintf(tag, sizeof tag, "%s", c->tag);
        struct cli_question q = {.method = HTTP_PUT,
                                 .path = url,
                                 .match = is_there ? tag : NULL,
                                 .none_match = is_there ? NULL : "*",
                                 .body = text};
        if (!cli_ask(c, &q)) {
            return false;
        }
        if (c->status != 412) {
            break;
        }
    }
    return true;
}

static bool apply(struct cli *c, const char *file, struct slice text, bool dry_run)
{
    struct arena *a = arena_new(NULL, "document", ARENA_MAX);
    struct doc_notes notes;
    char path[CLI_PATH_BYTES];
    doc_notes_init(&notes, a);
    struct doc *d = doc_read(a, text, &notes);
    bool ok = d != NULL && doc_is_name(d->g.name) && doc_is_name(d->g.tenant);
    if (!ok) {
        struct buf out;
        buf_init(&out, ARENA_MAX);
        doc_notes_text(&notes, slice_str(file), text, &out);
        buf_print(&out, stderr);
        buf_done(&out);
        c->code = CMD_FINDINGS;
    } else if (put(c, cli_graph_path(d->g.tenant, d->g.name, path), text, dry_run)) {
        const json_t *errors = json_object_get(c->json, "errors");
        ok = c->status == 200 || c->status == 201;
        print_notes(file, text, ok ? json_object_get(c->json, "warnings") : errors);
        if (ok) {
            print_done(c);
        } else {
            (void)cli_refused(c);
        }
    } else {
        ok = false;
    }
    doc_notes_done(&notes);
    arena_free(a);
    return ok;
}

static const char *file_at(const struct settings *s, const struct cli *c, size_t i)
{
    const char *const *args;
    size_t n = conf_args(c->conf, &args);
    if (i < s->files.count) {
        return s->files.pairs[i].value;
    }
    return i - s->files.count < n ? args[i - s->files.count] : NULL;
}

static int run(const struct cmd *self, int argc, char **argv)
{
    static const char *const shorts[] = {"f", "file", NULL};
    struct settings s;
    struct conf_table own = {"Apply", rows, ARRAY_LEN(rows), &s};
    struct cli c;
    struct err err;
    const char *path;
    if (cli_open(&c, self, &own, shorts, argc, argv)) {
        if (file_at(&s, &c, 0) == NULL) {
            (void)cli_usage(&c, "which document? -f graph.yaml");
        }
        int worst = c.code;
        for (size_t i = 0; (path = file_at(&s, &c, i)) != NULL; i++) {
            struct buf text;
            buf_init(&text, TEXT_MAX);
            c.code = CMD_OK;
            if (buf_read_file(&text, path, &err) != 0) {
                (void)cli_usage(&c, "%s", err.msg);
            } else {
                (void)apply(&c, path, buf_slice(&text), s.dry_run);
            }
            buf_done(&text);
            worst = MAX(worst, c.code);
            if (c.code == CMD_UNREACHABLE || c.code == CMD_TIMEOUT) {
                break; /* the next would wait as long */
            }
        }
        c.code = worst;
    }
    return cli_close(&c);
}

extern const struct cmd cmd_apply;
const struct cmd cmd_apply = {"apply", "-f FILE... [--dry-run]",
                              "make the coordinator's rule graphs what the files say", run};
