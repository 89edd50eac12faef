// A child writes into a pipe after a while; the parent reads, waits, spawns a shell, and hears of it by a signal.
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 - 1000000 + t.tv_nsec / 1000000;
}
static volatile int children;
static void on_child(int n) { (void)n; children++; }

int main(void) {
    int p[2];
    if (pipe(p)) return 1;
    pid_t child = fork();
    if (!child) {
        close(p[0]);
        sleep(2);
        if (write(p[1], "ready", 5) != 5) _exit(9);
        sleep(3);
        _exit(5);
    }
    close(p[1]);
    char b[10] = {0};
    ssize_t n = read(p[0], b, sizeof b);
    printf("%ld read %.*s\n", ms(), (int)n, b);
    int status;
    pid_t got = waitpid(child, &status, 0);
    printf("%ld waited %d, status %d\n", ms(), got == child, WEXITSTATUS(status));
    fflush(stdout);
    status = system("sleep 1; exit 3");
    printf("%ld system %d\n", ms(), WEXITSTATUS(status));
    fflush(stdout);
    FILE *f = popen("sleep 4; echo from the shell", "r");
    char line[100];
    fgets(line, sizeof line, f);
    printf("%ld line %s", ms(), line);
    fflush(stdout);
    pclose(f);
    signal(SIGCHLD, on_child);
    if (!fork()) { sleep(1); _exit(0); }
    unsigned left = sleep(60);
    printf("%ld children %d, left of 60: %d\n", ms(), children, left > 0);
    return 0;
}
