/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * log.h - one event, one line, to standard error: JSON for machines, aligned text for people.
 *
 * Libraries never log failures of a request; the edge that ends it logs once. A line is written with one write(2), so
 * lines of threads never mix; it is at most PIPE_BUF bytes (long values are cut), and lost when it cannot be written.
 * Values are escaped; secrets must not be passed. The settings are the process's: INFO, human, no colour, standard error
 * until log_setup(). Threads: safe anywhere. */
#ifndef LOG_H
#define LOG_H
#include "base.h"

enum level { DEBUG, INFO, WARN, ERROR };
enum log_format { LOG_HUMAN, LOG_JSON };

void log_setup(enum level least, enum log_format format, bool colour, int fd);
bool log_is_on(enum level level);
enum level code_level(int code);                        /* codes.def: at which the edge that ends a request logs it */

struct log_field { const char *name; enum { LOG_STR, LOG_INT, LOG_UID, LOG_MS } kind; str s; int64_t i; uid id; };
#define L_STR(name_, s_)  { .name = (name_), .kind = LOG_STR, .s = (s_) }
#define L_Z(name_, z_)    { .name = (name_), .kind = LOG_STR, .s = str_of(z_) }
#define L_INT(name_, i_)  { .name = (name_), .kind = LOG_INT, .i = (i_) }
#define L_UID(name_, id_) { .name = (name_), .kind = LOG_UID, .id = (id_) }
#define L_MS(name_, us_)  { .name = (name_), .kind = LOG_MS,  .i = (us_) }      /* microseconds, shown as milliseconds */

/* log_say(INFO, "listening", L_INT("port", 8080)); absent strings are left out. */
#define log_say(level, event, ...) do { if (log_is_on(level)) \
        log_write((level), (event), (const struct log_field[]){ __VA_ARGS__ __VA_OPT__(,) { 0 } }); } while (0)
void log_write(enum level level, const char *event, const struct log_field *fields);   /* ends at a field without a name */

/* Lines by the thousand: the same line into a buffer of the caller's, and all of it out in one write(2). */
struct buf;
void log_line(struct buf *to, enum level level, const char *event, const struct log_field *fields);
void log_flush(struct buf *lines);                      /* writes and clears                                        */
#endif
