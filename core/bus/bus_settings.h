/* SPDX-License-Identifier: Apache-2.0
 *
 * The settings of the bus as a configuration table: what every role and every tool that opens a bus
 * takes. To add one: a member, a row in bus_settings.c, and where it goes in bus_settings_conf.
 */
#ifndef CORE_BUS_BUS_SETTINGS_H
#define CORE_BUS_BUS_SETTINGS_H

#include "core/bus/bus_conf.h"
#include "core/conf/conf.h"

struct bus_settings {
    int kind, security;
    const char *prefix;
    int64_t partitions, retention_ns, writer_queue_bytes, reader_queue_bytes;
    const char *dir;
    int64_t map_bytes, quota_bytes;
    const char *brokers, *ca_file, *cert_file, *key_file, *key_password;
    const char *sasl_mechanism, *username, *password;
    int64_t replication, transaction_timeout_ns;
    struct conf_map properties;
};

struct conf_table bus_settings_table(struct bus_settings *target);
/* What bus_new wants. Borrows from the settings; *props has room for all properties (an arena's, or
 * as many as settings->properties.count). */
struct bus_conf bus_settings_conf(const struct bus_settings *settings, struct bus_property *props);

#endif
