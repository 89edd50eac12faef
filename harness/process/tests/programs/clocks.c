// Prints what the clocks show, between waits of all kinds.
#define _GNU_SOURCE
#include <poll.h>
#include <stdio.h>
#include <sys/select.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static void show(const char *after) {
    struct timespec t;
    struct timeval v;
    clock_gettime(CLOCK_MONOTONIC, &t);
    gettimeofday(&v, 0);
    printf("%s %ld.%09ld %ld.%06ld %ld\n", after, t.tv_sec, t.tv_nsec, v.tv_sec, v.tv_usec, time(0));
    fflush(stdout);
}

int main(void) {
    show("start");
    sleep(5);
    show("sleep");
    poll(0, 0, 1500);
    show("poll");
    usleep(20);
    show("usleep");
    struct timeval v = {2, 500000};
    select(0, 0, 0, 0, &v);
    show("select");
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 3600;
    clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &until, 0);
    show("hour");
    return 7;
}
