/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * memory_test.c - the want of memory anywhere on the way of a request: for each n the n-th piece of memory is not there, until one goes through. */
#include "test.h"
#include "app.h"
#include "engine.h"
#include "visits.h"

/* ---- a request ------------------------------------------------------------------------------------------------------------------- */

static const char *const messages[] = {
        "GET /v1/toys?limit=2&sort=-price&fields=name,price HTTP/1.1\r\nhost: x\r\naccept-encoding: gzip;q=1.0\r\n\r\n",
        "GET /v1/toys?limit=2&cursor=bm9uZQ HTTP/1.1\r\nhost: x\r\n\r\n",
        "GET /v1/nothing HTTP/1.1\r\nhost: x\r\n\r\n",
        "POST /v1/keyed HTTP/1.1\r\nhost: x\r\nidempotency-key: one\r\ntraceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n\r\n",
        "POST /v1/toys HTTP/1.1\r\nhost: x\r\nidempotency-key: one\r\ncontent-type: application/json\r\ncontent-length: 75\r\n\r\n"
                "{\"name\":\"duck\",\"price\":{\"amount\":199,\"currency\":\"EUR\"},\"stock\":5          }",
        "POST /v1/toys HTTP/1.1\r\nhost: x\r\nidempotency-key: one\r\ncontent-type: application/json\r\ncontent-length: 75\r\n\r\n"
                "{\"name\":\"\\u0064uck\",\"price\":{\"amount\":199,\"currency\":\"EU\"},\"stack\":[[5]],\"s\":\"\"}",
        "GET /v1/shown?limit=2 HTTP/1.1\r\nhost: x\r\naccept-encoding: gzip;q=1.0\r\n\r\n",
        "GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n",
};

/* Nothing that is kept whole is there any more. */
static void forget_kept(struct worker *w)
{
        for (size_t i = 0; i < w->n_units; i++) w->units[i].writes++;
        for (size_t i = 0; i < COUNT(w->kept); i++) kept_release(&w->kept[i]);
}

static void with_less(struct world *w, const char *message)
{
        int status = 500, good = 0;
        long n = 1;
        struct http_answer a = http_message(w, "staff", message);       /* warm: what is kept for good is there */
        str first = a.body;
        good = a.status;
        CHECK(good > 0);
        for (bool failed = true; failed; n++) {
                forget_kept(worker_here());
                alloc_fail_after(n);
                a = http_message(w, "staff", message);
                failed = alloc_failed();
                alloc_fail_after(0);
                status = a.status;
                /* 0: the head itself found no place; 403: the scopes of the world's own caller. A client sees what is said of a full
                 * arena, or the very answer: never half of one. */
                if (!strncmp(message, "GET /v1/shown", 13) || !strncmp(message, "GET /openapi", 12)) {
                        struct http_answer next = http_message(w, "staff", message);    /* what was kept meanwhile is whole */
                        CHECK(next.status == good && str_eq(next.body, first));
                }
                if (status == good || status == 0 || (status == 403 && n == 1) || status == 429 || status == 413) continue;
                cm_fail_msg("%.40s: %d when allocation %ld fails, else %d\n" STR_FMT, message, status, n, good, STR_ARG(a.body));
        }
        CHECK_EQ(status, good);
        CHECK(n > 2);
}

WORLD_TEST(a_request_survives_the_want_of_any_piece_of_its_memory)
{
        COUNTING(REQUEST_MEMORY);
        made(w, "staff#1", DUCK);
        made(w, "staff#2", DUCK);
        settle(w);
        for (size_t i = 0; i < COUNT(messages); i++) {
                with_less(w, messages[i]);
        }
        settle(w);
        REACHED(REQUEST_MEMORY);
        CHECK_EQ(rows(w, "toyshop", "toy where name = 'duck'"), 3);     /* the two, and one of all the requests with that key */
        struct http_answer a = http(w, "", GET, "/v1/toys", NULL);
        CHECK_EQ(a.status, 200);
}
TEST_MAIN
