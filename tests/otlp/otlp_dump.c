/* SPDX-License-Identifier: Apache-2.0
 *
 * otlp_dump SIGNAL FORM FILE...: maps each request and prints, for each, one line with the digest
 * of the event batches, then the events as lines of JSON, then an empty line. For tests that
 * compare with encoders and readers we did not write.
 */
#include "core/base/hash.h"
#include "core/codec/text.h"
#include "core/event/rec_json.h"
#include "tests/unit/ingest/otlp_util.h"

#include <stdio.h>
#include <stdlib.h>

enum { MIB = 1024 * 1024 };

struct dump {
    struct buf text;
    struct batch_enc *enc;
};

static int on_event(void *arg, enum bus_topic_id topic, struct slice key, const struct rec *r,
                    struct err *reterr)
{
    struct dump *d = arg;
    (void)topic, (void)key;
    rec_json_event(&d->text, r, NULL);
    buf_add_byte(&d->text, '\n');
    return batch_enc_add(d->enc, r, reterr);
}

static void read_file(const char *path, struct buf *to)
{
    FILE *f = fopen(path, "rb");
    if (f == NULL) {
        fprintf(stderr, "otlp_dump: cannot open %s\n", path);
        exit(2);
    }
    char *at;
    size_t n;
    do {
        at = buf_room(to, MIB);
        n = at != NULL ? fread(at, 1, MIB, f) : 0;
        buf_commit(to, n);
    } while (n > 0);
    fclose(f);
}

static void dump_one(struct otlp_map *m, struct dump *d, enum otlp_signal signal,
                     enum otlp_form form, struct slice body)
{
    struct arena *a = arena_new(NULL, "request", 64 * MIB);
    struct otlp_sink sink = {.arg = d, .event = on_event};
    struct otlp_request q = {signal, form, body, SLICE("default"), OTLP_TEST_NOW, a};
    struct otlp_result result = {0};
    struct buf batch;
    struct err err;
    buf_init(&batch, 64 * MIB);
    buf_clear(&d->text);
    batch_enc_begin(d->enc, SLICE("otlp"), 0);
    if (otlp_map(m, &q, &sink, &result, &err) != 0 || batch_enc_end(d->enc, &batch, &err) != 0) {
        fprintf(stderr, "otlp_dump: %s\n", err.msg);
        exit(1);
    }
    struct hash128 h = hash_xxh128(buf_slice(&batch));
    for (size_t i = 0; i < sizeof h.bytes; i++) {
        printf("%02x", h.bytes[i]);
    }
    printf(" items=%llu rejected=%llu\n", (unsigned long long)result.items,
           (unsigned long long)result.rejected);
    fwrite(d->text.ptr, 1, d->text.len, stdout);
    printf("\n");
    buf_done(&batch);
    arena_free(a);
}

int main(int argc, char **argv)
{
    static const char *const signals[] = {"traces", "metrics", "logs"};
    if (argc < 4) {
        fprintf(stderr, "usage: otlp_dump traces|metrics|logs protobuf|json FILE...\n");
        return 2;
    }
    int signal = 0;
    while (signal < OTLP_LOGS && strcmp(signals[signal], argv[1]) != 0) {
        signal++;
    }
    enum otlp_form form = strcmp(argv[2], "json") == 0 ? OTLP_JSON : OTLP_PROTOBUF;
    struct otlp_map *m = otlp_map_new(OTLP_LIMITS);
    struct dump d = {.enc = batch_enc_new(BATCH_LIMITS, 64 * MIB)};
    struct buf body;
    buf_init(&d.text, 256 * MIB);
    buf_init(&body, 64 * MIB);
    for (int i = 3; i < argc; i++) {
        buf_clear(&body);
        read_file(argv[i], &body);
        dump_one(m, &d, (enum otlp_signal)signal, form, buf_slice(&body));
    }
    buf_done(&body);
    buf_done(&d.text);
    batch_enc_free(d.enc);
    otlp_map_free(m);
    return 0;
}
