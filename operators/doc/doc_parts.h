/* SPDX-License-Identifier: Apache-2.0
 *
 * What a document has beside its levels: sinks, tests, objectives. Lists are a pointer with its
 * count behind it; times are ns.
 */
#ifndef OPERATORS_DOC_DOC_PARTS_H
#define OPERATORS_DOC_DOC_PARTS_H

#include "operators/doc/doc_tree.h"

struct doc_pair {
    struct slice name, value;
};

struct doc_sink {
    const struct doc_node *node;
    struct slice name, url;
    int type;
    const struct slice *severities;
    uint32_t n_severities;
    const struct doc_pair *match, *headers;
    uint32_t n_match, n_headers;
    int64_t timeout;
    bool send_resolved;
};

struct doc_given { /* events of a test */
    const struct doc_node *node, *event;
    int64_t at, every, repeat;
    struct slice type;
};

struct doc_expect {
    const struct doc_node *node, *row;
    struct slice statement;
    int64_t at, count; /* -1: at any time; at least once */
};

struct doc_test {
    const struct doc_node *node;
    struct slice name, description;
    struct doc_given *given;
    uint32_t n_given;
    struct doc_expect *expect;
    uint32_t n_expect;
};

struct doc_burn {
    const struct doc_node *node;
    double rate;
    int64_t over, and_over;
    struct slice severity;
};

struct doc_slo {
    const struct doc_node *node;
    struct slice name, description, total, good, bad;
    double objective; /* percent */
    int64_t period;
    const struct slice *by;
    uint32_t n_by;
    struct doc_burn *burn;
    uint32_t n_burn;
};

#endif
