/* SPDX-License-Identifier: Apache-2.0
 *
 * The configuration, told: as YAML with origins (--print-config), as --help, as a reference page.
 */
#include "core/conf/conf_impl.h"

#include <assert.h>

static size_t common_sections(const char *a, const char *b)
{
    size_t common = 0;
    for (size_t i = 0; a[i] != '\0' && a[i] == b[i]; i++) {
        if (a[i] == '.') {
            common = i + 1;
        }
    }
    return common;
}

static void indent(FILE *to, int depth)
{
    fprintf(to, "%*s", depth * 2, "");
}

static void print_quoted(FILE *to, const char *text)
{
    fputc('"', to);
    for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++) {
        if (*p == '"' || *p == '\\') {
            fprintf(to, "\\%c", *p);
        } else if (*p < 0x20 || *p == 0x7f) {
            fprintf(to, "\\x%02x", *p);
        } else {
            fputc(*p, to);
        }
    }
    fputc('"', to);
}

static bool is_quoted_type(enum conf_type type)
{
    return type == CONF_STRING;
}

static void print_value(FILE *to, const struct conf_slot *s)
{
    if ((s->row->flags & CONF_SECRET) != 0 && s->text != NULL) {
        fputs("\"***\"", to);
    } else if (is_quoted_type(s->row->type)) {
        print_quoted(to, s->text);
    } else {
        fputs(s->text, to);
    }
}

static void print_slot(FILE *to, const struct conf_slot *s, const char *leaf, int depth)
{
    const char *origin = s->origin == CONF_FROM_DEFAULT ? "default" : s->place;
    indent(to, depth);
    if (conf_is_plural(s->row)) {
        fprintf(to, "%s%s:  # %s\n", s->pairs.len > 0 ? "" : "# ", leaf, origin);
        VEC_EACH (&s->pairs, p) {
            indent(to, depth + 1);
            if (s->row->type == CONF_MAP) {
                print_quoted(to, p->name);
                fputs(": ", to);
            } else {
                fputs("- ", to);
            }
            print_quoted(to, p->value);
            fputc('\n', to);
        }
    } else if (s->text == NULL) {
        fprintf(to, "# %s:  # not set\n", leaf);
    } else {
        fprintf(to, "%s: ", leaf);
        print_value(to, s);
        fprintf(to, "  # %s\n", origin);
    }
}

void conf_print(const struct conf *c, FILE *to)
{
    const char *before = "";
    assert(to != NULL);
    VEC_EACH (&c->slots, s) {
        const char *name = s->row->name, *part = name + common_sections(before, name), *dot;
        int depth = 0;
        for (const char *p = name; p < part; p++) {
            depth += *p == '.';
        }
        while ((dot = strchr(part, '.')) != NULL) {
            indent(to, depth++);
            fprintf(to, "%.*s:\n", (int)(dot - part), part);
            part = dot + 1;
        }
        print_slot(to, s, part, depth);
        before = name;
    }
}

static void print_flag_name(FILE *to, const char *name)
{
    for (; *name != '\0'; name++) {
        fputc(*name == '.' || *name == '_' ? '-' : *name, to);
    }
}

static void print_help_type(FILE *to, const struct conf_row *row)
{
    if (row->type != CONF_ENUM) {
        fprintf(to, " %s", row->type == CONF_BOOL ? "" : conf_type_name(row->type));
        return;
    }
    for (int i = 0; row->choices[i] != NULL; i++) {
        fprintf(to, "%c%s", i > 0 ? '|' : ' ', row->choices[i]);
    }
}

void conf_help(const struct conf *c, FILE *to)
{
    const struct conf_table *table = NULL;
    VEC_EACH (&c->slots, s) {
        if (s->table != table) {
            table = s->table;
            fprintf(to, "\n%s:\n", table->title);
        }
        fputs("  --", to);
        print_flag_name(to, s->row->name);
        print_help_type(to, s->row);
        if (s->row->fallback != NULL) {
            fprintf(to, " (%s)", s->row->fallback);
        }
        fprintf(to, "\n        %s\n", s->row->doc);
    }
    fputs("\nconfiguration:\n"
          "  --config FILE     YAML; every option may also be set there or as KAIJU_NAME\n"
          "  --check-config    only say whether the configuration is right\n"
          "  --print-config    show every value and where it comes from\n",
          to);
}

static void print_default(FILE *to, const struct conf_row *row)
{
    if (row->fallback != NULL) {
        fprintf(to, "`%s`", row->fallback);
    } else {
        fputs("-", to);
    }
}

static void print_type(FILE *to, const struct conf_row *row)
{
    if (row->type != CONF_ENUM) {
        fputs(conf_type_name(row->type), to);
        return;
    }
    for (int i = 0; row->choices[i] != NULL; i++) {
        fprintf(to, "%s`%s`", i > 0 ? ", " : "", row->choices[i]);
    }
}

void conf_reference(const struct conf_table *tables, size_t n, FILE *to)
{
    fputs(
        "# Configuration\n\n"
        "Every setting may be given as a flag (`--bus-local-dir X`), as an environment variable\n"
        "(`KAIJU_BUS_LOCAL_DIR=X`) or in the YAML file that `--config` or `KAIJU_CONFIG` names\n"
        "(`bus: {local: {dir: X}}`); the flag wins, then the environment, then the file. A secret\n"
        "may be kept in a file of its own: `NAME_file` names it. This page is generated by\n"
        "`kaiju config reference`.\n",
        to);
    for (size_t t = 0; t < n; t++) {
        fprintf(to, "\n## %s\n\n| name | type | default | meaning |\n|---|---|---|---|\n",
                tables[t].title);
        for (size_t r = 0; r < tables[t].count; r++) {
            const struct conf_row *row = &tables[t].rows[r];
            fprintf(to, "| `%s` | ", row->name);
            print_type(to, row);
            fputs(" | ", to);
            print_default(to, row);
            fprintf(to, " | %s%s |\n", row->doc,
                    (row->flags & CONF_SECRET) != 0 ? " (secret)" : "");
        }
    }
}
