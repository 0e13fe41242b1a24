/* SPDX-License-Identifier: Apache-2.0
 *
 * See cmd_keys.h.
 */
#include "operators/cmd/cmd_keys.h"

#include "operators/cmd/cmd_json.h"

#include <assert.h>
#include <stdio.h>

static struct slice name_of(const struct key_stmt *s, char number[32])
{
    if (s->name.len + s->window.len > 0) {
        return s->name.len > 0 ? s->name : s->window;
    }
    snprintf(number, 32, "statement %u", s->number);
    return slice_str(number);
}

static void names(const struct key_unit *u, struct buf *out)
{
    char number[32];
    for (uint32_t i = 0; i < u->n_stmts; i++) {
        struct slice name = name_of(&u->stmts[i], number);
        (void)buf_addf(out, "%s" SLICE_FMT, i > 0 ? ", " : "", SLICE_ARG(name));
    }
}

static void input_text(const struct key_unit *u, const struct key_input *in, struct buf *out)
{
    (void)buf_add_slice(out, in->type->name);
    for (uint32_t i = 0; in->cols != NULL && i < u->n_cols; i++) {
        (void)buf_addf(out, "%s" SLICE_FMT, i > 0 ? ", " : "(", SLICE_ARG(in->texts[i]));
    }
    (void)buf_add_str(out, in->cols != NULL ? ")" : " anyhow");
}

static bool may_split(const struct key_unit *u)
{
    return u->choice == KEY_ONE && u->n_stmts == 1 && u->stmts[0].may_split;
}

void cmd_keys_unit(const struct key_unit *u, struct buf *out)
{
    names(u, out);
    (void)buf_addf(out, ": %s", keys_choice_name(u->choice));
    bool by = u->choice == KEY_BY || u->choice == KEY_USER;
    for (uint32_t i = 0; by && i < u->n_inputs; i++) {
        (void)buf_add_str(out, i > 0 ? ", " : " by ");
        input_text(u, &u->inputs[i], out);
    }
    if (u->choice == KEY_ANY) {
        (void)buf_add_str(out, ": each event goes by itself");
    } else if (u->why.len > 0) {
        (void)buf_addf(out, "%s" SLICE_FMT, by ? "; part by part: " : ": ", SLICE_ARG(u->why));
    }
    if (may_split(u)) {
        (void)buf_add_str(out, "; its sums may be split");
    }
    (void)buf_add_byte(out, '\n');
}

void cmd_keys_text(const struct key_plan *p, struct buf *out)
{
    for (uint32_t i = 0; i < p->n_units; i++) {
        (void)buf_addf(out, "unit %u ", i + 1);
        cmd_keys_unit(&p->units[i], out);
    }
}

void cmd_keys_stmt(const struct key_plan *p, uint32_t order, struct buf *out)
{
    for (uint32_t i = 0; i < p->n_units; i++) {
        const struct key_unit *u = &p->units[i];
        for (uint32_t k = 0; k < u->n_stmts; k++) {
            const struct key_stmt *s = &u->stmts[k];
            if (s->order != order) {
                continue;
            }
            (void)buf_addf(out, "    %-9s unit %u, alone %s", "keys", i + 1,
                           keys_choice_name(s->choice));
            if (s->why.len > 0) {
                (void)buf_addf(out, ": " SLICE_FMT, SLICE_ARG(s->why));
            }
            (void)buf_add_str(out, s->may_split ? "; its sums may be split\n" : "\n");
        }
    }
}

/* ---- JSON ---- */

static void field(struct buf *out, const char *key, struct slice v)
{
    (void)buf_addf(out, "\"%s\": ", key);
    cmd_json_string(v, out);
}

static void stmt_json(const struct key_stmt *s, struct buf *out)
{
    char number[32];
    (void)buf_add_str(out, "{");
    field(out, "name", name_of(s, number));
    (void)buf_addf(out, ", \"number\": %u, ", s->number);
    field(out, "alone", slice_str(keys_choice_name(s->choice)));
    if (s->why.len > 0) {
        (void)buf_add_str(out, ", ");
        field(out, "why", s->why);
    }
    (void)buf_addf(out, ", \"may_split\": %s}", s->may_split ? "true" : "false");
}

static void input_json(const struct key_unit *u, const struct key_input *in, struct buf *out)
{
    (void)buf_add_str(out, "{");
    field(out, "type", in->type->name);
    (void)buf_add_str(out, ", \"key\": [");
    for (uint32_t i = 0; in->cols != NULL && i < u->n_cols; i++) {
        (void)buf_add_str(out, i > 0 ? ", " : "");
        cmd_json_string(in->texts[i], out);
    }
    (void)buf_add_str(out, "]}");
}

static void unit_json(const struct key_unit *u, struct buf *out)
{
    (void)buf_add_str(out, "{");
    field(out, "choice", slice_str(keys_choice_name(u->choice)));
    if (u->why.len > 0) {
        (void)buf_add_str(out, ", ");
        field(out, "why", u->why);
    }
    (void)buf_addf(out, ", \"may_split\": %s, \"inputs\": [", may_split(u) ? "true" : "false");
    for (uint32_t i = 0; i < u->n_inputs; i++) {
        (void)buf_add_str(out, i > 0 ? ", " : "");
        input_json(u, &u->inputs[i], out);
    }
    (void)buf_add_str(out, "], \"statements\": [");
    for (uint32_t i = 0; i < u->n_stmts; i++) {
        (void)buf_add_str(out, i > 0 ? ", " : "");
        stmt_json(&u->stmts[i], out);
    }
    (void)buf_add_str(out, "]}");
}

void cmd_keys_units_json(const struct key_plan *p, struct buf *out)
{
    (void)buf_add_str(out, "[");
    for (uint32_t i = 0; i < p->n_units; i++) {
        (void)buf_add_str(out, i > 0 ? ",\n " : "\n ");
        unit_json(&p->units[i], out);
    }
    (void)buf_add_str(out, p->n_units > 0 ? "\n]" : "]");
}

void cmd_keys_json(const struct key_plan *p, struct buf *out)
{
    (void)buf_add_str(out, "{\"units\": ");
    cmd_keys_units_json(p, out);
    (void)buf_add_str(out, "}\n");
}
