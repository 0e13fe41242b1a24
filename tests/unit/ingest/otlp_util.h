/* SPDX-License-Identifier: Apache-2.0
 *
 * What tests, fuzzers, tools and the benchmark of OTLP share: a sink that keeps events as text and
 * as one encoded batch per topic, and a request builder on pbwrite.
 *
 * A line of text: "topic type ts trace/span flags=n context{..} payload{..}" with sorted keys.
 */
#ifndef TESTS_UNIT_INGEST_OTLP_UTIL_H
#define TESTS_UNIT_INGEST_OTLP_UTIL_H

#include "core/base/buf.h"
#include "core/codec/pbwrite.h"
#include "core/event/batch_enc.h"
#include "ingest/otlp.h"

#define OTLP_TEST_NOW INT64_C(1787000000000000000)

struct otlp_rig {
    struct otlp_map *map;
    struct arena *arena, *scratch;
    struct batch_enc *enc[BUS_TOPICS_COUNT + 1];
    struct buf text, batch, keys, ids, dead;
    struct otlp_result result;
    struct err err;
    int fail_with;       /* what the sink answers ... */
    uint64_t fail_after; /* ... after so many events */
    uint64_t events, rejected;
};

struct otlp_rig *otlp_rig_new(void);
void otlp_rig_free(struct otlp_rig *r);
/* Maps a request; text, keys, ids (16 bytes each), dead (reasons) and batch hold what came of it.
 */
int otlp_rig_run(struct otlp_rig *r, enum otlp_signal signal, enum otlp_form form,
                 struct slice body);
/* Line i of the text; absent when there are fewer. */
struct slice otlp_rig_line(const struct otlp_rig *r, size_t i);

/* Attributes: a KeyValue in field `field` of the open message. */
void otlp_put_text(struct buf *b, uint32_t field, const char *key, const char *value);
void otlp_put_int(struct buf *b, uint32_t field, const char *key, int64_t value);

#endif
