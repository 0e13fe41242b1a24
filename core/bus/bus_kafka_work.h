/* SPDX-License-Identifier: Apache-2.0
 *
 * Workers, jobs, posts and boxes: how work that waits leaves the client's thread and how its end
 * comes back. A job is queued on a worker and run in order; it answers by kafka_post. A box
 * outlives its client while jobs still point at it: what is posted then is dropped.
 */
#ifndef CORE_BUS_BUS_KAFKA_WORK_H
#define CORE_BUS_BUS_KAFKA_WORK_H

#include "core/bus/bus_kafka_impl.h"

struct kafka_worker;

struct kafka_job {
    void (*run)(struct kafka_bus *b, struct kafka_job *take_job); /* frees it, or queues it again */
    struct kafka_job *next;
    struct kafka_box *box; /* counted; NULL = nobody listens */
    int64_t deadline_ns;
    uint64_t id, tag; /* of the reader, writer or election; of the event */
};

struct kafka_post {
    struct kafka_post *next;
    struct bus_ev ev;
    struct err err;
    /* On the client's thread, before the event is given; false = the event is dropped. */
    bool (*apply)(struct kafka_client *c, struct kafka_post *p);
    uint64_t id;
    int64_t number;
    struct arena *arena; /* what ev points at; may be NULL */
};

/* The thread ends by itself after kafka_worker_end and the last job. */
struct kafka_worker *kafka_worker_new(struct kafka_bus *b);
void kafka_worker_add(struct kafka_worker *w, struct kafka_job *take_job);
/* By a job: it runs again, behind those that wait. */
void kafka_worker_again(struct kafka_worker *w, struct kafka_job *take_job);
void kafka_worker_end(struct kafka_worker *w);
/* Runs take_job alone in a thread of its own. */
void kafka_worker_once(struct kafka_bus *b, struct kafka_job *take_job);
void kafka_workers_wait(struct kafka_bus *b);

/* A zeroed job of `bytes` that begins with struct kafka_job, told to answer to the client. */
void *kafka_job_new(struct kafka_client *c, size_t bytes, uint64_t tag, int64_t timeout_ms,
                    void (*run)(struct kafka_bus *, struct kafka_job *));
void kafka_job_free(struct kafka_job *job); /* box and the job itself */
/* Milliseconds until the deadline, 0 when it has passed or the bus stops. */
int kafka_job_left_ms(struct kafka_bus *b, const struct kafka_job *job);

struct kafka_box *kafka_box_new(struct bus_wake *wake);
struct kafka_box *kafka_box_ref(struct kafka_box *box);
void kafka_box_unref(struct kafka_box *box);
void kafka_box_close(struct kafka_box *box); /* the client goes */
struct kafka_post *kafka_post_new(enum bus_ev_kind kind, uint64_t tag);
void kafka_post_free(struct kafka_post *p);
void kafka_post(struct kafka_box *box, struct kafka_post *take_post); /* any thread */
struct kafka_post *kafka_box_take(struct kafka_box *box);             /* NULL = empty */
/* The end of a job as an event: DONE or, with an error, ERROR. */
void kafka_job_done(const struct kafka_job *job, struct kafka_post *take_post, const struct err *e);

/* bus_kafka_err.c: what librdkafka's codes mean here. */
enum err_code kafka_err_code(rd_kafka_resp_err_t code);
int kafka_err(struct err *reterr, rd_kafka_resp_err_t code, const char *what, const char *why);
/* The same, for a wait that ended without an answer: says what the client last complained of. */
int kafka_err_wait(struct err *reterr, rd_kafka_resp_err_t code, const char *what,
                   const struct kafka_health *h);
/* Trouble that waiting does not cure: credentials, certificates. */

/* bus_kafka_admin.c and bus_kafka_offsets.c, on a worker */
int kafka_metadata(struct kafka_bus *b, const char *full_name, int timeout_ms,
                   const struct rd_kafka_metadata **ret_md, struct err *reterr) NODISCARD;
/* rd_kafka_metadata names a missing topic by an error of its own: found there. */
int kafka_topic_meta(const struct rd_kafka_metadata *md, const char *full_name,
                     const struct rd_kafka_metadata_topic **ret_topic,
                     struct err *reterr) NODISCARD;
int kafka_ensure_topics(struct kafka_bus *b, const struct bus_topic_spec *specs, uint32_t n,
                        const struct kafka_job *job, struct err *reterr) NODISCARD;
int kafka_bounds_of(struct kafka_bus *b, const struct kafka_job *job, const char *full_name,
                    uint32_t part, int64_t *ret_start, int64_t *ret_end,
                    struct err *reterr) NODISCARD;
/* The topic that elections and epochs live in; made at first need. */
#define KAFKA_CLAIMS "ctl.election"
int kafka_claims_ensure(struct kafka_bus *b, const struct kafka_job *job,
                        struct err *reterr) NODISCARD;

#endif
