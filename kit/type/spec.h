/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * spec.h - JSON Schema (2020-12, as OpenAPI 3.1 has it) of messages, and examples that hold to it. */
#ifndef SPEC_H
#define SPEC_H
#include "json.h"

/* Writes {"type":"object","properties":...} of one message; nested messages as {"$ref":"#/components/schemas/<name>"}. */
void spec_schema(struct jw *w, const struct type *t);
void spec_patch(struct jw *w, const struct type *t);    /* of a merge patch (RFC 7396) of it: nothing is required, null clears what is optional */
void spec_part(struct jw *w, const struct type *t);     /* of some of its members: nothing is required                                           */
void spec_field(struct jw *w, const struct field *f);   /* the schema of one field, for parameters                  */
/* Adds t and every message below it to `seen`, each once, across calls. */
struct spec_seen { const struct type *v[512]; size_t n; };
void spec_walk(struct spec_seen *seen, const struct type *t);
/* Writes one example of a message, of a field of t; an answer has no secrets, a patch one member (example.c). */
enum spec_side { SPEC_REQUEST, SPEC_ANSWER, SPEC_PATCH };
void spec_example(struct jw *w, const struct type *t, enum spec_side side);
void spec_example_field(struct jw *w, const struct type *t, const struct field *f);
#endif
