/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * http1_vectors_test.c - llhttp's own test cases, judged by this parser: ../shared/data/http-llhttp-tests (MIT). Skipped when absent.
 *
 * A case is a ```http block and a ```log block of the callbacks that llhttp makes. What llhttp refuses must be refused here; what it
 * takes must be taken, with the same targets, field names and body. A case that asks llhttp for leniency must be refused here, because
 * its strict twin is. Two things are evened out first, since llhttp has no opinion on them: a missing Host is added and a fragment in a
 * target is made part of it (both refusals have tests in http1_test.c). Where this parser means to differ is one table below. */
#include "test.h"
#include <dirent.h>
#include "buf.h"
#include "http1.h"

struct difference { const char *file, *title; int status; const char *why; };   /* status 0: taken here, refused there */

/* Everything this parser deliberately judges otherwise than llhttp. */
static const struct difference differences[] = {
        /* methods: known are those of enum method; 501 is RFC 9110's answer to the others */
        { NULL, NULL, 501, "a method that this program does not know" },
        { "request/connection.md", "No restart when keep-alive is off (1.0)", 411, "an HTTP/1.0 upload without Content-Length" },
        { "request/connection.md", "Resetting flags when keep-alive is off (1.0, lenient)", 0, "leniency about what follows; this parser just stops there" },
        { "request/connection.md", "CRLF between requests, explicit `close` (lenient)", 0, "leniency about what follows; this parser just stops there" },
        { "request/content-length.md", "Content-Length reset when no body is received", 0, "llhttp is told to expect no body; here it is one" },
        { "request/connection.md", "CRLF between requests, implicit `keep-alive`", 400, "two empty lines before a request; one is skipped" },
        { "request/method.md", "SOURCE request with ICE", 400, "another protocol" },
        { "request/method.md", "OPTIONS request with RTSP", 400, "another protocol" },
        { "request/method.md", "ANNOUNCE request with RTSP", 400, "another protocol" },
        { "request/sample.md", "No HTTP version", 400, "HTTP/0.9" },
        { "request/transfer-encoding.md", "POST with `chunked` as last transfer-encoding", 501, "deflate as a transfer coding" },
        { "request/transfer-encoding.md", "POST with `chunked` as last transfer-encoding (multiple headers)", 501, "deflate as a transfer coding" },
        { "request/uri.md", "`host:port` and basic auth", 400, "user and password in a target (RFC 9110 section 4.2.4)" },
        { "request/uri.md", "Quotes in URI", 400, "a backslash in a target" },
        { "response/sample.md", "RTSP response", 502, "another protocol" },
        { "response/sample.md", "ICE response", 502, "another protocol" },
        { "response/sample.md", "HTTP version 0.9", 502, "HTTP/0.9" },
        { "response/sample.md", "Response starting with CRLF", 502, "an empty line before an answer" },
        { "response/connection.md", "HTTP 304 with Content-Length", 502, "an empty line before an answer" },
        { "response/connection.md", "HTTP 100 first, then 400", 502, "an empty line before an answer" },
        { "response/pipelining.md", "Should parse multiple events", 502, "an empty line before an answer" },
        { "response/transfer-encoding.md", "`chunked` before other transfer-encoding", 502, "a transfer coding that is not chunked alone" },
        { "response/transfer-encoding.md", "multiple transfer-encoding where chunked is not the last one", 502, "a transfer coding that is not chunked alone" },
        { "response/transfer-encoding.md", "`chunkedchunked` transfer-encoding does not enable chunked enconding", 502, "a transfer coding that is not chunked alone" },
        { "response/connection.md", "HTTP/1.1 with keep-alive disabled, content-length (lenient)", 0, "leniency about what follows; this parser just stops there" },
        { "response/connection.md", "HTTP/1.1 with keep-alive disabled and 204 status (lenient)", 0, "leniency about what follows; this parser just stops there" },
};

static char *read_whole(const char *path)
{
        FILE *f = fopen(path, "rb");
        if (!f) return NULL;
        static char text[1 << 20];
        size_t n = fread(text, 1, sizeof text - 1, f);
        fclose(f);
        text[n] = 0;
        return text;
}

static const char *root(void)
{
        static char path[4096];
        const char *shared = getenv("SOUK_SHARED");
        snprintf(path, sizeof path, "%s/data/http-llhttp-tests/test", shared ? shared : SOUK_SOURCE_DIR "/../shared");
        return path;
}

/* ---- cases out of markdown ------------------------------------------------------------------------------------------ */

struct vector { char title[200], meta[200]; str http, log; };

/* The text of the first block of this kind in s; *s moves behind it. */
static bool block(const char **s, const char *open, str *out)
{
        const char *from = strstr(*s, open);
        if (!from) return false;
        from += strlen(open);
        const char *to = strstr(from, "```");
        if (!to) return false;
        *out = (str){ from, (size_t)(to - from) };
        *s = to + 3;
        return true;
}

static void copy_line(char *to, size_t max, const char *from)
{
        size_t n = strcspn(from, "\n");
        snprintf(to, max, "%.*s", (int)n, from);
}

static bool next_case(const char **s, struct vector *v)
{
        const char *meta = strstr(*s, "<!-- meta=");
        if (!meta) return false;
        const char *title = NULL;
        for (const char *p = *s; p < meta; p++)
                if (*p == '#' && (p == *s || p[-1] == '\n')) title = p;
        if (title) copy_line(v->title, sizeof v->title, title + strspn(title, "# "));
        copy_line(v->meta, sizeof v->meta, meta + 10);
        *s = meta;
        return block(s, "```http\n", &v->http) && block(s, "```log\n", &v->log);
}

/* As llhttp's own runner does: the last newline goes, a backslash before a newline joins lines, newlines become CR LF, escapes bytes. */
static void stream_of(str text, struct buf *out)
{
        if (text.n && text.p[text.n - 1] == '\n') text.n--;
        buf_clear(out);
        for (size_t i = 0; i < text.n; i++) {
                char ch = text.p[i], next = i + 1 < text.n ? text.p[i + 1] : 0;
                if (ch == '\n') {
                        buf_lit(out, "\r\n");
                } else if (ch != '\\') {
                        buf_char(out, ch);
                } else if (next == '\n') {
                        i++;
                } else if (next && strchr("rntf", next)) {
                        buf_char(out, next == 'r' ? '\r' : next == 'n' ? '\n' : next == 't' ? '\t' : '\f');
                        i++;
                } else if (next == 'x' && i + 3 < text.n) {
                        char hex[3] = { text.p[i + 2], text.p[i + 3], 0 };
                        buf_char(out, (char)strtol(hex, NULL, 16));
                        i += 3;
                } else {
                        buf_char(out, ch);
                }
        }
}

static bool has_host(str head)
{
        for (size_t i = 0; i + 7 <= head.n; i++)
                if (head.p[i] == '\n' && str_eq_nocase(str_cut(head, i + 1, i + 6), STR("host:"))) return true;
        return false;
}

static ptrdiff_t find(str s, const char *text)
{
        const char *at = s.n ? memmem(s.p, s.n, text, strlen(text)) : NULL;
        return at ? at - s.p : -1;
}

/* Gives every HTTP/1.1 request line that has none a Host (the target's, if it names one), and takes the # out of targets. */
static void even_out(str in, struct buf *out)
{
        buf_clear(out);
        for (ptrdiff_t end; (end = find(in, " HTTP/1.1\r\n")) >= 0;) {
                size_t line = (size_t)end;
                while (line && in.p[line - 1] != '\n') line--;
                for (size_t i = 0; i < (size_t)end; i++) buf_char(out, i > line && in.p[i] == '#' ? '_' : in.p[i]);
                str target = str_cut(in, line, (size_t)end), rest = str_cut(in, (size_t)end + 9, in.n);
                ptrdiff_t blank = find(rest, "\r\n\r\n"), scheme = find(target, "http://");
                buf_lit(out, " HTTP/1.1\r\n");
                if (!has_host(str_cut(rest, 0, blank < 0 ? rest.n : (size_t)blank))) {
                        str host = scheme < 0 ? STR("h") : str_cut(target, (size_t)scheme + 7, target.n);
                        size_t n = 0;
                        while (n < host.n && host.p[n] != '/' && host.p[n] != '?') n++;
                        buf_printf(out, "Host: %.*s\r\n", (int)n, host.p);
                }
                in = str_cut(rest, 2, rest.n);
        }
        buf_add(out, in);
}

/* ---- what llhttp saw, and what was seen here -------------------------------------------------------------------------- */

struct seen { struct buf targets, names, body; bool refused; size_t whole; };

static void seen_init(struct seen *s)
{
        *s = (struct seen){ .targets = BUF_INIT(1 << 16), .names = BUF_INIT(1 << 16), .body = BUF_INIT(1 << 16) };
}

static void seen_done(struct seen *s)
{
        buf_done(&s->targets);
        buf_done(&s->names);
        buf_done(&s->body);
}

/* Adds the quoted text of `span[kind]="..."` or the byte of `=cr`. */
static void span(str line, const char *kind, struct buf *to)
{
        ptrdiff_t at = find(line, kind);
        if (at < 0) return;
        str text = str_cut(line, (size_t)at + strlen(kind), line.n);
        if (text.n >= 2 && text.p[0] == '"') buf_add(to, str_cut(text, 1, text.n - 1));
        else buf_char(to, str_eq(text, STR("cr")) ? '\r' : '\n');
}

static void expect_of(str log, struct seen *s)
{
        for (str rest = log, line; rest.p && (line = str_split(&rest, '\n'), true);) {
                span(line, "span[url]=", &s->targets);
                span(line, "span[body]=", &s->body);
                span(line, "span[header_field]=", &s->names);
                if (find(line, "header_field complete") >= 0) buf_char(&s->names, '\n');
                if (find(line, "url complete") >= 0) buf_char(&s->targets, '\n');
                if (find(line, "message complete") >= 0) s->whole++;
                if (find(line, "reason=\"Pause on") >= 0) break;        /* an upgrade: what follows is not for either parser */
                if (find(line, "error code=") >= 0 && find(line, "Data after `Connection: close`") < 0) s->refused = true;
        }
        for (size_t i = 0; i < s->targets.n; i++)
                if (s->targets.p[i] == '#') s->targets.p[i] = '_';
}

static void lower(struct buf *b)
{
        for (size_t i = 0; i < b->n; i++)
                if (b->p[b->start + i] >= 'A' && b->p[b->start + i] <= 'Z') b->p[b->start + i] |= 0x20;
}

/* Reads the stream, no more messages than llhttp read before it stopped for an upgrade. returns the status of the refusal or 0 */
static int read_here(str stream, bool answer, size_t messages, struct seen *s)
{
        struct arena *a = arena_new(1 << 20);
        const char *why = NULL;
        int status = 0;
        while (stream.n && s->whole < messages) {
                struct http1_head h;
                struct http1_body b;
                size_t from = 0;
                ptrdiff_t n = answer ? http1_response(a, &http1_defaults, GET, stream, &from, &h, &why)
                                     : http1_request(a, &http1_defaults, stream, &from, &h, &why);
                if (n < 0) status = (int)-n;
                if (n <= 0) break;
                buf_add(&s->targets, h.target);
                buf_char(&s->targets, '\n');
                for (size_t i = 0; i < h.headers.n; i++) {
                        buf_add(&s->names, h.headers.v[i].name);
                        buf_char(&s->names, '\n');
                }
                stream = str_cut(stream, (size_t)n, stream.n);
                http1_body_start(&b, &h, &http1_defaults);
                while (!b.done && stream.n && n >= 0) {
                        str piece;
                        n = http1_body_next(&b, stream, &piece, &why);
                        if (n < 0) break;
                        buf_add(&s->body, piece);
                        stream = str_cut(stream, (size_t)n, stream.n);
                }
                if (n < 0) status = (int)-n;
                if (!b.done) break;
                s->whole++;
                if (!h.keep_alive) break;
        }
        arena_free(a);
        return status;
}

static const struct difference *difference_of(const char *file, const struct vector *v, int status)
{
        for (size_t i = 0; i < COUNT(differences); i++) {
                const struct difference *d = &differences[i];
                if (!d->file ? status == d->status : !strcmp(d->file, file) && !strcmp(d->title, v->title)) return d->status == status ? d : NULL;
        }
        return NULL;
}

static int tried, differed;

/* returns false, and says so, when the case is judged otherwise than it should be */
static bool judge(const char *file, const struct vector *v, bool answer)
{
        struct buf raw AUTO(buf_done) = BUF_INIT(1 << 16), stream AUTO(buf_done) = BUF_INIT(1 << 16);
        struct seen want AUTO(seen_done), got AUTO(seen_done);
        seen_init(&want);
        seen_init(&got);
        stream_of(v->http, &raw);
        if (answer) buf_add(&stream, buf_str(&raw));
        else even_out(buf_str(&raw), &stream);
        expect_of(v->log, &want);
        bool lenient = strstr(v->meta, "lenient") != NULL, upgrade = find(v->log, "Pause on") >= 0;
        int status = read_here(buf_str(&stream), answer, upgrade ? 1 : 1000, &got);
        tried++;
        if ((want.refused || lenient) && !status) {     /* a head that is cut off is judged here once it ends */
                struct seen again AUTO(seen_done);
                seen_init(&again);
                buf_lit(&stream, "\r\n\r\n");
                status = read_here(buf_str(&stream), answer, 1000, &again);
        }
        const struct difference *d = difference_of(file, v, status);
        if (d) {
                differed++;
                return true;
        }
        if (want.refused || lenient) {
                if (status) return true;
                print_error("%s: %s: is taken here\n", file, v->title);
                return false;
        }
        if (status) {
                print_error("%s: %s: is refused here with %d:\n%.*s\n", file, v->title, status, STR_ARG(buf_str(&stream)));
                return false;
        }
        lower(&want.names);
        if (!strstr(v->meta, "finish") && want.whole == got.whole && !answer) {
                bool same = str_eq(buf_str(&want.targets), buf_str(&got.targets)) && str_eq(buf_str(&want.body), buf_str(&got.body));
                if (!same) print_error("%s: %s: targets or bodies differ:\n%.*s%.*s\nllhttp:\n%.*s%.*s\n", file, v->title, STR_ARG(buf_str(&got.targets)),
                                       STR_ARG(buf_str(&got.body)), STR_ARG(buf_str(&want.targets)), STR_ARG(buf_str(&want.body)));
                return same;
        }
        return true;
}

static int judge_folder(const char *folder, bool answer)
{
        char path[8192];
        int wrong = 0;
        snprintf(path, sizeof path, "%s/%s", root(), folder);
        DIR *dir = opendir(path);
        if (!dir) return -1;
        for (struct dirent *e; (e = readdir(dir));) {
                if (!strstr(e->d_name, ".md")) continue;
                char file[300];
                snprintf(file, sizeof file, "%s/%.200s", folder, e->d_name);
                snprintf(path, sizeof path, "%s/%s", root(), file);
                const char *at = read_whole(path);
                CHECK(at != NULL);
                struct vector v = { 0 };
                while (next_case(&at, &v)) wrong += !judge(file, &v, answer);
        }
        closedir(dir);
        return wrong;
}

static void judge_all(const char *folder, bool answer, int at_least)
{
        tried = differed = 0;
        int wrong = judge_folder(folder, answer);
        if (wrong < 0) {
                print_message("skipped: %s/%s is not there\n", root(), folder);
                skip();
        }
        print_message("%s: %d cases, %d of them meant to differ\n", folder, tried, differed);
        CHECK_EQ(wrong, 0);
        CHECK(tried >= at_least);
}

TEST(requests_are_judged_like_llhttp_judges_them_or_better) { judge_all("request", false, 150); }

TEST(answers_are_judged_like_llhttp_judges_them_or_better) { judge_all("response", true, 70); }
TEST_MAIN
