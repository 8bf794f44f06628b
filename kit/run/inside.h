/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * inside.h - the insides of loops and fibers, shared by the files of run/ and nobody else.
 *
 * A fiber's record lies at the top of its own stack, so starting one takes one thing from one pool. A pooled fiber sleeps inside
 * its main function, ready to be given the next work: no stack is prepared twice. Fields read by other threads (the watchdog,
 * fiber_stats) are written by the loop's thread alone, with relaxed stores. */
#ifndef INSIDE_H
#define INSIDE_H
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <uv.h>
#include "context.h"
#include "ctx.h"
#include "fiber.h"
#include "list.h"
#include "loop.h"
#include "sanitizer.h"

enum {
        RUN_BUDGET   = 256,             /* fibers run between two looks at the sockets              */
        STREAK_MAX   = 32,              /* fiber_breathe()                                          */
        STACKS_KEPT  = 64,              /* of a loop, however long nobody needs them                */
        STACKS_TICK_MS = 1000,          /* stacks beyond these unused for so long are unmapped      */
        POSTS_MAX    = 65536,
};

/* ---- timers: a binary heap a loop, by time (timer.c) -------------------------------------------------------------- */
struct timer {
        int64_t  at_us;                 /* clock_us()                                               */
        uint32_t slot;                  /* 0: not in the heap                                       */
        void   (*fire)(struct timer *t);        /* out of the heap by then; outside any fiber       */
};
struct timers { struct timer **v; uint32_t n, cap; };   /* v[1..n] */

bool timers_reserve(struct timers *h, uint32_t n);      /* room for n; false: no memory                             */
void timers_push(struct timers *h, struct timer *t);    /* room was reserved                                        */
void timers_remove(struct timers *h, struct timer *t);  /* harmless when it is not in                               */
void timers_move(struct timers *h, struct timer *t, int64_t at_us);
static inline struct timer *timers_first(const struct timers *h) { return h->n ? h->v[1] : NULL; }
void timers_done(struct timers *h);

/* ---- fibers ---------------------------------------------------------------------------------------------------------- */
enum fiber_state { FIBER_POOLED, FIBER_READY, FIBER_RUNNING, FIBER_WAITING };

struct fiber {
        struct context  context;
        struct loop    *loop;
        struct link     link;           /* in the ready queue or the pool                           */
        enum fiber_state state;
        bool            permit;         /* a wake came while it was not waiting                     */
        bool            cancelled;
        bool            firm;           /* this wait hears neither deadline nor cancellation        */
        int             verdict;        /* what the wait returns                                    */
        int64_t         deadline_us;    /* of this wait; 0: none                                    */
        struct timer    timer;          /* stays in the heap between waits: later ones find it there */
        void          (*fn)(void *arg);
        void           *arg;
        const char     *name, *where;
        int64_t         born_us, parked_us;
        struct link     line;           /* of those who wait for a mutex, semaphore or event (sync.c) */
        bool            served;         /* and whether it got it                                    */
        struct link     all;            /* in the loop's list of live fibers                        */
        struct link     remote;         /* in the loop's list of wakes from elsewhere, under its lock */
        atomic_bool     has_remote;
        void           *map; size_t map_bytes;  /* guard, stack, this record                        */
        struct san      san;
};

struct post { void (*fn)(void *arg); void *arg; };

struct loop {
        uv_loop_t       uv;
        uv_prepare_t    prepare;        /* before the poll: runs what timers made ready             */
        uv_check_t      check;          /* after it: runs what sockets made ready                   */
        uv_idle_t       idle;           /* active while fibers are left over, so the poll won't wait */
        uv_async_t      async;
        uv_timer_t      alarm;          /* set to the earliest timer or before                      */
        int64_t         alarm_ms;       /* of uv_now(); INT64_MAX: not set                          */
        bool            idling;
        int             index;
        pthread_t       thread;
        int             tid;            /* of the system; 0 until it runs                           */
        int64_t         now_us;         /* at the last turn; good enough for ages                   */

        struct context  main;
        struct san      san;
        struct fiber   *current;        /* NULL: on the loop's own stack                            */
        struct link     ready, pool, all;
        int             budget, streak;
        uint32_t        dice;           /* state of chan_select's choices; never 0                  */
        struct timers   timers;
        struct timer    tick;           /* stacks that nobody needed                                */
        uint32_t        pool_low;       /* fewest pooled since the last tick                        */

        const char     *running;        /* for the watchdog: the fiber's name; NULL: nothing runs   */
        uint64_t        switches, started;
        uint32_t        live, waiting, pooled;

        pthread_mutex_t lock;           /* of what follows                                          */
        struct link     remote;         /* fibers to wake                                           */
        struct post    *posts, *posts_spare;
        size_t          n_posts, cap_posts, cap_spare;

        int           (*start)(void *arg, int index);
        void           *start_arg;
        struct signal_hook *signals;
};

/* What the watchdog and statistics read of another thread's loop; of a pointer, what it points to is seen with it. */
#define OWN_SET(field, value)   __atomic_store_n(&(field), (value), __ATOMIC_RELEASE)
#define OWN_GET(field)          __atomic_load_n(&(field), __ATOMIC_ACQUIRE)

extern _Thread_local struct loop *loop_here;

/* fiber.c */
void fibers_run(struct loop *l);                        /* ready fibers, up to the budget                           */
void fibers_trim(struct loop *l);                       /* unmaps every pooled stack                                */
void fibers_tick(struct timer *t);                      /* l->tick                                                  */
/* fiber_park() that leaves c's fault alone: for waits that may find they were served after all. c may be NULL. */
int  fiber_wait(const struct ctx *c, const char *where);
int  wait_fault(struct ctx *c, int verdict, const char *where);         /* tells c of a verdict < 0; returns it      */
/* Before something that may go on and on without ever waiting (a fast peer, a channel that is never empty): once in STREAK_MAX
 * times lets the others run, then sees to the deadline and cancellation. Waits. 0, -DEADLINE_EXCEEDED, -CANCELLED */
int  fiber_breathe(struct ctx *c, const char *where);

/* stack.c */
struct fiber *stack_map(void);                          /* a record at the top of a fresh stack; NULL: no memory    */
void stack_unmap(struct fiber *f);
void stack_watch_start(void);                           /* reports overflows until stack_watch_stop()               */
void stack_watch_stop(void);
struct alternate { char *map; stack_t before; };        /* where a thread's fault handler runs                      */
void alternate_init(struct alternate *a);               /* of the calling thread                                    */
void alternate_done(struct alternate *a);

/* loop.c */
void loop_work_began(void);                             /* something that keeps run_workers() from returning        */
void loop_work_ended(void);
void loop_alarm(struct loop *l);                        /* after a change of the first timer                        */
void loop_timers(struct loop *l);                       /* fires what is due                                        */
void loop_idle(struct loop *l, bool on);                /* on: the next poll does not wait                          */
void loop_wake_all(void);

/* clock.c */
int64_t clock_ahead_us(void);                           /* clock_us() less the system's monotonic clock, while none is fake */
int64_t clock_real_us(void);                            /* behind any fake: for the watchdog                        */

/* watchdog.c */
void watchdog_start(void);
void watchdog_stop(void);
#endif
