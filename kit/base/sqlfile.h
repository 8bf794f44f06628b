/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * sqlfile.h - reads a service's .sql: named statements with :parameters, as db.h describes them.
 *
 *     -- order_by_id: order_ref -> order
 *     select id, status from orders where id = :id and buyer = :caller;
 *
 * A header is a comment line `-- name: in`, `-- name: in -> out`, with ? (at most one row) or * (many) after out; its statement
 * follows and ends with ;. What several statements say alike is written once, above them: `-- name: fragment`, its text, ;. In a statement (or a
 * later fragment) {name} stands for that text, its parameters included. Between statements other comments may stand. Literals, quoted names, dollar quotes, comments and ::casts
 * are known, so a colon in them is no parameter; in a subscript a[1:n] it divides (write a[1:(:n)] there). The text
 * comes back with $1, $2, one a distinct path, without comments, each run of white space one space. Pure. Source: PostgreSQL 15,
 * section 4.1. */
#ifndef SQLFILE_H
#define SQLFILE_H
#include "arena.h"
#include "base.h"

enum { SQLFILE_MAX_BYTES = 1 << 20, SQLFILE_STATEMENTS_MAX = 1000, SQLFILE_PARAMS_MAX = 100, SQLFILE_NAME_MAX = 60 };
enum sqlfile_rows { SQLFILE_NONE, SQLFILE_ONE, SQLFILE_MAYBE, SQLFILE_MANY };

struct sql_statement {
        str  name, in, out;             /* out p NULL: no rows                                    */
        enum sqlfile_rows rows;
        str  sql;                       /* with $1, $2 ...; no ;                                  */
        str *params;                    /* paths: "id", "rows.quantity", ":caller"; $1 is params[0] */
        size_t n_params;
        int  line;                      /* of its header                                          */
};
struct sqlfile { struct sql_statement *v; size_t n; };
struct sqlfile_error { int line; char text[160]; };

/* Reads a whole file. Everything in `out` lies in the arena, or points into `text`.
 *   returns  0, -INVALID_ARGUMENT with line (from 1) and sentence in err, -RESOURCE_EXHAUSTED when the arena is full (err too) */
int sqlfile_read(struct arena *a, str text, struct sqlfile *out, struct sqlfile_error *err);
#endif
