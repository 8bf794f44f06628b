/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * import.h - rows of products that are judged one by one: a bad one is reported and the rest goes in. Private to catalog. */
#ifndef IMPORT_H
#define IMPORT_H
#include "json.h"
#include "write.h"

enum { IMPORT_ROWS_MAX = 1000, IMPORT_BODY_MAX = 8 << 20, ROWS_A_TURN = 50 };

struct row_error     { int32_t row; str sku, pointer, slug, detail; };
DECLARE_LIST(row_error);
struct import_report { int32_t created, changed, unchanged, failed; struct row_error_list errors; };
extern const struct type row_error_type, import_report_type;

/* The rows of a request that can be read, and what is wrong with the others. */
struct reading { struct product_draft *good; int32_t *row_of; size_t n_good; struct import_report out; };

int  reading_init(struct ctx *c, struct reading *r);                            /* room for IMPORT_ROWS_MAX rows    */
void row_read(struct ctx *c, struct reading *r, int32_t row, str text);         /* valid JSON: good or refused      */
void row_refuse(struct reading *r, struct row_error why);
/* Of each good row what became of it, into out; again begins from what was read. */
void reading_count(struct reading *r, const enum written *what);

extern const struct op products_import_op, import_begin_op, import_get_op, import_remove_op, imports_list_op, import_report_op, import_part_op, import_piece_op, imports_trim_op;
extern const struct paging imports_paging, faults_paging;
struct exchange;
void products_import_page(struct ctx *c, struct exchange *x);
void import_part_page(struct ctx *c, struct exchange *x);
void import_piece_page(struct ctx *c, struct exchange *x);
extern const struct route_text import_texts[];
#endif
