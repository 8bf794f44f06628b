/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * uid_test.c - UUIDs: text both ways, and version 7's order and uniqueness. */
#include "test.h"
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base.h"
#include "hash.h"

static const when NOON = { 1795852800000000 };          /* 2026-11-28T08:00:00Z */

/* A second after the last id of this thread, whichever test made it. */
static when later(void) { return (when){ uid_time(uid_v7(NOON)).us + 1000000 }; }

static uid random_id(void)
{
        uid id;
        random_bytes(id.b, 16);
        return id;
}

TEST(text_is_lower_case_with_dashes_in_their_places)
{
        uid id = { { 0x01, 0x9e, 0xab, 0xcd, 0xef, 0x00, 0x7a, 0xff, 0x80, 0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde } };
        char t[37];
        uid_format(id, t);
        assert_string_equal(t, "019eabcd-ef00-7aff-8012-3456789abcde");
}

TEST(text_agrees_with_printf_for_every_byte)
{
        for (int round = 0; round < 2000; round++) {
                char t[37], want[37];
                uid id = random_id(), back;
                const uint8_t *b = id.b;
                snprintf(want, sizeof want, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
                         b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
                uid_format(id, t);
                assert_string_equal(t, want);
                CHECK_OK(uid_parse(str_of(t), &back));
                CHECK(uid_eq(id, back));
                for (char *p = t; *p; p++) *p = *p >= 'a' && *p <= 'f' && round % 2 ? (char)(*p - 32) : *p;
                CHECK_OK(uid_parse(str_of(t), &back));
                CHECK(uid_eq(id, back));
        }
}

TEST(one_wrong_character_anywhere_is_refused)
{
        const char good[] = "019eabcd-ef00-7aff-8012-3456789abcde";
        for (size_t at = 0; at < 36; at++) {
                for (int ch = 0; ch < 256; ch++) {
                        bool dash = good[at] == '-', hex = strchr("0123456789abcdefABCDEF", ch) && ch;
                        char t[37];
                        uid id = { { 0 } };
                        memcpy(t, good, 37);
                        t[at] = (char)ch;
                        int want = (dash ? ch == '-' : hex) ? 0 : -INVALID_ARGUMENT;
                        CHECK_EQ(uid_parse((str){ t, 36 }, &id), want);
                        CHECK_EQ(uid_is_zero(id), want != 0);
                }
        }
}

TEST(a_wrong_length_is_refused)
{
        const char t[] = "019eabcd-ef00-7aff-8012-3456789abcde0";
        uid id;
        for (size_t n = 0; n < sizeof t; n++)
                if (n != 36) CHECK_EQ(uid_parse((str){ n ? t : NULL, n }, &id), -INVALID_ARGUMENT);
        CHECK_EQ(uid_parse(STR("{019eabcd-ef00-7aff-8012-3456789abcde}"), &id), -INVALID_ARGUMENT);
        CHECK_EQ(uid_parse(STR("019eabcdef007aff80123456789abcde"), &id), -INVALID_ARGUMENT);
}

TEST(version_7_carries_its_time_version_and_variant)
{
        when from = later();
        for (int i = 0; i < 1000; i++) {
                when t = { from.us + i * 1000ll + 999 };
                uid id = uid_v7(t);
                CHECK_EQ(id.b[6] >> 4, 7);
                CHECK_EQ(id.b[8] >> 6, 2);
                CHECK_EQ(uid_time(id).us, t.us - 999);
        }
}

TEST(other_versions_have_no_time)
{
        uid id;
        CHECK_OK(uid_parse(STR("019eabcd-ef00-4aff-8012-3456789abcde"), &id));
        CHECK_EQ(uid_time(id).us, 0);
        CHECK_OK(uid_parse(STR("019eabcd-ef00-7aff-c012-3456789abcde"), &id));
        CHECK_EQ(uid_time(id).us, 0);
        CHECK_EQ(uid_time((uid){ { 0 } }).us, 0);
}

TEST(ids_of_a_thread_rise_even_when_the_clock_stands_or_runs_back)
{
        uid last = uid_v7(NOON);
        for (int i = 0; i < 200000; i++) {
                when t = { NOON.us + (i % 7 - 3) * 1000000ll };
                uid next = uid_v7(i % 3 ? NOON : t);
                if (uid_cmp(last, next) >= 0) cm_fail_msg("id %d did not rise", i);
                last = next;
        }
}

TEST(an_instant_before_1970_still_makes_a_rising_id)
{
        uid a = uid_v7((when){ -1 }), b = uid_v7((when){ INT64_MIN });
        CHECK(uid_cmp(a, b) < 0);
        CHECK_EQ(b.b[6] >> 4, 7);
}

enum { THREADS = 4, EACH = 20000 };

static void *make_many(void *arg)
{
        uid *ids = arg;
        for (int i = 0; i < EACH; i++) ids[i] = uid_v7(NOON);
        return NULL;
}

static int compare(const void *a, const void *b) { return memcmp(a, b, 16); }

TEST(threads_never_make_the_same_id)
{
        uid *ids = calloc(THREADS * EACH, sizeof *ids);
        pthread_t threads[THREADS];
        for (int i = 0; i < THREADS; i++) CHECK_EQ(pthread_create(&threads[i], NULL, make_many, ids + i * EACH), 0);
        for (int i = 0; i < THREADS; i++) CHECK_EQ(pthread_join(threads[i], NULL), 0);
        qsort(ids, THREADS * EACH, sizeof *ids, compare);
        for (int i = 1; i < THREADS * EACH; i++) CHECK(!uid_eq(ids[i - 1], ids[i]));
        free(ids);
}

TEST(a_forked_child_does_not_repeat_its_parent)
{
        int ends[2];
        CHECK_EQ(pipe(ends), 0);
        when t = later();
        pid_t child = fork();
        if (child == 0) {
                uid id = uid_v7(t);
                _exit(write(ends[1], id.b, 16) == 16 ? 0 : 1);
        }
        uid mine = uid_v7(t), theirs;
        CHECK_EQ(read(ends[0], theirs.b, 16), 16);
        CHECK_EQ(waitpid(child, NULL, 0), child);
        CHECK_EQ(uid_time(theirs).us, uid_time(mine).us);
        CHECK(!uid_eq(mine, theirs));
        close(ends[0]);
        close(ends[1]);
}

TEST_MAIN
