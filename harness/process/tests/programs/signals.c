// Timers that send signals, and signals to itself.
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 - 1000000 + t.tv_nsec / 1000000;
}
static volatile int alarms, users;
static void on(int n) { if (n == SIGALRM) alarms++; else users++; }

int main(void) {
    struct sigaction a = {.sa_handler = on, .sa_flags = SA_RESTART};
    sigaction(SIGALRM, &a, 0);
    sigaction(SIGUSR1, &a, 0);
    alarm(2);
    int e = epoll_create1(0);
    struct epoll_event ev;
    int r = epoll_wait(e, &ev, 1, 60000);
    printf("%ld alarm: %d %s, %d\n", ms(), r, strerror(errno), alarms);
    struct itimerval it = {{1, 0}, {0, 500000}};
    setitimer(ITIMER_REAL, &it, 0);
    while (alarms < 4) pause();
    printf("%ld alarms %d\n", ms(), alarms);
    memset(&it, 0, sizeof it);
    setitimer(ITIMER_REAL, &it, 0);
    timer_t t;
    struct sigevent s = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    timer_create(CLOCK_MONOTONIC, &s, &t);
    struct itimerspec its = {{0, 0}, {3, 0}};
    timer_settime(t, 0, &its, 0);
    sleep(100);
    printf("%ld timer %d\n", ms(), users);
    sigset_t block, none;
    sigemptyset(&none);
    sigemptyset(&block);
    sigaddset(&block, SIGUSR1);
    sigprocmask(SIG_BLOCK, &block, 0);
    timer_settime(t, 0, &its, 0);
    struct timespec ten = {10, 0};
    r = pselect(0, 0, 0, 0, &ten, &none);
    printf("%ld pselect: %d %s, %d\n", ms(), r, strerror(errno), users);
    timer_settime(t, 0, &its, 0);
    r = sigtimedwait(&block, 0, &ten);
    printf("%ld sigtimedwait %d\n", ms(), r == SIGUSR1);
    r = sigtimedwait(&block, 0, &ten);
    printf("%ld sigtimedwait: %s\n", ms(), r < 0 ? strerror(errno) : "a signal");
    raise(SIGUSR1);
    sigprocmask(SIG_UNBLOCK, &block, 0);
    printf("%ld users %d\n", ms(), users);
    return 0;
}
