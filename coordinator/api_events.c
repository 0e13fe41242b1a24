/* SPDX-License-Identifier: Apache-2.0
 *
 * Streams of what happens: derived events, alerts. The feed does the work.
 */
#include "coordinator/api_impl.h"

static void stream(struct api_call *c, enum feed_topic topic, struct slice type)
{
    if (!api_accepts(c->req, "text/event-stream", true)) {
        api_problem(c->req, PROBLEM_NOT_ACCEPTABLE, "a stream comes as text/event-stream");
    } else if (c->method == HTTP_HEAD) {
        http_reply(c->req, 200, "text/event-stream", SLICE_NONE);
    } else if (!feed_listen(c->api->conf.feeds[topic], c->req, type)) {
        api_problem(c->req, PROBLEM_BUSY, "%d streams are open, or the process is ending",
                    FEED_LISTENERS_MAX);
    }
}

void api_events(struct api_call *c)
{
    stream(c, FEED_EVENTS, api_param(c, "type"));
}

void api_alerts(struct api_call *c)
{
    stream(c, FEED_ALERTS, SLICE_NONE);
}
