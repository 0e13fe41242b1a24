/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of fields as JSON Schema (2020-12), and as the reference in Markdown.
 */
#include "operators/doc/doc_impl.h"

#include <inttypes.h>

#include "operators/sig/builtin.h"

enum { FIRST_INDENT = 2 };

static void indent(struct buf *out, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        (void)buf_add_str(out, "  ");
    }
}

static void text(struct buf *out, const char *s)
{
    doc_json_string(slice_str(s), out);
}

/* ---- JSON Schema ---- */

/* A field that need not be said may also stand there without a value. */
static void kinds(struct buf *out, const struct doc_field *f, const char *list)
{
    (void)buf_addf(out, "\"type\": [%s%s]", list, f->required ? "" : ", \"null\"");
}

static void kind(struct buf *out, const struct doc_field *f, const char *name)
{
    (void)buf_addf(out, f->required ? "\"type\": \"%s\"" : "\"type\": [\"%s\", \"null\"]", name);
}

static void end_enum(struct buf *out, const struct doc_field *f)
{
    (void)buf_add_str(out, f->required ? "]" : ", null]");
}

static void choices(struct buf *out, const struct doc_field *f)
{
    struct slice word;
    (void)buf_add_str(out, "\"enum\": [");
    for (uint32_t i = 0; (word = doc_choice(f->arg, i)).ptr != NULL; i++) {
        (void)buf_add_str(out, i > 0 ? ", " : "");
        doc_json_string(word, out);
    }
    end_enum(out, f);
}

static void bounds(struct buf *out, const struct doc_field *f, bool open)
{
    double low, high;
    doc_bounds(f->arg, &low, &high);
    (void)buf_addf(out,
                   open ? ", \"exclusiveMinimum\": %.0f, \"exclusiveMaximum\": %.0f"
                        : ", \"minimum\": %.0f, \"maximum\": %.0f",
                   low, high);
}

static void powers(struct buf *out, const struct doc_field *f)
{
    double low, high;
    doc_bounds(f->arg, &low, &high);
    (void)buf_add_str(out, "\"enum\": [");
    for (int64_t p = 1; (double)p <= high; p *= 2) {
        (void)buf_addf(out, "%s%" PRId64, p > 1 ? ", " : "", p);
    }
    end_enum(out, f);
}

static void limit(struct buf *out, const struct lim_row *row)
{
    bool first = true;
    (void)buf_addf(out,
                   "\"%s\": {\"type\": [\"integer\", \"string\"], \"minimum\": 1, \"pattern\": "
                   "\"^ *[1-9][0-9]* *(: *(",
                   row->name);
    for (int i = 0; i < LIM_POLICIES; i++) {
        if ((row->policies >> i & 1) != 0) {
            (void)buf_addf(out, "%s%s", first ? "" : "|", lim_policy_name((enum lim_policy)i));
            first = false;
        }
    }
    (void)buf_add_str(out, ") *)?$\", \"description\": ");
    text(out, row->doc);
    (void)buf_add_str(out, "}");
}

static void limits(struct buf *out, const struct doc_field *f)
{
    kind(out, f, "object");
    (void)buf_add_str(out, ", \"additionalProperties\": false, \"properties\": {");
    for (int i = 0; i < LIM_KINDS; i++) {
        (void)buf_add_str(out, i > 0 ? ", " : "");
        limit(out, &lim_rows[i]);
    }
    (void)buf_add_str(out, "}");
}

/* YAML's numbers and booleans are texts where a text belongs. */
#define SCALARS "\"string\", \"number\", \"boolean\""

static void texts(struct buf *out, const struct doc_field *f)
{
    bool severity = f->arg != NULL && strcmp(f->arg, "severity") == 0;
    if (severity) {
        (void)buf_add_str(out, "\"enum\": [");
        doc_severities(out, ", ", "\"");
        (void)buf_add_str(out, f->required || f->type == DOC_F_TEXTS ? "]" : ", null]");
    } else if (f->type == DOC_F_TEXT) {
        kinds(out, f, SCALARS);
    } else {
        (void)buf_add_str(out, "\"type\": [" SCALARS "]");
    }
}

static void type(struct buf *out, const struct doc_field *f)
{
    switch (f->type) {
    case DOC_F_CONST: (void)buf_addf(out, "\"const\": \"%s\"", f->arg); break;
    case DOC_F_NAME:
        kinds(out, f, "\"string\", \"integer\", \"boolean\"");
        (void)buf_addf(out,
                       ", \"minimum\": 0, \"maximum\": %" PRId64
                       ", \"maxLength\": %d, \"pattern\": \"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$\"",
                       INT64_MAX, DOC_NAME_MAX);
        break;
    case DOC_F_TEXT: texts(out, f); break;
    case DOC_F_EPL: kind(out, f, "string"); break;
    case DOC_F_DURATION:
        kind(out, f, "string");
        (void)buf_add_str(out, ", \"pattern\": \"^(P.+|([0-9.]+(ns|us|ms|s|m|h|d|w))+)$\"");
        break;
    case DOC_F_INT:
        kind(out, f, "integer");
        bounds(out, f, false);
        break;
    case DOC_F_POWER: powers(out, f); break;
    case DOC_F_AUTO:
        (void)buf_addf(out, "\"anyOf\": [{\"const\": \"auto\"}, %s{\"type\": \"integer\"",
                       f->required ? "" : "{\"type\": \"null\"}, ");
        bounds(out, f, false);
        (void)buf_add_str(out, "}]");
        break;
    case DOC_F_NUMBER:
        kind(out, f, "number");
        bounds(out, f, true);
        break;
    case DOC_F_BOOL: kind(out, f, "boolean"); break;
    case DOC_F_ENUM: choices(out, f); break;
    case DOC_F_TEXTS:
        kind(out, f, "array");
        (void)buf_add_str(out, ", \"items\": {");
        texts(out, f);
        (void)buf_add_str(out, "}");
        break;
    case DOC_F_PAIRS:
        kind(out, f, "object");
        (void)buf_add_str(out, ", \"additionalProperties\": {\"type\": [" SCALARS "]}");
        break;
    case DOC_F_LIMITS: limits(out, f); break;
    case DOC_F_EVENT: kind(out, f, "object"); break;
    case DOC_F_LIST:
        kind(out, f, "array");
        (void)buf_addf(out, ", %s\"maxItems\": %d, \"items\": {\"$ref\": \"#/$defs/%s\"}",
                       f->required ? "\"minItems\": 1, " : "",
                       strcmp(f->arg, "level") == 0 ? DOC_LEVELS_MAX : DOC_ITEMS_MAX, f->arg);
        break;
    }
}

static void fallback(struct buf *out, const struct doc_field *f)
{
    bool bare = f->type == DOC_F_BOOL || f->type == DOC_F_INT;
    if (f->fallback != NULL) {
        (void)buf_add_str(out, ", \"default\": ");
        if (bare) {
            (void)buf_add_str(out, f->fallback);
        } else {
            text(out, f->fallback);
        }
    }
}

/* What no field can say alone. */
static void together(struct buf *out, const struct doc_section *s, unsigned depth)
{
    static const char said[] = "{\"required\": [\"%s\"], \"properties\": {\"%s\": {\"type\": "
                               "\"string\", \"minLength\": 1}}}%s";
    if (strcmp(s->name, "slo") == 0) {
        indent(out, depth);
        (void)buf_add_str(out, "\"oneOf\": [");
        (void)buf_addf(out, said, "good", "good", ", ");
        (void)buf_addf(out, said, "bad", "bad", "],\n");
    }
}

/* The members of an object's schema, without its braces. */
static void section(struct buf *out, const struct doc_section *s, unsigned depth)
{
    bool first = true;
    indent(out, depth);
    (void)buf_add_str(out, "\"description\": ");
    text(out, s->doc);
    (void)buf_add_str(out, ",\n");
    indent(out, depth);
    (void)buf_add_str(out, "\"type\": \"object\",\n");
    indent(out, depth);
    (void)buf_add_str(out, "\"additionalProperties\": false,\n");
    indent(out, depth);
    (void)buf_add_str(out, "\"required\": [");
    for (const struct doc_field *f = NULL; (f = doc_field_next(s->name, f)) != NULL;) {
        if (f->required) {
            (void)buf_addf(out, "%s\"%s\"", first ? "" : ", ", f->name);
            first = false;
        }
    }
    (void)buf_add_str(out, "],\n");
    together(out, s, depth);
    indent(out, depth);
    (void)buf_add_str(out, "\"properties\": {\n");
    for (const struct doc_field *f = NULL; (f = doc_field_next(s->name, f)) != NULL;) {
        indent(out, depth + 1);
        (void)buf_addf(out, "\"%s\": {", f->name);
        type(out, f);
        fallback(out, f);
        (void)buf_add_str(out, ", \"description\": ");
        text(out, f->doc);
        (void)buf_add_str(out, doc_field_next(s->name, f) != NULL ? "},\n" : "}\n");
    }
    indent(out, depth);
    (void)buf_add_str(out, "}");
}

void doc_schema(struct buf *out)
{
    (void)buf_add_str(out, "{\n  \"$schema\": \"https://json-schema.org/draft/2020-12/schema\",\n"
                           "  \"title\": \"RuleGraph\",\n");
    section(out, doc_section("graph"), 1);
    (void)buf_add_str(out, ",\n  \"$defs\": {\n");
    for (size_t i = 1; i < doc_n_sections; i++) {
        (void)buf_addf(out, "    \"%s\": {\n", doc_sections[i].name);
        section(out, &doc_sections[i], FIRST_INDENT + 1);
        (void)buf_add_str(out, i + 1 < doc_n_sections ? "\n    },\n" : "\n    }\n");
    }
    (void)buf_add_str(out, "  }\n}\n");
}

/* ---- reference ---- */

static void type_words(struct buf *out, const struct doc_field *f)
{
    static const char *const names[] = {
        [DOC_F_NAME] = "name",
        [DOC_F_TEXT] = "text",
        [DOC_F_EPL] = "EPL",
        [DOC_F_DURATION] = "time",
        [DOC_F_NUMBER] = "number",
        [DOC_F_BOOL] = "true, false",
        [DOC_F_TEXTS] = "list of texts",
        [DOC_F_PAIRS] = "texts by name",
        [DOC_F_LIMITS] = "limits by name",
        [DOC_F_EVENT] = "values by name",
    };
    struct slice word;
    switch (f->type) {
    case DOC_F_CONST: (void)buf_addf(out, "`%s`", f->arg); break;
    case DOC_F_ENUM:
        for (uint32_t i = 0; (word = doc_choice(f->arg, i)).ptr != NULL; i++) {
            (void)buf_addf(out, "%s`" SLICE_FMT "`", i > 0 ? " " : "", SLICE_ARG(word));
        }
        break;
    case DOC_F_INT: (void)buf_addf(out, "%s", f->arg); break;
    case DOC_F_POWER: (void)buf_addf(out, "power of two, %s", f->arg); break;
    case DOC_F_AUTO: (void)buf_addf(out, "`auto`, %s", f->arg); break;
    case DOC_F_LIST: (void)buf_addf(out, "list of %s", f->arg); break;
    default: (void)buf_add_str(out, names[f->type]); break;
    }
}

static void fields(struct buf *out)
{
    for (size_t i = 0; i < doc_n_sections; i++) {
        const struct doc_section *s = &doc_sections[i];
        (void)buf_addf(out, "#### %s: %s\n\n| field | value | default | |\n|---|---|---|---|\n",
                       s->name, s->doc);
        for (const struct doc_field *f = NULL; (f = doc_field_next(s->name, f)) != NULL;) {
            (void)buf_addf(out, "| `%s` | ", f->name);
            type_words(out, f);
            if (f->fallback != NULL) {
                (void)buf_addf(out, " | `%s` | %s |\n", f->fallback, f->doc);
            } else {
                (void)buf_addf(out, " | %s | %s |\n", f->required ? "required" : "", f->doc);
            }
        }
        (void)buf_add_byte(out, '\n');
    }
}

static void alert_words(struct buf *out)
{
    (void)buf_add_str(out, "#### @Alert\n\n| word | |\n|---|---|\n");
#define DOC_WORD(name, type, required, doc)                                                        \
    (void)buf_addf(out, "| `%s` | %s%s |\n", #name, doc, (required) ? "; required" : "");
#include "operators/doc/doc_alert.def"
    (void)buf_add_str(out, "\n| severity | |\n|---|---|\n");
#define DOC_SEVERITY(word, doc) (void)buf_addf(out, "| `%s` | %s |\n", word, doc);
#include "operators/doc/doc_alert.def"
    (void)buf_add_byte(out, '\n');
}

static void codes(struct buf *out)
{
    (void)buf_add_str(out, "#### Codes\n\n| code | | |\n|---|---|---|\n");
    for (int i = 0; i < DOC_CODES; i++) {
        bool error = doc_code_severity((enum doc_code)i) == DOC_ERROR;
        (void)buf_addf(out, "| `%s` | %s | %s |\n", doc_code_text((enum doc_code)i),
                       error ? "error" : "warning", doc_code_doc((enum doc_code)i));
    }
    (void)buf_add_byte(out, '\n');
}

static void types(struct buf *out, enum builtin_world world)
{
    for (size_t i = 0; i < builtin_n_types; i++) {
        const struct builtin_type *t = &builtin_types[i];
        if (t->world != world) {
            continue;
        }
        (void)buf_addf(out, "#### %s%s%s: %s\n\n| property | type | |\n|---|---|---|\n", t->name,
                       t->super != NULL ? ", a " : "", t->super != NULL ? t->super : "", t->doc);
        for (const struct builtin_col *c = NULL; (c = builtin_next(t, c)) != NULL;) {
            (void)buf_addf(out, "| `%s` | `%s` | %s |\n", c->name, c->type, c->doc);
        }
        (void)buf_add_byte(out, '\n');
    }
}

void doc_reference(struct buf *out)
{
    (void)buf_add_str(out, "### Fields\n\n");
    fields(out);
    (void)buf_add_str(out, "### Alerts\n\n");
    alert_words(out);
    (void)buf_add_str(out, "### What is said about a document\n\n");
    codes(out);
    (void)buf_add_str(out, "### Event types\n\n");
    types(out, BUILTIN_KAIJU);
    (void)buf_add_str(out, "### Event types of `types: original`\n\n");
    types(out, BUILTIN_ORIGINAL);
}
