/* SPDX-License-Identifier: Apache-2.0
 *
 * Our side of the cross-check with another implementation of Avro.
 *
 *   avro_dump write SEED BATCHES OUT            random batches, framed, as records into OUT;
 *                                               what they hold as JSON lines to stdout
 *   avro_dump read IN [FINGERPRINT=SCHEMA]...   the records of IN as JSON lines to stdout; schemas
 *                                               of other versions are given as files
 *
 * A record in a file is its length (4 bytes, big-endian) and its bytes. For each batch one line
 * with its header, then one per event; "doubles" lists the bits of its doubles in key order, since
 * JSON does not tell one NaN from another.
 */
#include "core/codec/endian.h"
#include "core/codec/text.h"
#include "core/event/batch_enc.h"
#include "core/event/batch_in.h"
#include "core/event/rec_json.h"
#include "tests/unit/core/event/gen.h"

#include <stdio.h>
#include <stdlib.h>

enum { MIB = 1024 * 1024 };

struct dump {
    struct arena *source, *arena;
    struct intern *keys;
    struct schema_reg *reg;
    struct batch_in *in;
    struct batch_enc *enc;
    struct buf record, line;
    struct err err;
};

static _Noreturn void die(const char *what, const char *why)
{
    fprintf(stderr, "avro_dump: %s: %s\n", what, why);
    exit(1);
}

static void add_doubles(struct dump *d, struct val v);

static void add_pairs_doubles(struct dump *d, const struct val_pair *pairs, uint32_t n)
{
    struct val_pair *sorted = arena_array(d->arena, n, sizeof *sorted);
    for (uint32_t i = 0; i < n; i++) {
        sorted[i] = pairs[i];
    }
    n = val_map_sort(sorted, n);
    for (uint32_t i = 0; i < n; i++) {
        add_doubles(d, sorted[i].value);
    }
}

static void add_doubles(struct dump *d, struct val v)
{
    if (v.tag == VAL_DOUBLE) {
        bool first = d->line.ptr[d->line.len - 1] == '[';
        buf_addf(&d->line, "%s\"%016llx\"", first ? "" : ",", (unsigned long long)endian_bits(v.d));
    } else if (v.tag == VAL_MAP) {
        add_pairs_doubles(d, v.map, v.len);
    } else if (v.tag == VAL_LIST) {
        for (uint32_t i = 0; i < v.len; i++) {
            add_doubles(d, v.list[i]);
        }
    }
}

static void put_line(struct dump *d)
{
    if (buf_failed(&d->line)) {
        die("line", "too long");
    }
    printf("%.*s\n", (int)d->line.len, d->line.ptr);
    buf_clear(&d->line);
}

static void print_batch(struct dump *d, const struct rec_batch *b)
{
    buf_add_str(&d->line, "{\"source\":");
    rec_json_string(&d->line, b->source);
    buf_addf(&d->line,
             ",\"seq\":%lld,\"min_ts\":%lld,\"max_ts\":%lld,\"contexts\":%u,\"events\":%u}",
             (long long)b->seq, (long long)b->min_ts, (long long)b->max_ts, b->contexts_len,
             b->events_len);
    put_line(d);
    for (uint32_t i = 0; i < b->events_len; i++) {
        const struct rec *r = &b->events[i];
        rec_json_event(&d->line, r, NULL);
        d->line.len--; /* the closing brace */
        buf_addf(&d->line, ",\"context_number\":%u,\"doubles\":[", r->context->index);
        add_pairs_doubles(d, r->context->pairs, r->context->len);
        add_pairs_doubles(d, r->payload, r->payload_len);
        buf_add_str(&d->line, "]}");
        put_line(d);
    }
}

static void read_record(struct dump *d, struct slice record)
{
    struct rec_batch b;
    arena_reset(d->arena);
    if (batch_in_read(d->in, d->arena, record, &b, &d->err) != 0) {
        die("read", d->err.msg);
    }
    print_batch(d, &b);
}

static void write_batches(struct dump *d, uint64_t seed, int batches, const char *path)
{
    FILE *out = fopen(path, "wb");
    if (out == NULL) {
        die("cannot write", path);
    }
    const struct schema_entry *e = schema_reg_current(d->reg, "event_batch");
    for (int i = 0; i < batches; i++) {
        struct gen g;
        struct rec_batch b;
        arena_reset(d->source);
        gen_init(&g, seed + (uint64_t)i, d->source);
        g.bad_utf8 = i % 3 == 0;
        g.no_bytes = i % 2 == 0;
        gen_batch(&g, 1 + gen_below(&g, 10), gen_below(&g, 50), &b);
        buf_clear(&d->record);
        frame_put(&d->record, FRAME_SINGLE, schema_fingerprint(e->schema));
        batch_enc_begin(d->enc, b.source, b.seq);
        int rc = 0;
        for (uint32_t k = 0; rc == 0 && k < b.events_len; k++) {
            rc = batch_enc_add(d->enc, &b.events[k], &d->err);
        }
        rc = rc != 0 ? rc : batch_enc_end(d->enc, &d->record, &d->err);
        if (rc != 0) {
            die("encode", d->err.msg);
        }
        char head[4];
        endian_put_be32(head, (uint32_t)d->record.len);
        fwrite(head, 1, sizeof head, out);
        fwrite(d->record.ptr, 1, d->record.len, out);
        read_record(d, buf_slice(&d->record));
    }
    fclose(out);
}

static void read_records(struct dump *d, const char *path)
{
    FILE *in = fopen(path, "rb");
    char head[4];
    if (in == NULL) {
        die("cannot read", path);
    }
    while (fread(head, 1, sizeof head, in) == sizeof head) {
        size_t n = endian_be32(head);
        buf_clear(&d->record);
        char *to = buf_room(&d->record, n);
        if (to == NULL || fread(to, 1, n, in) != n) {
            die("cannot read", "the record");
        }
        buf_commit(&d->record, n);
        read_record(d, buf_slice(&d->record));
    }
    fclose(in);
}

/* "FINGERPRINT=FILE": the fingerprint as Python computed it must be ours, too. */
static void add_schema(struct dump *d, const char *arg)
{
    char *path;
    uint64_t fingerprint = strtoull(arg, &path, 16);
    FILE *in = *path == '=' ? fopen(path + 1, "rb") : NULL;
    if (in == NULL) {
        die("no schema", arg);
    }
    buf_clear(&d->record);
    for (int c; (c = fgetc(in)) != EOF;) {
        buf_add_byte(&d->record, (uint8_t)c);
    }
    fclose(in);
    if (schema_reg_bind(d->reg, FRAME_SINGLE, fingerprint, buf_slice(&d->record), &d->err) != 0) {
        die("schema", d->err.msg);
    }
}

int main(int argc, char **argv)
{
    struct dump d = {0};
    d.source = arena_new(NULL, "source", 256 * MIB);
    d.arena = arena_new(NULL, "batch", 256 * MIB);
    d.keys = intern_new(100000, 16 * MIB);
    d.reg = schema_reg_new();
    d.in = batch_in_new(BATCH_LIMITS, d.keys, d.reg);
    d.enc = batch_enc_new(BATCH_LIMITS, 16 * MIB);
    buf_init(&d.record, 64 * MIB);
    buf_init(&d.line, 64 * MIB);
    if (argc == 5 && strcmp(argv[1], "write") == 0) {
        write_batches(&d, strtoull(argv[2], NULL, 10), (int)strtol(argv[3], NULL, 10), argv[4]);
    } else if (argc >= 3 && strcmp(argv[1], "read") == 0) {
        for (int i = 3; i < argc; i++) {
            add_schema(&d, argv[i]);
        }
        read_records(&d, argv[2]);
    } else {
        die("usage", "write SEED BATCHES OUT | read IN [FINGERPRINT=SCHEMA]...");
    }
    struct batch_in_counts counts = batch_in_counts(d.in);
    fprintf(stderr, "fast %llu slow %llu\n", (unsigned long long)counts.fast,
            (unsigned long long)counts.slow);
    buf_done(&d.record);
    buf_done(&d.line);
    batch_enc_free(d.enc);
    batch_in_free(d.in);
    schema_reg_free(d.reg);
    intern_free(d.keys);
    arena_free(d.arena);
    arena_free(d.source);
    return 0;
}
