/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * app.h - a program made of services: modules started in dependency order on every worker, served over HTTP, stopped in reverse.
 *
 *     log -> metrics -> databases (ensure, migrate, check statements) -> units -> auth -> bus and jobs (worker 0) -> http -> ready
 *
 * SIGTERM or SIGINT: not ready, drain, finish requests up to the grace deadline, cancel, close; a second signal ends at once. Any
 * failure while starting stops what is up and tells why in one sentence. */
#ifndef APP_H
#define APP_H
#include "auth.h"
#include "config.h"
#include "op.h"

struct app_options {
        const struct service *const *services;          /* all there are, NULL-terminated                           */
        const char *target;                             /* "all", or names with commas                              */
        struct config *config;                          /* read already                                             */
        const struct op *keys;                          /* the JWKS                                                 */
        str   admin_url;                                /* where databases are made: souk_<service> each            */
        const uint8_t *secret;                          /* 32 bytes: cursors and boxes are keyed from it            */
        /* On worker 0 when everything is up (port known), in a fiber with a ctx of its own; the program ends with its failure. */
        int  (*ready)(struct ctx *c, int port, void *arg);
        void (*progress)(const char *what, void *arg);  /* "migrating orders"; may be NULL                          */
        void *arg;
};
extern const struct setting app_settings[];             /* port, address, workers, limits, log, timeouts ...        */
/* Runs until a signal (or app_stop). returns 0 after a clean stop, or a negative code after a sentence on stderr */
int  app_run(const struct app_options *o);
void app_stop(void);                                    /* as SIGTERM would; any thread                             */

/* The pages every program has: GET /healthz /readyz /metrics /debug/fibers (admins) /openapi.json /docs / ; added to the services by app_run(). pages.c */
extern const struct service pages_service;
void openapi_write(struct buf *out, const struct service *const *services);     /* OpenAPI 3.1, pretty, stable order */
void errors_docs(struct buf *out, const struct service *const *services);       /* docs/ERRORS.md                   */
void config_docs(struct buf *out, const struct config *k);                      /* docs/CONFIGURATION.md            */

/* The secret derived for one purpose: HMAC(secret, purpose). */
struct digest app_secret(const struct ctx *c, const char *purpose);
#endif
