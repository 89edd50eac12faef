// Threads that hand a number on, with mutexes, conditions, timed waits, an eventfd, a timerfd and an epoll.
#define _GNU_SOURCE
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

static long ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 - 1000000 + t.tv_nsec / 1000000;
}
static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t c = PTHREAD_COND_INITIALIZER;
static int turn, event;

static void *work(void *number) {
    intptr_t n = (intptr_t)number;
    pthread_mutex_lock(&m);
    while (turn != n) pthread_cond_wait(&c, &m);
    usleep(250000);
    printf("%ld thread %d\n", ms(), (int)n);
    turn++;
    pthread_cond_broadcast(&c);
    pthread_mutex_unlock(&m);
    if (n == 3) { uint64_t one = 1; if (write(event, &one, 8) != 8) return 0; }
    return 0;
}

int main(void) {
    event = eventfd(0, 0);
    pthread_t t[4];
    for (intptr_t i = 0; i < 4; i++) pthread_create(&t[i], 0, work, (void *)i);
    uint64_t n;
    if (read(event, &n, 8) != 8) return 1;
    printf("%ld event %d\n", ms(), (int)n);
    for (int i = 0; i < 4; i++) pthread_join(t[i], 0);
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 2;
    pthread_mutex_lock(&m);
    int r = pthread_cond_timedwait(&c, &m, &until);
    printf("%ld timed out %d\n", ms(), r != 0);
    int timer = timerfd_create(CLOCK_MONOTONIC, 0), e = epoll_create1(0);
    struct itimerspec it = {{1, 0}, {0, 500000000}};
    timerfd_settime(timer, 0, &it, 0);
    struct epoll_event ev = {.events = EPOLLIN};
    epoll_ctl(e, EPOLL_CTL_ADD, timer, &ev);
    for (int i = 0; i < 3; i++) {
        r = epoll_wait(e, &ev, 1, 10000);
        if (read(timer, &n, 8) != 8) return 2;
        printf("%ld timer %d, %d\n", ms(), r, (int)n);
    }
    return 0;
}
