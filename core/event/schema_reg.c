/* SPDX-License-Identifier: Apache-2.0
 *
 * See schema_reg.h. The last two answers are remembered apart, because nearly every record of a
 * topic has the same schema as the record before.
 */
#include "core/event/schema_reg.h"

#include "core/base/map.h"
#include "core/base/mem.h"
#include "core/base/vec.h"

#include <assert.h>
#include <avro.h>
#include <stdio.h>

struct owned {
    struct schema_entry entry;
    struct schema *schema;
};

struct schema_reg {
    struct map numbers;          /* kind and number -> struct schema_entry */
    VEC(struct owned *) schemas; /* current ones first */
    size_t subjects;
    struct {
        enum frame_kind kind;
        uint64_t number;
        const struct schema_entry *entry;
    } last;
};

/* The subjects and the record that each holds. */
static const struct {
    const char *subject, *file;
} SUBJECTS[] = {{"event_batch", "event_batch.avsc"}, {"alert", "alert.avsc"}, {"dlq", "dlq.avsc"}};

struct key {
    char bytes[9];
};

static struct key key_of(enum frame_kind kind, uint64_t number)
{
    struct key k;
    k.bytes[0] = (char)kind;
    memcpy(k.bytes + 1, &number, sizeof number);
    return k;
}

static const struct schema_entry *known(const struct schema_reg *reg, uint64_t fingerprint)
{
    for (size_t i = 0; i < reg->schemas.len; i++) {
        if (schema_fingerprint(reg->schemas.ptr[i]->schema) == fingerprint) {
            return &reg->schemas.ptr[i]->entry;
        }
    }
    return NULL;
}

/* Of the same record as one of ours? Then ours, the current one, must be able to read it. */
static int find_subject(const struct schema_reg *reg, const struct schema *s,
                        const char **ret_subject, struct err *reterr)
{
    char name[SCHEMA_NAME_MAX + 1], own[SCHEMA_NAME_MAX + 1];
    *ret_subject = NULL;
    for (size_t i = 0; i < reg->subjects && is_avro_record(schema_avro(s)); i++) {
        const struct schema_entry *e = &reg->schemas.ptr[i]->entry;
        if (slice_eq(schema_full_name(schema_avro(s), name),
                     schema_full_name(schema_avro(e->schema), own))) {
            *ret_subject = e->subject;
            int rc = schema_can_read(e->schema, s, reterr);
            return rc != 0 ? err_wrap(reterr, "a writer's schema of %s", e->subject) : 0;
        }
    }
    return 0;
}

/* Parses, vets and keeps the text, unless an equal schema is here. */
static int admit(struct schema_reg *reg, struct slice text, const struct schema_entry **ret_entry,
                 struct err *reterr)
{
    struct schema *s;
    const char *subject;
    int rc = schema_parse(text, &s, reterr);
    if (rc != 0) {
        return rc;
    }
    const struct schema_entry *same = known(reg, schema_fingerprint(s));
    if (same != NULL) {
        schema_free(s);
        *ret_entry = same;
        return 0;
    }
    rc = find_subject(reg, s, &subject, reterr);
    if (rc == 0 && reg->schemas.len >= SCHEMA_REG_MAX) {
        rc = err_set(reterr, ERR_LIMIT, "more than %d schemas", SCHEMA_REG_MAX);
    }
    if (rc != 0) {
        schema_free(s);
        return rc;
    }
    struct owned *o = MEM_NEW(struct owned);
    *o = (struct owned){{s, subject, false}, s};
    *VEC_PUSH(&reg->schemas) = o;
    *ret_entry = &o->entry;
    return 0;
}

/* What is compiled in is right, or the program is not fit to run. */
static void admit_compiled_in(struct schema_reg *reg)
{
    const struct schema_entry *e = NULL;
    struct err err;
    for (size_t i = 0; i < ARRAY_LEN(SUBJECTS); i++) {
        const struct schema_file *f = schema_file_get(slice_str(SUBJECTS[i].file));
        assert(f != NULL);
        int rc = admit(reg, f->text, &e, &err);
        assert(rc == 0 && e == &(*VEC_LAST(&reg->schemas))->entry);
        (void)rc;
        struct owned *o = *VEC_LAST(&reg->schemas);
        o->entry.subject = SUBJECTS[i].subject;
        o->entry.current = true;
        reg->subjects++;
    }
    for (size_t i = 0; i < schema_files_len; i++) {
        int rc = admit(reg, schema_files[i].text, &e, &err);
        assert(rc == 0);
        (void)rc;
    }
}

struct schema_reg *schema_reg_new(void)
{
    struct schema_reg *reg = MEM_NEW(struct schema_reg);
    map_init(&reg->numbers, SCHEMA_REG_MAX);
    admit_compiled_in(reg);
    return reg;
}

void schema_reg_free(struct schema_reg *reg)
{
    if (reg == NULL) {
        return;
    }
    map_done(&reg->numbers);
    VEC_EACH (&reg->schemas, it) {
        schema_free((*it)->schema);
        mem_free(*it);
    }
    VEC_DONE(&reg->schemas);
    mem_free(reg);
}

const struct schema_entry *schema_reg_current(const struct schema_reg *reg, const char *subject)
{
    assert(reg != NULL && subject != NULL);
    for (size_t i = 0; i < reg->subjects; i++) {
        if (strcmp(reg->schemas.ptr[i]->entry.subject, subject) == 0) {
            return &reg->schemas.ptr[i]->entry;
        }
    }
    return NULL;
}

static int not_found(enum frame_kind kind, uint64_t number, struct err *reterr)
{
    return err_set(reterr, ERR_NOT_FOUND, "no schema is known for %s %016llx",
                   kind == FRAME_SINGLE ? "fingerprint" : "registry id",
                   (unsigned long long)number);
}

int schema_reg_find(struct schema_reg *reg, enum frame_kind kind, uint64_t number,
                    const struct schema_entry **ret_entry, struct err *reterr)
{
    assert(reg != NULL);
    assert(ret_entry != NULL);
    if (LIKELY(reg->last.entry != NULL && reg->last.kind == kind && reg->last.number == number)) {
        *ret_entry = reg->last.entry;
        return 0;
    }
    const struct key k = key_of(kind, number);
    const struct schema_entry *e = kind == FRAME_SINGLE ? known(reg, number) : NULL;
    e = e != NULL ? e : map_get(&reg->numbers, slice_of(k.bytes, sizeof k.bytes));
    if (e == NULL) {
        return not_found(kind, number, reterr);
    }
    reg->last.kind = kind;
    reg->last.number = number;
    reg->last.entry = e;
    *ret_entry = e;
    return 0;
}

int schema_reg_bind(struct schema_reg *reg, enum frame_kind kind, uint64_t number,
                    struct slice text, struct err *reterr)
{
    assert(reg != NULL);
    const struct key k = key_of(kind, number);
    const struct schema_entry *e;
    int rc = admit(reg, text, &e, reterr);
    if (rc == 0 && kind == FRAME_SINGLE && schema_fingerprint(e->schema) != number) {
        rc = err_set(reterr, ERR_MISMATCH, "the schema has fingerprint %016llx, not %016llx",
                     (unsigned long long)schema_fingerprint(e->schema), (unsigned long long)number);
    }
    void **at = rc == 0 ? map_put(&reg->numbers, slice_of(k.bytes, sizeof k.bytes)) : NULL;
    if (rc == 0 && at == NULL) {
        rc = err_set(reterr, ERR_LIMIT, "more than %d schema numbers", SCHEMA_REG_MAX);
    }
    if (rc == 0) {
        *at = (void *)(uintptr_t)e;
    }
    return rc;
}
