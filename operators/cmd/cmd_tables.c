/* SPDX-License-Identifier: Apache-2.0
 *
 * `kaiju epl functions`, `windows`, `aggregations`: what the language has, out of the tables that
 * the engine itself uses. The letters of signatures are those of sig/fn.h.
 */
#include "operators/agg/agg.h"
#include "operators/cmd/cmd_epl.h"
#include "operators/cmd/cmd_json.h"
#include "operators/sig/fn.h"

#include <stdio.h>

struct entry {
    const char *name, *doc;
};

static const struct entry agg_entries[] = {
#define AGG(name_, locality_, doc_) {#name_, doc_},
#include "operators/agg/agg.def"
#undef AGG
};

struct window_entry {
    const char *name, *params, *doc;
};

static const struct window_entry window_entries[] = {
#define WIN(name_, space_, file_, locality_, params_, doc_) {#name_, params_, doc_},
#include "operators/window/window.def"
#undef WIN
};

struct letter {
    char letter;
    const char *word;
};

static const struct letter letters[] = {
    {'b', "boolean"},
    {'c', "char"},
    {'i', "int"},
    {'l', "long"},
    {'f', "float"},
    {'F', "float"},
    {'d', "double"},
    {'n', "number"},
    {'s', "string"},
    {'m', "map"},
    {'o', "any"},
    {'L', "list"},
    {'S', "strings"},
    {'N', "number"},
    {'E', "element"},
    {'=', "list"},
    {'V', "value"},
    {'t', "time"},
    {'p', "period"},
    {'k', "'field'"},
    {'y', "'pattern'"},
    {'x', "regexp"},
    {'P', "x => condition"},
    {'X', "x => expression"},
    {'R', "start"},
    {'G', "(result, x) => expression"},
    {'D', "BigDecimal"},
    {'I', "BigInteger"},
    {'B', "value"},
    {'Q', "list"},
    {'U', "number"},
    {'A', "value"},
    {'M', "map"},
};

static const char *const fn_kinds[] = {
    [FN_STATIC] = "functions",
    [FN_METHOD] = "methods",
    [FN_ENUM] = "methods of lists",
    [FN_DATE] = "methods of times",
};

static const char *word(char letter)
{
    for (size_t i = 0; i < ARRAY_LEN(letters); i++) {
        if (letters[i].letter == letter) {
            return letters[i].word;
        }
    }
    return "value";
}

/* "take(int) gives list" of "take", "=(i)"; what is the receiver stays what it is. */
static void signature(const struct fn_def *f, struct buf *out)
{
    const char *p = f->sig;
    char gives = *p++;
    (void)buf_addf(out, "%s(", f->name);
    for (p += *p == '('; *p != '\0' && *p != ')'; p++) {
        if (*p == '*') {
            (void)buf_add_str(out, "...");
            continue;
        }
        (void)buf_addf(out, "%s%s", p[-1] == '(' ? "" : ", ", word(*p));
    }
    (void)buf_addf(out, ") gives %s", gives == '=' && f->kind == FN_DATE ? "time" : word(gives));
}

static void put(int format, const char *kind, struct slice name, const char *doc)
{
    struct buf b;
    if (format != CMD_JSON) {
        printf("%-54.*s %s\n", (int)name.len, name.ptr, doc);
        return;
    }
    buf_init(&b, 64 * 1024);
    (void)buf_addf(&b, "{\"kind\": \"%s\", \"name\": ", kind);
    cmd_json_string(name, &b);
    (void)buf_add_str(&b, ", \"doc\": ");
    cmd_json_string(slice_str(doc), &b);
    (void)buf_add_str(&b, "}\n");
    buf_print(&b, stdout);
    buf_done(&b);
}

int cmd_functions(const struct cmd_opts *o)
{
    struct buf b;
    buf_init(&b, 64 * 1024);
    for (enum fn_kind kind = FN_STATIC; kind <= FN_DATE; kind++) {
        if (o->format != CMD_JSON) {
            printf("%s%s\n", kind == FN_STATIC ? "" : "\n", fn_kinds[kind]);
        }
        for (uint32_t i = 0; i < fn_n_defs; i++) {
            if (fn_defs[i].kind == kind) {
                buf_clear(&b);
                signature(&fn_defs[i], &b);
                put(o->format, fn_kinds[kind], buf_slice(&b), fn_defs[i].doc);
            }
        }
    }
    buf_done(&b);
    return CMD_OK;
}

int cmd_windows(const struct cmd_opts *o)
{
    struct buf b;
    buf_init(&b, 64 * 1024);
    for (size_t i = 0; i < ARRAY_LEN(window_entries); i++) {
        const struct window_entry *w = &window_entries[i];
        buf_clear(&b);
        (void)buf_addf(&b, w->params[0] != '\0' ? "#%s(%s)" : "#%s%s", w->name, w->params);
        put(o->format, "windows", buf_slice(&b), w->doc);
    }
    buf_done(&b);
    return CMD_OK;
}

int cmd_causes(const struct cmd_opts *o)
{
    static const struct {
        const char *node, *causes;
    } rules[] = {
#define CAUSE(node_, causes_, where_) {node_, causes_},
#include "operators/sig/cause.def"
#undef CAUSE
    };
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        put(o->format, "causes", slice_str(rules[i].node), rules[i].causes);
    }
    return CMD_OK;
}

int cmd_aggregations(const struct cmd_opts *o)
{
    for (size_t i = 0; i < ARRAY_LEN(agg_entries); i++) {
        put(o->format, "aggregations", slice_str(agg_entries[i].name), agg_entries[i].doc);
    }
    return CMD_OK;
}
