/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * openapi.h - what the three files that write OpenAPI share: the document under way, and what it has referred to so far.
 *
 * Paths come first and refer to components by name; what was referred to is remembered and written at the end, so that nothing is named that is
 * not there, and nothing is there that nobody names. */
#ifndef OPENAPI_H
#define OPENAPI_H
#include "engine.h"
#include "json.h"

enum { API_SLUGS_MAX = 600 };

struct api {
        struct jw w;
        const struct service *const *services;          /* NULL-terminated, the program's own last                  */
        const struct endpoint *all; size_t n;
        uint64_t answers, headers;                      /* rows of the tables of openapi_answers.c that were referred to */
        const struct slug *slugs[API_SLUGS_MAX]; size_t n_slugs;        /* whose examples were                      */
};

void api_key_z(struct api *a, const char *key, const char *z);
void api_ref(struct api *a, const char *where, const char *name);       /* {"$ref":"#/components/where/name"}       */
void api_operation_id(const struct api *a, const struct endpoint *e, char out[120]);
const char *who_say(enum who who);                      /* "any signed-in user"                                     */
bool endpoint_is_var(const struct endpoint *e, const struct field *f);  /* of `in`: the path says it                */

void api_part_name(const struct type *t, char out[120]);        /* of the schema of some of its members           */
/* openapi_answers.c */
bool endpoint_has_tag(const struct endpoint *e);        /* its good answer has an ETag (condition.c)                */
bool endpoint_may_be_minimal(const struct endpoint *e); /* it knows Prefer: return=minimal                          */
void api_answers(struct api *a, const struct endpoint *e);              /* "responses"                              */
void api_answer_parts(struct api *a);                                   /* components: responses, headers, examples */
/* openapi_links.c */
void api_links(struct api *a, const struct endpoint *e);                /* "links" of its good answer, or nothing   */
#endif
