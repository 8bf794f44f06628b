/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * http1_vectors_test.c - llhttp's own test cases, judged by this parser: ../shared/data/http-llhttp-tests (MIT). Skipped when absent.
 *
 * A case is a ```http block and a ```log block of the callbacks that llhttp makes. What llhttp refuses must be refused here; what it
 * takes must be taken, as the same number of messages with the same targets, fields and bodies, wherever the stream is cut. A case that
 * asks llhttp for leniency must be refused here, because its strict twin is. Two things are evened out first, since llhttp has no opinion
 * on them: a missing Host is added and a fragment in a target is made part of it (both refusals have tests in http1_test.c); and a method
 * that llhttp knows and this program does not is 501. All else that this parser means to see otherwise is one table below, every row of
 * which must be met. A ```url block is read as the target of a request. */
#include "test.h"
#include <dirent.h>
#include "buf.h"
#include "net/http1_replay.h"

struct difference { const char *file, *title; int status; const char *why; };   /* status 0: taken here, refused there */

/* Everything this parser deliberately judges otherwise than llhttp. */
static const struct difference differences[] = {
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
        { "request/finish.md", "It should be unsafe to finish after incomplete PUT request", 0, "a head is handed out when it is whole" },
        { "request/finish.md", "It should be unsafe to finish inside of the header", 0, "a head is handed out when it is whole" },
        { "request/sample.md", "255 ASCII in header value", 0, "the log writes the byte 255 as U+00FF" },
        { "request/transfer-encoding.md", "Trailing headers", 0, "trailers are checked and dropped" },
        { "response/content-length.md", "Content-Length reset when no body is received", 0, "llhttp is told to expect no body; here it is one" },
        { "url.md", "URL fragment", 400, "a fragment in a target" },
        { "url.md", "Complex URL fragment", 400, "a fragment in a target" },
        { "url.md", "Complex URL from node.js url parser doc", 400, "a fragment in a target" },
        { "url.md", "Absolute URL", 400, "a fragment in a target" },
        { "url.md", "Relative URL", 400, "a fragment in a target" },
        { "url.md", "Complex URL with basic auth from node.js url parser doc", 400, "user and password in a target (RFC 9110 section 4.2.4)" },
        { "url.md", "Proxy basic auth with url encoded space", 400, "user and password in a target (RFC 9110 section 4.2.4)" },
        { "url.md", "Proxy basic auth with unreserved chars", 400, "user and password in a target (RFC 9110 section 4.2.4)" },
        { "url.md", "IPv6 address with Zone ID", 400, "a zone means something on one machine only (RFC 9110 section 4.2 has none)" },
        { "url.md", "IPv6 address with Zone ID, but `%` is not percent-encoded", 400, "a zone means something on one machine only (RFC 9110 section 4.2 has none)" },
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

struct vector { char title[200], meta[200]; str text, log; };

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

/* The next block of this kind, the log behind it, and the last title and meta line before it. */
static bool next_case(const char **s, const char *kind, struct vector *v)
{
        const char *open = strstr(*s, kind);
        if (!open) return false;
        v->meta[0] = 0;
        for (const char *p = *s; p < open; p++) {
                if (p != *s && p[-1] != '\n') continue;
                if (*p == '#') copy_line(v->title, sizeof v->title, p + strspn(p, "# "));
                if (!strncmp(p, "<!-- meta=", 10)) copy_line(v->meta, sizeof v->meta, p + 10);
        }
        return block(s, kind, &v->text) && block(s, "```log\n", &v->log);
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

/* fields: all but Host, which a stream may have been given; name: of the field that is being read */
struct seen { struct buf targets, fields, name, value, body; bool refused, unknown_method; size_t whole; };

static void seen_init(struct seen *s)
{
        *s = (struct seen){ .targets = BUF_INIT(1 << 16), .fields = BUF_INIT(1 << 16), .name = BUF_INIT(1 << 16), .value = BUF_INIT(1 << 16),
                             .body = BUF_INIT(1 << 16) };
}

static void seen_done(struct seen *s)
{
        buf_done(&s->targets);
        buf_done(&s->fields);
        buf_done(&s->name);
        buf_done(&s->value);
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

static void lower(struct buf *b)
{
        for (size_t i = 0; i < b->n; i++)
                if (b->p[b->start + i] >= 'A' && b->p[b->start + i] <= 'Z') b->p[b->start + i] |= 0x20;
}

static void see_field(struct seen *s, str name, str value)
{
        if (!str_eq(name, STR("host"))) buf_printf(&s->fields, STR_FMT ": " STR_FMT "\n", STR_ARG(name), STR_ARG(value));
}

/* A field of the log is whole. Its value still has the blanks at its end; a tab is written \t. */
static void field_whole(struct seen *s)
{
        str value = buf_str(&s->value);
        while (str_ends(value, STR("\\t")) || str_ends(value, STR(" "))) value.n -= value.p[value.n - 1] == ' ' ? 1 : 2;
        lower(&s->name);
        see_field(s, buf_str(&s->name), value);
        buf_clear(&s->name);
        buf_clear(&s->value);
}

static void expect_of(str log, struct seen *s)
{
        for (str rest = log, line; rest.p && (line = str_split(&rest, '\n'), true);) {
                span(line, "span[url]=", &s->targets);
                span(line, "span[body]=", &s->body);
                span(line, "span[header_field]=", &s->name);
                span(line, "span[header_value]=", &s->value);
                if (find(line, "header_value complete") >= 0) field_whole(s);
                if (find(line, "url complete") >= 0) buf_char(&s->targets, '\n');
                if (find(line, "message complete") >= 0) s->whole++;
                if (find(line, "reason=\"Pause on") >= 0) break;        /* an upgrade: what follows is not for either parser */
                if (find(line, "error code=") >= 0 && find(line, "Data after `Connection: close`") < 0) s->refused = true;
        }
        for (size_t i = 0; i < s->targets.n; i++)
                if (s->targets.p[i] == '#') s->targets.p[i] = '_';
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
                if (!answer) {
                        buf_add(&s->targets, h.target);
                        buf_char(&s->targets, '\n');
                }
                for (size_t i = 0; i < h.headers.n; i++) see_field(s, h.headers.v[i].name, h.headers.v[i].value);
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
        s->unknown_method = status == 501 && strstr(why, "method") != NULL;
        arena_free(a);
        return status;
}

/* What the parser sees must not depend on where the stream was cut. */
static bool same_in_pieces(str stream, bool answer)
{
        struct buf whole AUTO(buf_done) = BUF_INIT(1 << 20), pieces AUTO(buf_done) = BUF_INIT(1 << 20);
        struct replay first = { .answer = answer, .method = GET, .limits = http1_defaults, .arena = arena_new(1 << 20), .out = &whole }, r = first;
        bool same = true;
        replay_feed(&r, stream, stream.n);
        replay_end(&r);
        for (size_t cut = 0; same && cut < stream.n; cut++) {           /* cut 0: a byte at a time */
                buf_clear(&pieces);
                r = first;
                r.out = &pieces;
                for (size_t at = cut ? cut : 1; at < stream.n; at += cut ? stream.n : 1) replay_feed(&r, stream, at);
                replay_feed(&r, stream, stream.n);
                replay_end(&r);
                same = str_eq(buf_str(&whole), buf_str(&pieces));
        }
        arena_free(first.arena);
        return same;
}

static int tried, differed;
static bool used[COUNT(differences)];

/* Is this case one of those that are meant to end with this status here? */
static bool is_meant(const char *file, const char *title, int status)
{
        for (size_t i = 0; i < COUNT(differences); i++) {
                const struct difference *d = &differences[i];
                if (strcmp(d->file, file) || strcmp(d->title, title) || d->status != status) continue;
                used[i] = true;
                return true;
        }
        return false;
}

static bool same_text(const struct buf *a, const struct buf *b) { return str_eq(buf_str(a), buf_str(b)); }

static void tell(const char *file, const struct vector *v, int status, const char *what, const struct seen *want, const struct seen *got)
{
        const struct seen *both[] = { got, want };
        print_error("%s: %s: %s (%d)\n", file, v->title, what, status);
        for (int i = 0; i < 2; i++)
                print_error("%s: %zu whole\n" STR_FMT STR_FMT "[" STR_FMT "]\n", i ? "llhttp" : "here", both[i]->whole, STR_ARG(buf_str(&both[i]->targets)),
                            STR_ARG(buf_str(&both[i]->fields)), STR_ARG(buf_str(&both[i]->body)));
}

/* returns false, and says so, when the case is judged otherwise than it should be */
static bool judge(const char *file, const struct vector *v, bool answer)
{
        struct buf raw AUTO(buf_done) = BUF_INIT(1 << 16), stream AUTO(buf_done) = BUF_INIT(1 << 16);
        struct seen want AUTO(seen_done), got AUTO(seen_done);
        seen_init(&want);
        seen_init(&got);
        stream_of(v->text, &raw);
        if (answer) buf_add(&stream, buf_str(&raw));
        else even_out(buf_str(&raw), &stream);
        expect_of(v->log, &want);
        bool lenient = strstr(v->meta, "lenient") != NULL, upgrade = find(v->log, "Pause on") >= 0;
        int status = read_here(buf_str(&stream), answer, upgrade ? 1 : 1000, &got);
        bool split = same_in_pieces(buf_str(&stream), answer);
        tried++;
        if (!split) tell(file, v, status, "depends on how the stream is cut", &want, &got);
        if ((want.refused || lenient) && !status) {     /* a head that is cut off is judged here once it ends */
                struct seen again AUTO(seen_done);
                seen_init(&again);
                buf_lit(&stream, "\r\n\r\n");
                status = read_here(buf_str(&stream), answer, 1000, &again);
        }
        if ((want.refused || lenient) && status) return split;
        bool same = !want.refused && !lenient && !status && want.whole == got.whole && same_text(&want.targets, &got.targets) &&
                    same_text(&want.fields, &got.fields) && same_text(&want.body, &got.body);
        if (same) return split;
        differed++;
        if (got.unknown_method || is_meant(file, v->title, status)) return split;
        tell(file, v, status, "is seen otherwise", &want, &got);
        return false;
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
                while (next_case(&at, "```http\n", &v)) wrong += !judge(file, &v, answer);
        }
        closedir(dir);
        return wrong;
}

/* The parts of a URL as its log has them, or as a request for it is read here. */
struct parts { struct buf host, path, query; };

static void parts_init(struct parts *p) { *p = (struct parts){ BUF_INIT(4096), BUF_INIT(4096), BUF_INIT(4096) }; }

static void parts_done(struct parts *p)
{
        buf_done(&p->host);
        buf_done(&p->path);
        buf_done(&p->query);
}

/* returns the status of the refusal or 0 */
static int url_read_here(str url, str host, struct parts *got)
{
        struct buf stream AUTO(buf_done) = BUF_INIT(1 << 16);
        struct arena *a = arena_new(1 << 20);
        struct http1_head h;
        const char *why = NULL;
        size_t from = 0;
        buf_printf(&stream, "GET " STR_FMT " HTTP/1.1\r\nHost: " STR_FMT "\r\n\r\n", STR_ARG(url), STR_ARG(host));
        ptrdiff_t n = http1_request(a, &http1_defaults, buf_str(&stream), &from, &h, &why);
        if (n > 0) {
                buf_add(&got->host, h.host);
                buf_add(&got->path, h.path);
                buf_add(&got->query, h.query);
        }
        arena_free(a);
        return n < 0 ? (int)-n : 0;
}

static bool judge_url(const struct vector *v)
{
        struct buf url AUTO(buf_done) = BUF_INIT(1 << 16);
        struct parts want AUTO(parts_done), got AUTO(parts_done);
        parts_init(&want);
        parts_init(&got);
        stream_of(v->text, &url);
        for (str rest = v->log, line; rest.p && (line = str_split(&rest, '\n'), true);) {
                span(line, "span[url.host]=", &want.host);
                span(line, "span[url.path]=", &want.path);
                span(line, "span[url.query]=", &want.query);
        }
        bool refused = find(v->log, "error code=") >= 0;
        if (!want.host.n) buf_lit(&want.host, "h");
        int status = url_read_here(buf_str(&url), buf_str(&want.host), &got);
        tried++;
        if (refused ? status == 400 : !status && same_text(&want.host, &got.host) && same_text(&want.path, &got.path) && same_text(&want.query, &got.query))
                return true;
        differed++;
        if (is_meant("url.md", v->title, status)) return true;
        print_error("url.md: %s: is seen otherwise (%d): " STR_FMT " " STR_FMT "?" STR_FMT "\n", v->title, status, STR_ARG(buf_str(&got.host)),
                    STR_ARG(buf_str(&got.path)), STR_ARG(buf_str(&got.query)));
        return false;
}

static void skip_without(const char *what)
{
        print_message("skipped: %s/%s is not there\n", root(), what);
        skip();
}

/* Every row of the table about these files must have been met. */
static int unmet(const char *prefix)
{
        int n = 0;
        for (size_t i = 0; i < COUNT(differences); i++) {
                if (used[i] || strncmp(differences[i].file, prefix, strlen(prefix)) != 0) continue;
                print_error("no difference any more: %s: %s\n", differences[i].file, differences[i].title);
                n++;
        }
        return n;
}

static void judge_all(const char *folder, bool answer, int at_least)
{
        tried = differed = 0;
        int wrong = judge_folder(folder, answer);
        if (wrong < 0) skip_without(folder);
        print_message("%s: %d cases, %d of them meant to differ\n", folder, tried, differed);
        CHECK_EQ(wrong, 0);
        CHECK_EQ(unmet(folder), 0);
        CHECK(tried >= at_least);
}

TEST(requests_are_judged_like_llhttp_judges_them_or_better) { judge_all("request", false, 166); }

TEST(answers_are_judged_like_llhttp_judges_them_or_better) { judge_all("response", true, 85); }

TEST(targets_fall_into_the_parts_that_llhttp_sees_or_are_refused)
{
        char path[8192];
        struct vector v = { 0 };
        int wrong = 0;
        tried = differed = 0;
        snprintf(path, sizeof path, "%s/url.md", root());
        const char *at = read_whole(path);
        if (!at) skip_without("url.md");
        while (next_case(&at, "```url\n", &v)) wrong += !judge_url(&v);
        print_message("url.md: %d cases, %d of them meant to differ\n", tried, differed);
        CHECK_EQ(wrong, 0);
        CHECK_EQ(unmet("url.md"), 0);
        CHECK(tried >= 21);
}
TEST_MAIN
