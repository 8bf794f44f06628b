/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * program.h - a whole program in a test: app_run() on the calling thread, and a client on a thread of its own with blocking sockets, so that
 * it sees the program from outside. What the program writes to standard error is kept. */
#ifndef PROGRAM_H
#define PROGRAM_H
#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>
#include "app.h"
#include "kit.h"

/* A failure on the client's thread cannot jump back into cmocka: it ends the test program. */
static int complain_to = STDERR_FILENO;
#define MUST(e, ...)  do { if (!(e)) { dprintf(complain_to, "%s:%d: %s: ", __FILE__, __LINE__, #e); dprintf(complain_to, __VA_ARGS__); _exit(1); } } while (0)
#define WANT(text, part)  MUST(strstr(text, part), "no %s in %s\n", part, text)

/* ---- a program and its client ------------------------------------------------------------------------------------------------ */
struct run {
        const struct service *services[3];
        const char *target, *url;
        const struct op *keys;
        void (*client)(struct run *r);
        int port;
        pthread_t thread;
        bool has_thread;
        char log[200000];
        int result;
};

static int open_socket(int port)
{
        struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        MUST(fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0, "port %d\n", port);
        return fd;
}

/* Sends a request on a connection of its own and reads to the end. */
static void ask(int port, const char *request, char answer[65536])
{
        int fd = open_socket(port);
        size_t n = 0;
        ssize_t got;
        MUST(send(fd, request, strlen(request), 0) == (ssize_t)strlen(request), "%s\n", request);
        while (n < 65535 && (got = recv(fd, answer + n, 65535 - n, 0)) > 0) n += (size_t)got;
        answer[n] = 0;
        close(fd);
}
#define GET_(path) "GET " path " HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"

static void *client_thread(void *arg)
{
        struct run *r = arg;
        r->client(r);
        return NULL;
}

static int begin(struct ctx *c, int port, void *arg)
{
        struct run *r = arg;
        (void)c;
        r->port = port;
        r->has_thread = pthread_create(&r->thread, NULL, client_thread, r) == 0;
        return 0;
}

/* Runs the program with flags until it stops; what it wrote to standard error is in log. */
static int run_program(struct run *r, int argc, char **argv)
{
        static const uint8_t secret[32];
        struct ctx c = { .arena = arena_new(4 << 20) };
        struct config *k = config_new();
        char path[] = "/tmp/app_test_XXXXXX";
        int fd = mkstemp(path), kept = dup(STDERR_FILENO);
        config_table(k, "program", app_settings);
        if (config_read(&c, k, argc, argv, NULL) < 0) cm_fail_msg(STR_FMT, STR_ARG(c.fault.message));
        fflush(stderr);
        complain_to = kept;
        dup2(fd, STDERR_FILENO);
        r->result = app_run(&(struct app_options){ .services = r->services, .target = r->target, .config = k, .admin_url = str_of(r->url), .secret = secret, .keys = r->keys,
                                                   .ready = begin, .arg = r });
        if (r->has_thread) pthread_join(r->thread, NULL);
        fflush(stderr);
        dup2(kept, STDERR_FILENO);
        complain_to = STDERR_FILENO;
        ssize_t n = pread(fd, r->log, sizeof r->log - 1, 0);
        r->log[n > 0 ? n : 0] = 0;
        close(fd);
        close(kept);
        unlink(path);
        config_free(&k);
        arena_free(c.arena);
        return r->result;
}
#define RUN(r, ...)  run_program(r, (int)COUNT(((char *[]){ "--port=0", __VA_ARGS__ })), (char *[]){ "--port=0", __VA_ARGS__ })

#endif
