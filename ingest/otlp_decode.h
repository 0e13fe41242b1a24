/* SPDX-License-Identifier: Apache-2.0
 *
 * Protobuf bytes of one item to plain structs: pure, without copies. Texts point into the request,
 * attributes become payload pairs, what is nested lies in the arena of a struct otlp_item, which is
 * emptied before each item. The request was checked (otlp_check.h), so nothing here can be
 * malformed; what can still be wrong is what an item says, and the mapper judges that.
 *
 * Attributes are decoded to their place in the payload: the pairs in front of them are for the own
 * keys, which the mapper puts there from the back (otlp_own in otlp_impl.h).
 */
#ifndef INGEST_OTLP_DECODE_H
#define INGEST_OTLP_DECODE_H

#include "core/codec/pbwire.h"
#include "core/event/val.h"
#include "ingest/otlp.h"
#include "ingest/otlp_keys.h"

enum {
    OTLP_OWN_MAX = 40,     /* own keys of one event */
    OTLP_ATTRS_MAX = 4096, /* attributes of one item */
    OTLP_VALUE_DEPTH = 24, /* of a value; lists of maps of attributes stand around it */
    OTLP_ITEM_BYTES = 64 << 20,
};

/* Where the attributes of an item are put, and what was noticed about them. */
struct otlp_item {
    struct arena *arena;
    const struct otlp_keys *keys;
    struct val_pair *pairs; /* attributes begin at OTLP_OWN_MAX */
    uint32_t attrs, own;    /* attributes; index of the first own key */
    uint64_t roles;         /* bits of enum otlp_role that were found */
    uint32_t role_at[OTLP_ROLE_COUNT];
    uint8_t role_rank[OTLP_ROLE_COUNT];
    uint8_t where; /* enum otlp_where: whose attributes these are */
    bool used;     /* the arena is not empty */
    bool bad;      /* reason says why the item cannot be taken */
    enum otlp_reason reason;
};

void otlp_item_init(struct otlp_item *it, const struct otlp_keys *keys);
void otlp_item_done(struct otlp_item *it);
/* Forgets the last item. */
void otlp_item_begin(struct otlp_item *it, enum otlp_where where);
/* Forgets attributes, keeps values. */
void otlp_item_clear(struct otlp_item *it);
COLD void otlp_item_refuse(struct otlp_item *it, enum otlp_reason reason);
/* Decodes a KeyValue as one more attribute. */
void otlp_item_attr(struct otlp_item *it, struct slice key_value);
/* The value found for a role; NULL if absent. */
const struct val *otlp_item_role(const struct otlp_item *it, enum otlp_role role);

/* A value; everything nested in the arena. depth: levels still allowed. */
struct val otlp_any(struct otlp_item *it, struct slice any_value, unsigned depth);
/* The fields `number` of a message, which are KeyValues, as a map. */
struct val otlp_attr_map(struct otlp_item *it, struct slice message, uint32_t number);
/* Numbers packed or not: the fields `number` as a list. Unsigned ones above 2^63-1 saturate. */
enum otlp_numbers { OTLP_NUMBERS_FIXED, OTLP_NUMBERS_VARINT, OTLP_NUMBERS_DOUBLE };
struct val otlp_numbers(struct otlp_item *it, struct slice message, uint32_t number,
                        enum otlp_numbers how, bool *saturated);
/* Room in the arena for n maps or values, NULL and the item refused when there is none. */
void *otlp_item_array(struct otlp_item *it, size_t n, size_t size);

struct otlp_span {
    struct slice trace_id, span_id, parent_id, trace_state, name, status_message;
    uint64_t start, end;
    uint64_t flags, kind, status, dropped_attrs, dropped_events, dropped_links;
    uint32_t events, links;
};
void otlp_decode_span(struct otlp_item *it, struct slice message, struct otlp_span *ret);

struct otlp_log {
    uint64_t time, observed, severity, flags, dropped_attrs;
    struct slice severity_text, trace_id, span_id, event_name, body;
    bool has_body;
};
void otlp_decode_log(struct otlp_item *it, struct slice message, struct otlp_log *ret);

/* What a name, a time and a set of attributes have in common: span events, links, exemplars. */
struct otlp_part {
    struct slice name, trace_id, span_id, trace_state;
    uint64_t time, dropped_attrs, flags;
    struct val value; /* of exemplars */
    uint32_t attrs;
};
void otlp_decode_event(struct slice message, struct otlp_part *ret);
void otlp_decode_link(struct slice message, struct otlp_part *ret);
void otlp_decode_exemplar(struct slice message, struct otlp_part *ret);

#endif
