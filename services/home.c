/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * home.c - the data directory: its lock, secret, accounts.
 *
 * Whether a directory is in use is asked of the kernel (flock), never of a pid in a file, so a killed program leaves nothing to clear. */
#include "home.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "hash.h"
#include "json.h"
#include "text.h"

enum { FILE_MAX_BYTES = 64 * 1024, SECRET_BYTES = 32, SECRET_TEXT_MIN = 32 };

/* ---- small files --------------------------------------------------------------------------------------------------------- */

static str path_of(struct ctx *c, const struct home *h, const char *name)
{
        return arena_printf(c->arena, "%s/%s", h->dir, name);
}

static int trouble(struct ctx *c, const char *what, str path)
{
        int e = errno;
        return fail(c, e == EACCES || e == EPERM ? PERMISSION_DENIED : INTERNAL, "file_trouble", "cannot %s " STR_FMT ": %s", what, STR_ARG(path), strerror(e));
}

/* What root makes in somebody's directory is that somebody's. */
static void give_to_owner(const struct home *h, int fd)
{
        struct stat st;
        if (geteuid() == 0 && stat(h->dir, &st) == 0 && st.st_uid != 0 && fchown(fd, st.st_uid, st.st_gid) < 0) return;
}

static int home_write(struct ctx *c, const struct home *h, const char *name, str text)
{
        str path = path_of(c, h, name), aside = arena_printf(c->arena, STR_FMT ".new", STR_ARG(path));
        int fd = open(aside.p, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        if (fd < 0) return trouble(c, "write", aside);
        give_to_owner(h, fd);
        bool ok = write(fd, text.p, text.n) == (ssize_t)text.n && fsync(fd) == 0;
        if (close(fd) < 0 || !ok || rename(aside.p, path.p) < 0) return trouble(c, "write", path);
        return 0;
}

/* returns 0, or -NOT_FOUND without a fault */
static int home_read(struct ctx *c, const struct home *h, const char *name, str *out)
{
        str path = path_of(c, h, name);
        char *text = arena_alloc(c->arena, FILE_MAX_BYTES);
        FILE *f = fopen(path.p, "re");
        if (!f) return errno == ENOENT ? -NOT_FOUND : trouble(c, "read", path);
        *out = (str){ text, fread(text, 1, FILE_MAX_BYTES, f) };
        fclose(f);
        return 0;
}

/* ---- the directory and its lock -------------------------------------------------------------------------------------------- */

static int make_directory(struct ctx *c, const char *dir)
{
        char part[PATH_MAX];
        int mode = geteuid() == 0 ? 0711 : 0700;        /* of root's, the database's user must get through */
        snprintf(part, sizeof part, "%s", dir);
        for (char *p = part + 1; *p; p++) {
                if (*p != '/') continue;
                *p = 0;
                if (mkdir(part, 0755) < 0 && errno != EEXIST) return trouble(c, "make", str_of(part));
                *p = '/';
        }
        if (mkdir(part, (mode_t)mode) < 0 && errno != EEXIST) return trouble(c, "make", str_of(dir));
        return 0;
}

static int in_use(struct ctx *c, const struct home *h)
{
        str text = { 0 }, url = { 0 };
        int64_t pid = 0;
        if (home_read(c, h, "lock", &text) == 0 && text.n && json_validate(c, text) == 0) {
                str member = json_member(text, "url");
                if (member.p) (void)json_text(c, member, &url);
                (void)json_int(json_member(text, "pid"), &pid);
        }
        fault_clear(c);
        return fail(c, ALREADY_EXISTS, "data_in_use", "souk already runs from %s (process %lld" STR_FMT STR_FMT "); stop that one, or choose another "
                    "directory with --data", h->shown, (long long)pid, STR_ARG(url.p ? STR(", ") : STR("")), STR_ARG(url));
}

/* In place: the lock is of the open file, so it must not be replaced. */
static int lock_say(struct ctx *c, struct home *h, str url)
{
        str text = arena_printf(c->arena, url.p ? "{\"pid\":%d,\"url\":\"" STR_FMT "\"}\n" : "{\"pid\":%d}\n", getpid(), STR_ARG(url));
        if (ftruncate(h->lock_fd, 0) < 0 || pwrite(h->lock_fd, text.p, text.n, 0) != (ssize_t)text.n) return trouble(c, "write", path_of(c, h, "lock"));
        return 0;
}

int home_open(struct ctx *c, const char *dir, struct home *out)
{
        *out = (struct home){ .lock_fd = -1 };
        TRY(make_directory(c, dir));
        if (!realpath(dir, out->dir)) return trouble(c, "find", str_of(dir));
        snprintf(out->shown, sizeof out->shown, "%s", dir);
        str lock = path_of(c, out, "lock");
        out->lock_fd = open(lock.p, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (out->lock_fd < 0) return trouble(c, "open", lock);
        give_to_owner(out, out->lock_fd);
        if (flock(out->lock_fd, LOCK_EX | LOCK_NB) < 0) {
                int r = errno == EWOULDBLOCK ? in_use(c, out) : trouble(c, "lock", lock);
                close(out->lock_fd);
                out->lock_fd = -1;
                return r;
        }
        TRY(lock_say(c, out, (str){ 0 }));
        unlink(path_of(c, out, "run.json").p);
        out->first_start = access(path_of(c, out, "first-start").p, F_OK) == 0;
        struct stat st;
        if (!out->first_start && lstat(path_of(c, out, "pg").p, &st) < 0) {
                out->first_start = true;
                TRY(home_write(c, out, "first-start", STR("A first start began here and has not come to its end; the next one begins anew.\n")));
        }
        return 0;
}

void home_close(struct home *h)
{
        char path[PATH_MAX + 16];
        if (h->lock_fd < 0) return;
        snprintf(path, sizeof path, "%s/run.json", h->dir);
        unlink(path);
        close(h->lock_fd);
        h->lock_fd = -1;
}

int home_announce(struct ctx *c, struct home *h, str url, bool private_database)
{
        str text = arena_printf(c->arena, "{\"url\":\"" STR_FMT "\",\"pid\":%d,\"private\":%s}\n", STR_ARG(url), getpid(), private_database ? "true" : "false");
        TRY(lock_say(c, h, url));
        return home_write(c, h, "run.json", text);
}

int home_settled(struct ctx *c, struct home *h)
{
        str path = path_of(c, h, "first-start");
        if (h->first_start && unlink(path.p) < 0 && errno != ENOENT) return trouble(c, "remove", path);
        h->first_start = false;
        return 0;
}

/* ---- the secret ------------------------------------------------------------------------------------------------------------ */

int home_secret(struct ctx *c, struct home *h, str setting, uint8_t out[32])
{
        str text = setting;
        if (setting.n == 0 && home_read(c, h, "secret", &text) < 0) {
                struct buf hex AUTO(buf_done) = BUF_INIT(3 * SECRET_BYTES);
                if (c->fault.code) return -INTERNAL;
                random_bytes(out, SECRET_BYTES);
                hex_write(&hex, (str){ (const char *)out, SECRET_BYTES });
                buf_char(&hex, '\n');
                return home_write(c, h, "secret", buf_str(&hex));
        }
        text = str_trim(text, " \r\n\t");
        if (hex_read(text, out, SECRET_BYTES) == 0) return 0;
        if (text.n < SECRET_TEXT_MIN)
                return fail(c, INVALID_ARGUMENT, "bad_secret", "the secret (%s) must be 64 hex digits or a text of at least %d characters",
                            setting.n ? "SOUK_SECRET" : "DIR/secret", SECRET_TEXT_MIN);
        struct digest d = sha256(text);
        memcpy(out, d.b, SECRET_BYTES);
        return 0;
}

/* ---- accounts -------------------------------------------------------------------------------------------------------------- */

static const struct demo_account people[ACCOUNTS] = {
        { "customer", "customer@souk.example", "Casey Customer", "" },
        { "vendor",   "vendor@souk.example",   "Vic Vendor",     "" },
        { "staff",    "staff@souk.example",    "Sam Staff",      "" },
        { "admin",    "admin@souk.example",    "Alex Admin",     "" } };

/* Without letters and digits that look alike; 100 bits. */
static void draw_password(char out[25])
{
        static const char letters[] = "abcdefghjkmnpqrstuvwxyz23456789";
        for (int i = 0; i < 23; i++) out[i] = i % 6 == 5 ? '-' : letters[random_below(sizeof letters - 1)];
        out[23] = 0;
}

static void accounts_read(struct ctx *c, struct home *h, str text)
{
        str list = json_member(text, "accounts"), sample = json_member(text, "sample"), one, value;
        if (sample.p && json_text(c, sample, &value) == 0 && value.n == 36) snprintf(h->sample, sizeof h->sample, STR_FMT, STR_ARG(value));
        struct json_walk w = json_open(list.p ? list : STR("[]"));
        while (json_next_element(&w, &one)) {
                str email, password;
                if (json_text(c, json_member(one, "email"), &email) < 0 || json_text(c, json_member(one, "password"), &password) < 0) continue;
                for (int i = 0; i < ACCOUNTS; i++)
                        if (str_eq(email, str_of(people[i].email))) snprintf(h->accounts[i].password, sizeof h->accounts[i].password, STR_FMT, STR_ARG(password));
        }
}

int home_keep_accounts(struct ctx *c, struct home *h)
{
        struct buf text AUTO(buf_done) = BUF_INIT(FILE_MAX_BYTES);
        struct jw w = { .b = &text, .pretty = true };
        jw_object(&w);
        jw_key(&w, "accounts");
        jw_array(&w);
        for (int i = 0; i < ACCOUNTS; i++) {
                jw_object(&w);
                jw_key(&w, "role");
                jw_z(&w, h->accounts[i].role);
                jw_key(&w, "email");
                jw_z(&w, h->accounts[i].email);
                jw_key(&w, "password");
                jw_z(&w, h->accounts[i].password);
                jw_object_end(&w);
        }
        jw_array_end(&w);
        jw_key(&w, "sample");
        jw_z(&w, h->sample);
        jw_object_end(&w);
        buf_char(&text, '\n');
        return home_write(c, h, "accounts.json", buf_str(&text));
}

int home_accounts(struct ctx *c, struct home *h)
{
        str text;
        bool drawn = false;
        memcpy(h->accounts, people, sizeof people);
        int r = home_read(c, h, "accounts.json", &text);
        if (r < 0 && r != -NOT_FOUND) return r;
        if (r == 0 && json_validate(c, text) < 0) return fail(c, DATA_LOSS, "bad_accounts", "%s/accounts.json is not JSON; mend it or remove it", h->shown);
        if (r == 0) accounts_read(c, h, text);
        for (int i = 0; i < ACCOUNTS; i++) {
                if (h->accounts[i].password[0]) continue;
                draw_password(h->accounts[i].password);
                drawn = true;
        }
        if (!drawn) return 0;
        TRY(home_keep_accounts(c, h));
        return !h->first_start;
}
