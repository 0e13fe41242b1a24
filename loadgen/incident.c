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
    const char *what, *seen;
};

static const struct row rows[INCIDENT_COUNT] = {
#define INCIDENT(id, name, seconds, what, seen) {(name), (seconds), (what), (seen)},
#include "loadgen/incident.def"
#undef INCIDENT
};

/* "60s", "2m" or "60". */
static bool parse_seconds(struct slice text, int64_t *ret_ns)
{
    int64_t scale = slice_ends(text, SLICE("m")) ? 60 : 1, n;
    if (slice_ends(text, SLICE("s")) || slice_ends(text, SLICE("m"))) {
        text.len--;
    }
    if (!slice_to_i64(text, &n) || n < 0 || n > 86400 * 7) {
        return false;
    }
    *ret_ns = n * scale * CLOCK_NS_PER_S;
    return true;
}

int incident_add(struct incidents *all, struct slice text, int64_t start_ns, struct err *reterr)
{
    assert(all->count <= INCIDENTS_MAX);
    struct slice rest = text, name, at;
    int64_t from, length;
    slice_split(&rest, '@', &name);
    if (rest.ptr == NULL || !slice_split(&rest, '+', &at) || !parse_seconds(at, &from) ||
        (rest.ptr != NULL && !parse_seconds(rest, &length))) {
        return err_set(reterr, ERR_USAGE,
                       "incident '" SLICE_FMT "': expected NAME@START[+LENGTH], for example "
                       "slow-dependency@60s+120s",
                       SLICE_ARG(text));
    }
    for (int kind = 0; kind < INCIDENT_COUNT; kind++) {
        if (!slice_eq(name, slice_str(rows[kind].name))) {
            continue;
        }
        if (all->count == INCIDENTS_MAX) {
            return err_set(reterr, ERR_LIMIT, "at most %d incidents", INCIDENTS_MAX);
        }
        if (rest.ptr == NULL) {
            length = rows[kind].seconds * CLOCK_NS_PER_S;
        }
        all->list[all->count++] = (struct incident){.kind = (enum incident_kind)kind,
                                                    .from_ns = start_ns + from,
                                                    .to_ns = start_ns + from + length,
                                                    .node = 1,
                                                    .product = "SKU-0042"};
        return 0;
    }
    return err_set(reterr, ERR_UNKNOWN_KEY,
                   "there is no incident '" SLICE_FMT "'; --list-incidents shows them",
                   SLICE_ARG(name));
}

void incident_list(FILE *to)
{
    for (int i = 0; i < INCIDENT_COUNT; i++) {
        fprintf(to, "%-16s %3d s  %s\n%24sseen in: %s\n", rows[i].name, rows[i].seconds,
                rows[i].what, "", rows[i].seen);
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

static void put_where(FILE *to, const struct incident *in, const struct shop *shop)
{
    static const char *const services[INCIDENT_COUNT] = {
        [INCIDENT_SLOW_DEPENDENCY] = "payment",    [INCIDENT_FAILING_PRODUCT] = "catalog",
        [INCIDENT_BAD_ROLLOUT] = "recommendation", [INCIDENT_CPU_SATURATION] = "catalog",
        [INCIDENT_ORDERS_LOST] = "orders",
    };
    char node[32];
    fprintf(to, "{\"cluster\":\"%s\",\"namespace\":\"shop\"", shop->cluster);
    if (services[in->kind] != NULL) {
        fprintf(to, ",\"service\":\"%s\"", services[in->kind]);
    }
    if (in->kind == INCIDENT_CPU_SATURATION && in->pod[0] != '\0') {
        fprintf(to, ",\"pod\":\"%s\"", in->pod);
    }
    if (in->kind == INCIDENT_FAILING_PRODUCT) {
        fprintf(to, ",\"product\":\"%s\"", in->product);
    }
    if (in->kind == INCIDENT_NODE_LOSS) {
        shop_node_name(in->node, node);
        fprintf(to, ",\"node\":\"%s\"", node);
    }
    fputs("}", to);
}

void incident_truth(FILE *to, const struct incidents *all, const struct shop *shop)
{
    for (size_t i = 0; i < all->count; i++) {
        const struct incident *in = &all->list[i];
        char from[CLOCK_TEXT_BYTES], until[CLOCK_TEXT_BYTES];
        fprintf(to, "{\"incident\":\"%s\",\"what\":\"%s\",\"seen_in\":\"%s\",\"where\":",
                rows[in->kind].name, rows[in->kind].what, rows[in->kind].seen);
        put_where(to, in, shop);
        fprintf(to, ",\"from\":\"%s\",\"to\":\"%s\",\"from_ns\":%lld,\"to_ns\":%lld}\n",
                clock_text(in->from_ns, from), clock_text(in->to_ns, until), (long long)in->from_ns,
                (long long)in->to_ns);
    }
}
