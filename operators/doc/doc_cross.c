/* SPDX-License-Identifier: Apache-2.0
 *
 * What no field can say alone: names that must differ, sinks that need an address, objectives with
 * either good or bad, windows that fit into each other, severities that exist.
 */
#include "operators/doc/doc_impl.h"

static const char *const severities[] = {
#define DOC_SEVERITY(word, doc) word,
#include "operators/doc/doc_alert.def"
};

bool doc_is_severity(struct slice s, struct slice *ret_near)
{
    unsigned least = 3;
    *ret_near = SLICE_NONE;
    for (size_t i = 0; i < ARRAY_LEN(severities); i++) {
        struct slice word = slice_str(severities[i]);
        if (slice_eq(word, s)) {
            return true;
        }
        unsigned d = slice_distance(word, s, least);
        if (d < least) {
            least = d;
            *ret_near = word;
        }
    }
    return false;
}

void doc_severities(struct buf *out, const char *between, const char *around)
{
    for (size_t i = 0; i < ARRAY_LEN(severities); i++) {
        (void)buf_addf(out, "%s%s%s%s", i > 0 ? between : "", around, severities[i], around);
    }
}

static struct span of(const struct doc_node *object, const char *field)
{
    const struct doc_node *n = doc_get(object, field);
    return n != NULL ? n->span : object->span;
}

static void severity(struct doc_notes *notes, struct slice s, struct span at)
{
    struct slice near;
    if (doc_is_severity(s, &near)) {
        return;
    }
    struct doc_note *n =
        doc_note(notes, DOC_VALUE, at, "there is no severity '" SLICE_FMT "'", SLICE_ARG(s));
    if (near.len > 0) {
        doc_hint(notes, n, "did you mean '" SLICE_FMT "'?", SLICE_ARG(near));
    } else {
        doc_hint(notes, n, "critical, page, ticket, warning, info");
    }
}

/* The names of a list of objects differ. */
static void distinct(struct doc_notes *notes, const struct doc_node *list, const char *what)
{
    for (const struct doc_node *i = list != NULL ? list->first : NULL; i != NULL; i = i->next) {
        const struct doc_node *a = i->kind == DOC_MAP ? doc_get(i, "name") : NULL;
        for (const struct doc_node *k = list->first; a != NULL && k != i; k = k->next) {
            const struct doc_node *b = k->kind == DOC_MAP ? doc_get(k, "name") : NULL;
            if (b != NULL && b->text.len > 0 && slice_eq(a->text, b->text)) {
                struct doc_note *n =
                    doc_note(notes, DOC_TAKEN, a->span, "there is a %s '" SLICE_FMT "' already",
                             what, SLICE_ARG(a->text));
                doc_hint(notes, n, "it is in line %u", b->span.line);
                break;
            }
        }
    }
}

static void sink(struct doc_notes *notes, const struct doc_sink *s)
{
    bool web = slice_starts(s->url, SLICE("http://")) || slice_starts(s->url, SLICE("https://"));
    const struct doc_node *type = doc_get(s->node, "type"), *list = doc_get(s->node, "severities");
    bool log = type != NULL && slice_eq(type->text, SLICE("log"));
    if (s->url.len == 0 && type != NULL && !log) {
        (void)doc_note(notes, DOC_MISSING, of(s->node, "type"),
                       "a sink of type '" SLICE_FMT "' needs a url", SLICE_ARG(type->text));
    } else if (s->url.len > 0 && !web) {
        struct doc_note *n = doc_note(notes, DOC_VALUE, of(s->node, "url"), "this is no address");
        doc_hint(notes, n, "http://... or https://...");
    }
    for (const struct doc_node *i = list != NULL ? list->first : NULL; i != NULL; i = i->next) {
        if (i->kind == DOC_TEXT || i->text.len > 0) {
            severity(notes, i->text, i->span);
        }
    }
}

static void objective(struct doc_notes *notes, const struct doc_slo *s)
{
    if ((s->good.len > 0) == (s->bad.len > 0)) {
        (void)doc_note(notes, s->good.len > 0 ? DOC_VALUE : DOC_MISSING, of(s->node, "name"),
                       s->good.len > 0 ? "an objective has either 'good' or 'bad'"
                                       : "an objective needs 'good' or 'bad'");
    }
    for (uint32_t i = 0; i < s->n_burn; i++) {
        const struct doc_burn *b = &s->burn[i];
        if (b->node == NULL || b->node->kind != DOC_MAP) {
            continue;
        }
        const struct doc_node *word = doc_get(b->node, "severity");
        if (word != NULL && (word->kind == DOC_TEXT || word->text.len > 0)) {
            severity(notes, b->severity, word->span);
        }
        if (b->and_over > 0 && b->over > 0 && b->and_over >= b->over) {
            (void)doc_note(notes, DOC_VALUE, of(b->node, "and_over"),
                           "'and_over' is shorter than 'over'");
        }
        if (b->over > s->period) {
            (void)doc_note(notes, DOC_VALUE, of(b->node, "over"),
                           "'over' is no longer than the period of the objective");
        }
        /* Burning at that rate means that more than all events are bad. */
        if (b->rate > 0 && s->objective > 0 && b->rate * (100 - s->objective) > 100) {
            struct doc_note *n = doc_note(notes, DOC_CANNOT_FIRE, of(b->node, "rate"),
                                          "%g times the allowed share of bad events is more than "
                                          "all of them",
                                          b->rate);
            doc_hint(notes, n, "at most %g for an objective of %g", 100 / (100 - s->objective),
                     s->objective);
        }
    }
}

/* Nobody is to rely upon what is only read today. */
static void no_effect(struct doc_notes *notes, const struct doc_node *object, const char *field)
{
    const struct doc_node *n = object->kind == DOC_MAP ? doc_get(object, field) : NULL;
    if (n != NULL && n->kind != DOC_NULL) {
        (void)doc_note(notes, DOC_NO_EFFECT, n->span, "'%s' is checked, and does nothing yet",
                       field);
    }
}

void doc_cross(const struct doc *d, struct doc_notes *notes)
{
    const struct doc_graph *g = &d->g;
    static const struct {
        const char *field, *what;
    } lists[] = {{"levels", "level"}, {"sinks", "sink"}, {"tests", "test"}, {"slos", "objective"}};
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        const struct doc_node *n = doc_get(g->node, lists[i].field);
        distinct(notes, n != NULL && n->kind == DOC_LIST ? n : NULL, lists[i].what);
    }
    if (g->n_levels > DOC_LEVELS_MAX) {
        (void)doc_note(notes, DOC_LIMIT, g->levels[DOC_LEVELS_MAX].node->span,
                       "a graph has at most %d levels", DOC_LEVELS_MAX);
    }
    no_effect(notes, g->node, "rollback_window");
    for (uint32_t i = 0; i < g->n_levels; i++) {
        if (g->levels[i].parallelism > 0) {
            no_effect(notes, g->levels[i].node, "parallelism");
        }
        if (g->levels[i].dedupe > 0) {
            no_effect(notes, g->levels[i].node, "dedupe");
        }
    }
    for (uint32_t i = 0; i < g->n_sinks; i++) {
        if (g->sinks[i].node->kind == DOC_MAP) {
            sink(notes, &g->sinks[i]);
        }
    }
    for (uint32_t i = 0; i < g->n_slos; i++) {
        if (g->slos[i].node->kind == DOC_MAP) {
            objective(notes, &g->slos[i]);
        }
    }
}
