/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * rows.h - rows of a file or a text of products, as the catalogue wants them: JSON Lines or CSV in, one product's JSON out at a time.
 *
 * Fields are looked for by the names people use: sku, name or title, description, brand or supplier, category (a text, or a list from the
 * root down), price (in JSON a whole number is minor units and 19.99 or "19.99" is what it says; in CSV price is what it says and
 * price_minor is minor units), currency, vat_bp, images (in a text between blanks or bars), tags (commas or bars), categories (further
 * ones, bars), and attributes (an object, a list of {name, value}, or CSV columns called
 * attributes.colour). A row with title and supplier but no sku is Icecat's. What no field is made of is left out; what one is made of must be of the
 * catalogue's own kind (a name is a text and not a number), but for Icecat's rows, whose kinds are theirs. */
#ifndef ROWS_H
#define ROWS_H
#include "buf.h"
#include "json.h"

struct feed;
/* path: of a file; or text: it is read itself, and borrowed until rows_close(), path is what to call it in a fault. currency: where a row names none;
 * one_of: a CSV's header must have one of these columns, a list that ends with NULL; NULL: whatever it has */
struct rows_options { const char *path; enum { ROWS_BY_NAME, ROWS_JSON, ROWS_CSV } format; str currency, text; const char *const *one_of; };
struct row { int64_t line; str sku, pointer, detail; }; /* pointer and detail: what is wrong with it    */

/* The options are borrowed for the call. A text without any line has no rows, whatever its format. Threads: one.
 * returns 0, -NOT_FOUND no such file, -INVALID_ARGUMENT neither format (or a CSV whose header is not there, or has none of one_of) */
int  rows_open(struct ctx *c, const struct rows_options *o, struct feed **out);
void rows_close(struct feed **r);
/* Appends the next row's product to out; what *row says lies in c's arena. Blocks for the file.
 *   returns  1 a product, 0 the end, -INVALID_ARGUMENT a bad row (out unchanged; go on with the next), -RESOURCE_EXHAUSTED out is full */
int  rows_next(struct ctx *c, struct feed *r, struct buf *out, struct row *row);
/* The cells of the next record of a CSV as they are, for files of something else: borrowed until the next call.
 *   returns  1, 0 the end, -INVALID_ARGUMENT a bad row */
int  rows_next_cells(struct ctx *c, struct feed *r, struct row *row);
int  rows_column(const struct feed *r, const char *name);       /* of the header; -1: none                      */
str  rows_cell(const struct feed *r, int column);               /* trimmed                                      */
int64_t rows_bytes_read(const struct feed *r);
int64_t rows_bytes(const struct feed *r);               /* of the file; 0: not known                     */

/* product.c: one row to the catalogue's JSON, appended to out. object: valid JSON, an object; csv: all its values are texts.
 *   returns  0, -INVALID_ARGUMENT with row->pointer and detail (out unchanged), -RESOURCE_EXHAUSTED out is full */
extern const char *const sku_names[];                   /* what a SKU is called; of a CSV of products one is wanted: rows_options.one_of */
str  shortened(str s, size_t max);                      /* to at most max bytes, between two characters             */
int  product_write(struct ctx *c, str object, bool csv, str currency, struct buf *out, struct row *row);
#endif
