/* SPDX-License-Identifier: Apache-2.0
 *
 * The load of bench_rules_kafka, and who reads what comes of it:
 *
 *     rules_load batches|records|batches-records BROKERS IN OUT PARTITIONS
 *
 * For each line N of its input it puts N values of 1000 keys on the topic IN, 10,000 to a second of
 * event time, then a later value in each partition now and then, so that all windows before it end;
 * and reads OUT (committed records alone) until the counts of its rows make N. Then it says
 * `done N SECONDS ROWS`, or what is wrong: counts and sums must be those of the values, key by key,
 * to the last.
 *
 * `batches` are metrics as `kaiju ingest` writes them, and rows as events; `records` have a key and
 * eight bytes, rows 24: count, sum, greatest; the third puts batches and reads such records. All
 * give a key's values in runs of ten, as somebody who sends ten metrics of himself does. To have
 * another form: `put` and `take` of it.
 */
#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/codec/endian.h"
#include "core/event/batch_enc.h"
#include "core/event/batch_in.h"
#include "core/event/frame.h"
#include "core/event/schema.h"

#include <librdkafka/rdkafka.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { KEYS = 1000, RUN = 10, PER_BATCH = 500, PARTS_MAX = 64, WAIT_S = 120 };
#define STEP_NS  100000                  /* of event time between two values */
#define CLOSE_NS (60 * CLOCK_NS_PER_S)   /* the values that end windows are so much later */
#define AGAIN_NS (300 * CLOCK_NS_PER_MS) /* and come again after */
#define NOBODY   "nobody"                /* their key, not counted */

struct tally {
    uint64_t count;
    double sum;
};

struct load {
    bool batches, rows_batches; /* the form of what is put, of what is read */
    rd_kafka_t *producer, *consumer;
    const char *in;
    uint32_t parts;
    struct batch_enc *enc[PARTS_MAX];
    struct rec_context contexts[KEYS + 1]; /* the last: of NOBODY */
    struct val_pair pairs[KEYS + 1][3];
    char names[KEYS + 1][24], pods[KEYS + 1][40];
    uint64_t print, number;
    struct buf out;
    int64_t ts;
    struct intern *keys;
    struct schema_reg *reg;
    struct batch_in *decoder;
    struct arena *arena;
    uint64_t rows, count;                 /* of a round, as they came out */
    struct tally wanted[KEYS], got[KEYS]; /* by key */
};

static _Noreturn void die(const char *fmt, ...) PRINTF_LIKE(1, 2);
static void die(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    (void)vfprintf(stderr, fmt, ap);
    va_end(ap);
    (void)fputc('\n', stderr);
    exit(1);
}

/* ---- putting ---- */

static void produce(struct load *l, uint32_t part, struct slice key, struct slice value, int64_t ts)
{
    for (;;) {
        rd_kafka_resp_err_t e = rd_kafka_producev(
            l->producer, RD_KAFKA_V_TOPIC(l->in), RD_KAFKA_V_PARTITION((int32_t)part),
            RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_TIMESTAMP(ts / CLOCK_NS_PER_MS),
            RD_KAFKA_V_KEY(key.ptr, key.len),
            RD_KAFKA_V_VALUE((void *)(uintptr_t)value.ptr, value.len), RD_KAFKA_V_END);
        if (e == RD_KAFKA_RESP_ERR_NO_ERROR) {
            return;
        }
        if (e != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
            die("%s: %s", l->in, rd_kafka_err2str(e));
        }
        (void)rd_kafka_poll(l->producer, 100);
    }
}

static void flush(struct load *l, uint32_t part)
{
    struct err err;
    if (batch_enc_count(l->enc[part]) == 0) {
        return;
    }
    buf_clear(&l->out);
    (void)frame_put(&l->out, FRAME_SINGLE, l->print);
    if (batch_enc_end(l->enc[part], &l->out, &err) != 0) {
        die("%s", err.msg);
    }
    produce(l, part, SLICE_NONE, buf_slice(&l->out), l->ts);
}

static void put(struct load *l, uint32_t key, uint32_t part, double value)
{
    struct err err;
    if (!l->batches) {
        char bytes[8];
        uint64_t bits;
        memcpy(&bits, &value, sizeof bits);
        endian_put_be64(bytes, bits);
        produce(l, part, slice_str(l->names[key]), slice_of(bytes, sizeof bytes), l->ts);
        return;
    }
    struct val_pair payload[] = {
        val_pair(SLICE("name"), val_string(SLICE("container_memory_working_set_bytes"))),
        val_pair(SLICE("unit"), val_string(SLICE("By"))),
        val_pair(SLICE("metric_type"), val_string(SLICE("gauge"))),
        val_pair(SLICE("value"), val_double(value)),
    };
    struct rec r = {.ts = l->ts,
                    .ingest_ts = l->ts,
                    .context = &l->contexts[key],
                    .payload = payload,
                    .payload_len = ARRAY_LEN(payload),
                    .type = SLICE("Metric"),
                    .kind = REC_METRIC};
    memcpy(r.id.bytes, &l->number, sizeof l->number);
    l->number++;
    if (batch_enc_add(l->enc[part], &r, &err) != 0) {
        die("%s", err.msg);
    }
    if (batch_enc_count(l->enc[part]) == PER_BATCH) {
        flush(l, part);
    }
}

static void flush_all(struct load *l)
{
    for (uint32_t p = 0; p < l->parts && l->batches; p++) {
        flush(l, p);
    }
    (void)rd_kafka_flush(l->producer, 60000);
}

/* Values that end the windows before them. */
static void put_ends(struct load *l)
{
    for (uint32_t p = 0; p < l->parts; p++) {
        put(l, KEYS, p, 0);
    }
    l->ts += STEP_NS * 10;
    flush_all(l);
}

/* ---- reading ---- */

static void count_row(struct load *l, struct slice key, uint64_t n, double sum)
{
    if (slice_eq(key, SLICE(NOBODY))) {
        return;
    }
    size_t k = 0;
    while (k < KEYS && !slice_eq(key, slice_str(l->names[k]))) {
        k++;
    }
    if (k == KEYS) {
        die("a row of a key that was not sent: " SLICE_FMT, SLICE_ARG(key));
    }
    l->rows++;
    l->count += n;
    l->got[k].count += n;
    l->got[k].sum += sum;
}

static void take_batch(struct load *l, struct slice value)
{
    struct err err;
    struct rec_batch b = {0};
    arena_reset(l->arena);
    if (batch_in_read(l->decoder, l->arena, value, &b, &err) != 0) {
        die("a row cannot be read: %s", err.msg);
    }
    for (uint32_t i = 0; i < b.events_len; i++) {
        const struct rec *r = &b.events[i];
        const struct val *key = rec_find_text(r->payload, r->payload_len, SLICE("service"));
        const struct val *n = rec_find_text(r->payload, r->payload_len, SLICE("n"));
        const struct val *sum = rec_find_text(r->payload, r->payload_len, SLICE("total"));
        if (key == NULL || n == NULL) {
            die("a row without service and n");
        }
        if (n->i == 0) {
            continue; /* of a key that had values in the batch before */
        }
        count_row(l, val_slice(*key), (uint64_t)n->i,
                  sum != NULL && sum->tag == VAL_DOUBLE ? sum->d : 0);
    }
}

static void take_record(struct load *l, struct slice key, struct slice value)
{
    if (value.len != 24) {
        die("a row of %zu bytes", value.len);
    }
    uint64_t bits = endian_be64(value.ptr + 8);
    double sum;
    memcpy(&sum, &bits, sizeof sum);
    count_row(l, key, endian_be64(value.ptr), sum);
}

static void read_rows(struct load *l, int wait_ms)
{
    rd_kafka_message_t *m;
    for (; (m = rd_kafka_consumer_poll(l->consumer, wait_ms)) != NULL; wait_ms = 0) {
        if (m->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            (void)fprintf(stderr, "%s\n", rd_kafka_message_errstr(m));
        } else if (l->rows_batches && m->len > 0) {
            take_batch(l, slice_of(m->payload, m->len));
        } else if (!l->rows_batches) {
            take_record(l, slice_of(m->key, m->key_len), slice_of(m->payload, m->len));
        }
        rd_kafka_message_destroy(m);
    }
}

/* ---- rounds ---- */

/* What came out is what was sent, key by key. Sums are of whole numbers, so they are exact. */
static void hold_against(const struct load *l)
{
    for (size_t k = 0; k < KEYS; k++) {
        const struct tally *want = &l->wanted[k], *got = &l->got[k];
        if (got->count != want->count || got->sum != want->sum) {
            die("%s: counts make %llu, not %llu; sums %.0f, not %.0f", l->names[k],
                (unsigned long long)got->count, (unsigned long long)want->count, got->sum,
                want->sum);
        }
    }
}

static void round_of(struct load *l, uint64_t n)
{
    struct clock clock = clock_system();
    int64_t began = clock_mono(&clock), ended = began;
    l->rows = l->count = 0;
    memset(l->wanted, 0, sizeof l->wanted);
    memset(l->got, 0, sizeof l->got);
    for (uint64_t i = 0; i < n; i++) {
        uint32_t key = (uint32_t)(i / RUN % KEYS);
        double value = (double)(i % 997);
        l->wanted[key].count++;
        l->wanted[key].sum += value;
        put(l, key, key % l->parts, value);
        l->ts += STEP_NS;
        if (i % 65536 == 0) {
            (void)rd_kafka_poll(l->producer, 0);
            read_rows(l, 0);
        }
    }
    flush_all(l);
    l->ts += CLOSE_NS;
    for (int64_t put_at = INT64_MIN; l->count < n; ended = clock_mono(&clock)) {
        if (ended - began > WAIT_S * CLOCK_NS_PER_S) {
            die("only %llu of %llu values have come out", (unsigned long long)l->count,
                (unsigned long long)n);
        }
        if (clock_mono(&clock) > put_at) {
            put_ends(l);
            put_at = clock_mono(&clock) + AGAIN_NS;
        }
        read_rows(l, 50);
    }
    l->ts += CLOSE_NS;
    hold_against(l);
    (void)printf("done %llu %.3f %llu\n", (unsigned long long)n, (double)(ended - began) / 1e9,
                 (unsigned long long)l->rows);
    (void)fflush(stdout);
}

/* ---- beginning ---- */

static rd_kafka_t *client(rd_kafka_type_t type, const char *const settings[][2], size_t n)
{
    char why[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    for (size_t i = 0; i < n; i++) {
        if (rd_kafka_conf_set(conf, settings[i][0], settings[i][1], why, sizeof why) !=
            RD_KAFKA_CONF_OK) {
            die("%s", why);
        }
    }
    rd_kafka_t *k = rd_kafka_new(type, conf, why, sizeof why);
    if (k == NULL) {
        die("%s", why);
    }
    return k;
}

static void follow(struct load *l, const char *topic)
{
    const struct rd_kafka_metadata *meta;
    rd_kafka_topic_t *t = rd_kafka_topic_new(l->consumer, topic, NULL);
    if (rd_kafka_metadata(l->consumer, 0, t, &meta, 10000) != RD_KAFKA_RESP_ERR_NO_ERROR ||
        meta->topic_cnt != 1 || meta->topics[0].partition_cnt == 0) {
        die("there is no topic %s", topic);
    }
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(8);
    for (int32_t p = 0; p < meta->topics[0].partition_cnt; p++) {
        rd_kafka_topic_partition_list_add(list, topic, p)->offset = RD_KAFKA_OFFSET_BEGINNING;
    }
    (void)rd_kafka_assign(l->consumer, list);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_metadata_destroy(meta);
    rd_kafka_topic_destroy(t);
}

static void begin(struct load *l, const char *brokers)
{
    const char *const producer[][2] = {{"bootstrap.servers", brokers},
                                       {"enable.idempotence", "true"},
                                       {"compression.type", "lz4"},
                                       {"linger.ms", "20"},
                                       {"batch.size", "262144"}, /* as writers of the bus */
                                       {"queue.buffering.max.messages", "200000"},
                                       {"message.max.bytes", "1048576"}};
    const char *const consumer[][2] = {{"bootstrap.servers", brokers},
                                       {"group.id", "rules_load"},
                                       {"enable.auto.commit", "false"},
                                       {"isolation.level", "read_committed"}};
    struct clock clock = clock_system();
    l->producer = client(RD_KAFKA_PRODUCER, producer, ARRAY_LEN(producer));
    l->consumer = client(RD_KAFKA_CONSUMER, consumer, ARRAY_LEN(consumer));
    l->ts = clock_wall(&clock) - 3600 * CLOCK_NS_PER_S;
    l->keys = intern_new(1 << 16, 1 << 20);
    l->reg = schema_reg_new();
    l->decoder = batch_in_new(BATCH_LIMITS, l->keys, l->reg);
    l->arena = arena_new(NULL, "rows", 64 << 20);
    l->print = schema_file_print(SLICE("event_batch.avsc"));
    buf_init(&l->out, 2 << 20);
    for (uint32_t p = 0; p < l->parts; p++) {
        l->enc[p] = batch_enc_new(BATCH_LIMITS, 1000000);
        batch_enc_begin(l->enc[p], SLICE("rules_load"), 0);
    }
    for (uint32_t k = 0; k <= KEYS; k++) {
        (void)snprintf(l->names[k], sizeof l->names[k], k < KEYS ? "service-%03u" : NOBODY, k);
        (void)snprintf(l->pods[k], sizeof l->pods[k], "service-%03u-7d9c5b6f4-x2x9z", k);
        l->pairs[k][0] = val_pair(SLICE("service.name"), val_string(slice_str(l->names[k])));
        l->pairs[k][1] = val_pair(SLICE("k8s.pod.name"), val_string(slice_str(l->pods[k])));
        l->pairs[k][2] = val_pair(SLICE("k8s.namespace.name"), val_string(SLICE("shop")));
        l->contexts[k] = (struct rec_context){l->pairs[k], ARRAY_LEN(l->pairs[k]), k};
    }
}

static void end(struct load *l)
{
    rd_kafka_destroy(l->consumer);
    rd_kafka_destroy(l->producer);
    for (uint32_t p = 0; p < l->parts; p++) {
        batch_enc_free(l->enc[p]);
    }
    buf_done(&l->out);
    batch_in_free(l->decoder);
    schema_reg_free(l->reg);
    intern_free(l->keys);
    arena_free(l->arena);
}

int main(int argc, char **argv)
{
    static struct load l;
    char line[64];
    if (argc != 6) {
        die("usage: rules_load batches|records|batches-records BROKERS IN OUT PARTITIONS");
    }
    l.batches = argv[1][0] == 'b';
    l.rows_batches = strcmp(argv[1], "batches") == 0;
    l.in = argv[3];
    l.parts = (uint32_t)strtoul(argv[5], NULL, 10);
    if (l.parts == 0 || l.parts > PARTS_MAX) {
        die("1 to %d partitions", PARTS_MAX);
    }
    begin(&l, argv[2]);
    follow(&l, argv[4]);
    while (fgets(line, sizeof line, stdin) != NULL) {
        round_of(&l, strtoull(line, NULL, 10));
    }
    end(&l);
    return 0;
}
