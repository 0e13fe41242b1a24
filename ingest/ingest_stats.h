/* SPDX-License-Identifier: Apache-2.0
 *
 * What ingest shows on /metrics beside what the receivers count themselves: events by topic, what
 * waits for the bus, memory. Read at the scrape.
 */
#ifndef INGEST_INGEST_STATS_H
#define INGEST_INGEST_STATS_H

struct budget;
struct ingest_stats;
struct publish;
struct stats;

struct ingest_stats *ingest_stats_new(struct stats *s, const struct publish *p,
                                      const struct budget *b);
void ingest_stats_free(struct ingest_stats *s);

#endif
