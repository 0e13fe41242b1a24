/* SPDX-License-Identifier: Apache-2.0
 *
 * What a bus needs to know to start. The structs are plain, so that tests fill them by hand; the
 * configuration table that fills them from flags, environment and YAML is in bus_conf.c.
 */
#ifndef CORE_BUS_BUS_CONF_H
#define CORE_BUS_BUS_CONF_H

#include "core/bus/bus.h"

enum { BUS_READER_QUEUE = 4 << 20 };

struct bus_local_conf {
    const char *dir;
    uint64_t map_bytes;   /* of the sparse map: 64 GiB */
    uint64_t quota_bytes; /* live bytes at which appends get FULL; 0 = map less the 10% reserve */
    bool read_only;       /* another process may be writing */
};

struct bus_property {
    const char *name, *value;
};

struct bus_kafka_conf {
    const char *brokers;           /* host:port,host:port */
    const char *security_protocol; /* plaintext, ssl, sasl_plaintext, sasl_ssl; NULL = plaintext */
    const char *ca_file, *cert_file, *key_file, *key_password;
    const char *sasl_mechanism, *username, *password;
    int16_t replication; /* of topics we create */
    int64_t transaction_timeout_ms;
    const struct bus_property *properties; /* passed on to librdkafka, after all of the above */
    uint32_t property_count;
};

struct bus_sim_faults; /* bus_sim.h */

struct bus_sim_conf {
    uint64_t seed;
    const struct bus_sim_faults *faults; /* NULL = none */
};

struct bus_conf {
    enum bus_kind kind;
    const char *prefix;          /* of topic names: "kaiju." */
    uint64_t writer_queue_bytes; /* put but not yet ended, per writer; 0 = 64 MiB */
    uint64_t reader_queue_bytes; /* fetched but not yet polled, per reader; 0 = 4 MiB */
    struct bus_local_conf local;
    struct bus_kafka_conf kafka;
    struct bus_sim_conf sim;
};

#endif
