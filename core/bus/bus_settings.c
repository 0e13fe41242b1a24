/* SPDX-License-Identifier: Apache-2.0
 *
 * See bus_settings.h.
 */
#include "core/bus/bus_settings.h"

#include <assert.h>

static const char *const kinds[] = {"local", "kafka", NULL};
static const char *const securities[] = {"plaintext", "ssl", "sasl_plaintext", "sasl_ssl", NULL};

#define AT(member) offsetof(struct bus_settings, member)
#define GIB        (INT64_C(1) << 30)

static const struct conf_row rows[] = {
    {"bus.kind", CONF_ENUM, AT(kind), "local", 0, 0, kinds, 0,
     "where the log lives: embedded in a directory, or Apache Kafka"},
    {"bus.prefix", CONF_STRING, AT(prefix), "kaiju.", 0, 0, NULL, 0, "of the names of all topics"},
    {"bus.partitions", CONF_INT, AT(partitions), "8", 1, 1024, NULL, 0,
     "of the raw topics when they are made: a power of two, fixed from then on"},
    {"bus.retention", CONF_DURATION, AT(retention_ns), "8d", 60 * CLOCK_NS_PER_S,
     INT64_C(3650) * 86400 * CLOCK_NS_PER_S, NULL, 0, "of topics when they are made"},
    {"bus.writer_queue", CONF_SIZE, AT(writer_queue_bytes), "64MiB", 2 << 20, 4 * GIB, NULL, 0,
     "bytes a writer may have put and not yet committed"},
    {"bus.reader_queue", CONF_SIZE, AT(reader_queue_bytes), "4MiB", 2 << 20, 4 * GIB, NULL, 0,
     "bytes a reader may have fetched and not yet given out; kafka: of 8 partitions"},
    {"bus.local.dir", CONF_STRING, AT(dir), "./kaiju-data", 0, 0, NULL, 0,
     "the directory of the embedded bus; one process writes it, others may read"},
    {"bus.local.map_size", CONF_SIZE, AT(map_bytes), "64GiB", 16 << 20, 65536 * GIB, NULL, 0,
     "the largest the embedded bus can ever be; a sparse file"},
    {"bus.local.quota", CONF_SIZE, AT(quota_bytes), "0", 0, 65536 * GIB, NULL, 0,
     "bytes of data at which writing is refused until retention makes room; 0 = 90% of the map"},
    {"bus.kafka.brokers", CONF_STRING, AT(brokers), "127.0.0.1:9092", 0, 0, NULL, 0,
     "host:port of some brokers, with commas between"},
    {"bus.kafka.security", CONF_ENUM, AT(security), "plaintext", 0, 0, securities, 0,
     "how to talk to the brokers"},
    {"bus.kafka.ca_file", CONF_STRING, AT(ca_file), NULL, 0, 0, NULL, 0,
     "PEM file of the authorities that signed the brokers' certificates"},
    {"bus.kafka.cert_file", CONF_STRING, AT(cert_file), NULL, 0, 0, NULL, 0,
     "PEM file of our certificate, for brokers that ask for one"},
    {"bus.kafka.key_file", CONF_STRING, AT(key_file), NULL, 0, 0, NULL, 0,
     "PEM file of the key of our certificate"},
    {"bus.kafka.key_password", CONF_STRING, AT(key_password), NULL, 0, 0, NULL, CONF_SECRET,
     "password of the key file"},
    {"bus.kafka.sasl_mechanism", CONF_STRING, AT(sasl_mechanism), NULL, 0, 0, NULL, 0,
     "PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512"},
    {"bus.kafka.username", CONF_STRING, AT(username), NULL, 0, 0, NULL, 0, "SASL user name"},
    {"bus.kafka.password", CONF_STRING, AT(password), NULL, 0, 0, NULL, CONF_SECRET,
     "SASL password"},
    {"bus.kafka.replication", CONF_INT, AT(replication), "3", 1, 32, NULL, 0,
     "copies of each topic when it is made; 1 for a single broker"},
    {"bus.kafka.transaction_timeout", CONF_DURATION, AT(transaction_timeout_ns), "15s",
     CLOCK_NS_PER_S, 900 * CLOCK_NS_PER_S, NULL, 0,
     "after which brokers abort the transaction of a worker that has died"},
    {"bus.kafka.properties", CONF_MAP, AT(properties), NULL, 0, 0, NULL, 0,
     "further properties of librdkafka, passed on as they are"},
};

struct conf_table bus_settings_table(struct bus_settings *target)
{
    return (struct conf_table){"Bus", rows, ARRAY_LEN(rows), target};
}

struct bus_conf bus_settings_conf(const struct bus_settings *settings, struct bus_property *props)
{
    assert(settings != NULL && (props != NULL || settings->properties.count == 0));
    for (size_t i = 0; i < settings->properties.count; i++) {
        const struct conf_pair *p = &settings->properties.pairs[i];
        props[i] = (struct bus_property){p->name, p->value};
    }
    return (struct bus_conf){
        .kind = settings->kind == 0 ? BUS_LOCAL : BUS_KAFKA,
        .prefix = settings->prefix,
        .writer_queue_bytes = (uint64_t)settings->writer_queue_bytes,
        .reader_queue_bytes = (uint64_t)settings->reader_queue_bytes,
        .local = {.dir = settings->dir,
                  .map_bytes = (uint64_t)settings->map_bytes,
                  .quota_bytes = (uint64_t)settings->quota_bytes},
        .kafka = {.brokers = settings->brokers,
                  .security_protocol = securities[settings->security],
                  .ca_file = settings->ca_file,
                  .cert_file = settings->cert_file,
                  .key_file = settings->key_file,
                  .key_password = settings->key_password,
                  .sasl_mechanism = settings->sasl_mechanism,
                  .username = settings->username,
                  .password = settings->password,
                  .replication = (int16_t)settings->replication,
                  .transaction_timeout_ms = settings->transaction_timeout_ns / CLOCK_NS_PER_MS,
                  .properties = props,
                  .property_count = (uint32_t)settings->properties.count},
    };
}
