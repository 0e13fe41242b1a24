/* SPDX-License-Identifier: Apache-2.0
 *
 * What kaiju-loadgen is told, and what follows from it: the rates of the world, its start, the
 * incidents. To add a setting: a row in settings.c; a load: a row in preset.def.
 */
#ifndef LOADGEN_SETTINGS_H
#define LOADGEN_SETTINGS_H

#include "core/conf/conf.h"
#include "loadgen/world.h"

struct loadgen_settings {
    const char *to, *write, *truth, *ledger, *start_time, *cluster;
    const char *ca_file, *cert_file, *key_file;
    int preset, only, encoding, compress, output;
    int64_t rate, connections, batch, seed, scale, items, queue_bytes;
    int64_t duration_ns, flush_ns, timeout_ns, drain_ns;
    bool flat_out, list_incidents, quiet;
    struct conf_map incidents;
};

#define LOADGEN_TO "grpc://127.0.0.1:4317"
enum { LOADGEN_ENCODING_PROTOBUF = 0, LOADGEN_ENCODING_JSON = 1 };

/* The tick of the world: what a request is late by at most, beside the flush interval. */
#define LOADGEN_TICK_NS (10 * INT64_C(1000000))

struct conf_table loadgen_settings_table(struct loadgen_settings *s);
/* wall_ns: the time if none was given. */
int loadgen_settings_world(const struct loadgen_settings *s, int64_t wall_ns,
                           struct world_options *ret_options, struct err *reterr) NODISCARD;
int loadgen_settings_incidents(const struct loadgen_settings *s, struct world *w,
                               struct err *reterr) NODISCARD;

#endif
