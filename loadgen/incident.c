/* SPDX-License-Identifier: Apache-2.0
 *
 * See incident.h.
 */
#include "loadgen/incident.h"

#include "core/base/clock.h"

#include <assert.h>

struct row {
    const char *name;
    int seconds;
    const char *service, *signals, *what, *seen;
};

static const struct row rows[INCIDENT_COUNT] = {
#define INCIDENT(id, name, seconds, service, signals, what, seen)                                  \
    {(name), (seconds), (service), (signals), (what), (seen)},
#include "loadgen/incident.def"
#undef INCIDENT
};

/* "60s", "2m", "1h", "500ms" or "60". */
static bool parse_length(struct slice text, int64_t *ret_ns)
{
    static const struct {
        const char *unit;
        int64_t ns;
    } units[] = {{"ms", CLOCK_NS_PER_MS},
                 {"s", CLOCK_NS_PER_S},
                 {"m", 60 * CLOCK_NS_PER_S},
                 {"h", 3600 * CLOCK_NS_PER_S}};
    int64_t scale = CLOCK_NS_PER_S, n;
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        if (slice_ends(text, slice_str(units[i].unit))) {
            scale = units[i].ns;
            text.len -= strlen(units[i].unit);
            break;
        }
    }
    if (!slice_to_i64(text, &n) || n < 0 || n > INT64_C(86400000) * 7) {
        return false;
    }
    return !__builtin_mul_overflow(n, scale, ret_ns) && *ret_ns <= 7 * 86400 * CLOCK_NS_PER_S;
}

static int find_row(struct slice name, struct err *reterr)
{
    const char *best = "";
    unsigned least = 4;
    for (int kind = 0; kind < INCIDENT_COUNT; kind++) {
        struct slice row = slice_str(rows[kind].name);
        if (slice_eq(name, row)) {
            return kind;
        }
        unsigned d = slice_distance(name, row, 4);
        if (d < least) {
            least = d;
            best = rows[kind].name;
        }
    }
    return err_set(reterr, ERR_UNKNOWN_KEY, "there is no incident '" SLICE_FMT "'%s%s%s",
                   SLICE_ARG(name), best[0] != '\0' ? ": did you mean '" : "", best,
                   best[0] != '\0' ? "'?" : "; --list-incidents shows them");
}

int incident_add(struct incidents *all, struct slice text, int64_t start_ns, struct err *reterr)
{
    assert(all->count <= INCIDENTS_MAX);
    struct slice rest = text, name, at;
    int64_t from, length = -1;
    slice_split(&rest, '@', &name);
    if (rest.ptr == NULL || !slice_split(&rest, ':', &at) || !parse_length(at, &from) ||
        (rest.ptr != NULL && !parse_length(rest, &length))) {
        return err_set(reterr, ERR_USAGE,
                       "incident '" SLICE_FMT "': expected NAME@START or NAME@START:LENGTH, for "
                       "example slow-dependency@60s:2m",
                       SLICE_ARG(text));
    }
    int kind = find_row(name, reterr);
    if (kind < 0) {
        return kind;
    }
    if (all->count == INCIDENTS_MAX) {
        return err_set(reterr, ERR_LIMIT, "at most %d incidents", INCIDENTS_MAX);
    }
    if (length < 0) {
        length = rows[kind].seconds * CLOCK_NS_PER_S;
    }
    all->list[all->count++] = (struct incident){.kind = (enum incident_kind)kind,
                                                .from_ns = start_ns + from,
                                                .to_ns = start_ns + from + length,
                                                .node = 1,
                                                .pod = -1,
                                                .product = "SKU-0042"};
    return 0;
}

void incident_list(FILE *to)
{
    for (int i = 0; i < INCIDENT_COUNT; i++) {
        fprintf(to, "%-16s %d s unless told otherwise\n    %s\n    seen in: %s\n", rows[i].name,
                rows[i].seconds, rows[i].what, rows[i].seen);
    }
}

const struct incident *incident_active(const struct incidents *all, enum incident_kind kind,
                                       int64_t now_ns)
{
    for (size_t i = 0; i < all->count; i++) {
        const struct incident *in = &all->list[i];
        if (in->kind == kind && now_ns >= in->from_ns && now_ns < in->to_ns) {
            return in;
        }
    }
    return NULL;
}

static void put_where(struct buf *out, const struct incident *in, const struct shop *shop)
{
    buf_addf(out, "{\"cluster\":\"%s\",\"namespace\":\"shop\"", shop->cluster);
    if (rows[in->kind].service != NULL) {
        buf_addf(out, ",\"service\":\"%s\"", rows[in->kind].service);
    }
    if (in->pod_name[0] != '\0') {
        buf_addf(out, ",\"pod\":\"%s\"", in->pod_name);
    }
    if (in->kind == INCIDENT_FAILING_PRODUCT) {
        buf_addf(out, ",\"product\":\"%s\"", in->product);
    }
    if (in->kind == INCIDENT_NODE_LOSS) {
        buf_addf(out, ",\"node\":\"%s\"", shop->nodes[in->node % shop->node_count].name);
    }
    buf_add_str(out, "}");
}

/* "spans logs" as a JSON array. */
static void put_signals(struct buf *out, const char *signals)
{
    struct slice rest = slice_str(signals), one;
    const char *comma = "";
    while (slice_split(&rest, ' ', &one)) {
        buf_addf(out, "%s\"" SLICE_FMT "\"", comma, SLICE_ARG(one));
        comma = ",";
    }
}

void incident_truth(struct buf *out, const struct incidents *all, const struct shop *shop,
                    int64_t now_ns)
{
    for (size_t i = 0; i < all->count; i++) {
        const struct incident *in = &all->list[i];
        const struct row *row = &rows[in->kind];
        char from[CLOCK_TEXT_BYTES], until[CLOCK_TEXT_BYTES];
        buf_addf(out, "{\"incident\":\"%s\",\"what\":\"%s\",\"where\":", row->name, row->what);
        put_where(out, in, shop);
        buf_add_str(out, ",\"signals\":[");
        put_signals(out, row->signals);
        buf_addf(out, "],\"seen_in\":\"%s\",\"from\":\"%s\",\"to\":\"%s\"", row->seen,
                 clock_text(in->from_ns, from), clock_text(in->to_ns, until));
        buf_addf(out, ",\"from_ns\":%lld,\"to_ns\":%lld,\"state\":\"%s\"}\n",
                 (long long)in->from_ns, (long long)in->to_ns,
                 now_ns < in->from_ns ? "to come"
                 : now_ns < in->to_ns ? "under way"
                                      : "over");
    }
}
