/* SPDX-License-Identifier: Apache-2.0
 *
 * See top_view.h.
 */
#include "core/bus/top_view.h"

#include "core/base/clock.h"
#include "core/base/mem.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { NAME_BYTES = 48, TEXT_BYTES = 200, ERROR_LOG = 17 };

struct counted {
    char name[NAME_BYTES];
    uint64_t total, errors, before, errors_before;
};

struct seen {
    int64_t ts;
    char type[NAME_BYTES], service[NAME_BYTES], text[TEXT_BYTES];
};

struct top_view {
    struct counted types[TOP_TYPES_MAX], services[TOP_SERVICES_MAX];
    size_t type_count, service_count, next_error;
    struct seen errors[TOP_ERRORS_MAX];
    uint64_t total, error_total;
    int64_t shown_ns;
};

/* What makes an event of a type an error, and which key says why. To add one: a row. */
struct error_row {
    const char *type, *key, *equals, *text, *text_else;
    int64_t at_least; /* of a number; 0: the text `equals` */
};
static const struct error_row error_rows[] = {
    {"LogRecord", "severity_number", NULL, "body", "event_name", ERROR_LOG},
    {"Span", "status_code", "error", "status_message", "name", 0},
    {"Span", "status_code", NULL, "status_message", "name", 2},
    {"ExceptionEvent", NULL, NULL, "exception_message", "exception_type", 0},
    {"KubeEvent", "type", "Warning", "message", "reason", 0},
};

struct top_view *top_view_new(void)
{
    return MEM_NEW(struct top_view);
}

void top_view_free(struct top_view *v)
{
    mem_free(v);
}

/* Control bytes would let a log line write on the terminal. */
static void keep_text(char *to, size_t size, struct slice text)
{
    size_t n = MIN(text.len, size - 1);
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        to[i] = c < 0x20 || c == 0x7f ? ' ' : (char)c;
    }
    to[n] = '\0';
}

/* NULL: the table is full. */
static struct counted *counted(struct counted *rows, size_t *count, size_t max, struct slice name)
{
    for (size_t i = 0; i < *count; i++) {
        if (slice_eq(name, slice_str(rows[i].name))) {
            return &rows[i];
        }
    }
    if (*count == max || name.len >= NAME_BYTES) {
        return NULL;
    }
    keep_text(rows[*count].name, NAME_BYTES, name);
    return &rows[(*count)++];
}

static struct slice text_of(const struct rec *r, const char *key)
{
    const struct val *v =
        key != NULL ? rec_find_text(r->payload, r->payload_len, slice_str(key)) : NULL;
    return v != NULL && v->tag == VAL_STRING ? val_slice(*v) : SLICE_NONE;
}

static const struct error_row *error_of(const struct rec *r)
{
    for (size_t i = 0; i < ARRAY_LEN(error_rows); i++) {
        const struct error_row *e = &error_rows[i];
        if (!slice_eq(r->type, slice_str(e->type))) {
            continue;
        }
        if (e->key == NULL) {
            return e;
        }
        const struct val *v = rec_find_text(r->payload, r->payload_len, slice_str(e->key));
        if (v != NULL && e->at_least > 0 && v->tag == VAL_INT && v->i >= e->at_least) {
            return e;
        }
        if (v != NULL && e->equals != NULL && v->tag == VAL_STRING &&
            slice_eq_nocase(val_slice(*v), slice_str(e->equals))) {
            return e;
        }
    }
    return NULL;
}

static struct slice service_of(const struct rec *r)
{
    static const enum rec_name names[] = {REC_NAME_SERVICE, REC_NAME_POD, REC_NAME_NODE,
                                          REC_NAME_HOST};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const struct val *v = rec_context_get(r->context, NULL, names[i]);
        if (v != NULL && v->tag == VAL_STRING) {
            return val_slice(*v);
        }
    }
    return SLICE("-");
}

static void add_error(struct top_view *v, const struct rec *r, const struct error_row *e)
{
    struct seen *s = &v->errors[v->next_error++ % TOP_ERRORS_MAX];
    struct slice text = text_of(r, e->text);
    s->ts = r->ts;
    keep_text(s->type, sizeof s->type, r->type);
    keep_text(s->service, sizeof s->service, service_of(r));
    keep_text(s->text, sizeof s->text, text.len > 0 ? text : text_of(r, e->text_else));
    v->error_total++;
}

void top_view_add(struct top_view *v, const struct rec_batch *b)
{
    for (uint32_t i = 0; i < b->events_len; i++) {
        const struct rec *r = &b->events[i];
        const struct error_row *e = error_of(r);
        struct counted *type = counted(v->types, &v->type_count, TOP_TYPES_MAX, r->type);
        struct counted *service =
            counted(v->services, &v->service_count, TOP_SERVICES_MAX, service_of(r));
        v->total++;
        if (type != NULL) {
            type->total++;
            type->errors += e != NULL;
        }
        if (service != NULL) {
            service->total++;
            service->errors += e != NULL;
        }
        if (e != NULL) {
            add_error(v, r, e);
        }
    }
}

static int busiest_first(const void *a, const void *b)
{
    const struct counted *x = a, *y = b;
    uint64_t m = x->total - x->before, n = y->total - y->before;
    return m != n ? (m < n ? 1 : -1) : strcmp(x->name, y->name);
}

static void show_rows(struct buf *out, const char *title, struct counted *rows, size_t count,
                      size_t most, double seconds)
{
    qsort(rows, count, sizeof *rows, busiest_first);
    buf_addf(out, "%-28s %12s %14s %12s\n", title, "EVENTS/S", "EVENTS", "ERRORS/S");
    for (size_t i = 0; i < count; i++) {
        struct counted *c = &rows[i];
        if (i < most) {
            buf_addf(out, "%-28.28s %12.0f %14" PRIu64 " %12.1f\n", c->name,
                     (double)(c->total - c->before) / seconds, c->total,
                     (double)(c->errors - c->errors_before) / seconds);
        }
        c->before = c->total;
        c->errors_before = c->errors;
    }
}

static void show_errors(const struct top_view *v, uint32_t width, struct buf *out)
{
    char time[CLOCK_TEXT_BYTES];
    buf_addf(out, "\nLATEST ERRORS (%" PRIu64 " so far)\n", v->error_total);
    size_t n = MIN(v->next_error, (size_t)TOP_ERRORS_MAX);
    for (size_t i = 1; i <= n; i++) {
        const struct seen *s = &v->errors[(v->next_error - i) % TOP_ERRORS_MAX];
        char line[2 * NAME_BYTES + TEXT_BYTES + 32];
        snprintf(line, sizeof line, "%.12s %-15.15s %-20.20s %s", clock_text(s->ts, time) + 11,
                 s->type, s->service, s->text);
        buf_addf(out, "%.*s\n", (int)width, line);
    }
    if (n == 0) {
        buf_add_str(out, "none\n");
    }
}

void top_view_show(struct top_view *v, int64_t now_ns, uint32_t width, struct buf *out)
{
    double seconds = v->shown_ns > 0 ? (double)(now_ns - v->shown_ns) / 1e9 : 1.0;
    assert(width > 0);
    seconds = seconds > 0.001 ? seconds : 0.001;
    show_rows(out, "TYPE", v->types, v->type_count, TOP_TYPES_MAX, seconds);
    buf_add_byte(out, '\n');
    show_rows(out, "SERVICE", v->services, v->service_count, 10, seconds);
    show_errors(v, width, out);
    v->shown_ns = now_ns;
}

uint64_t top_view_total(const struct top_view *v)
{
    return v->total;
}
