// Wakes up every 100 ms for 2,000 s, as mosquitto does, and closes a silent connection after that.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

int main(void) {
    int l = socket(AF_INET, SOCK_STREAM, 0), e = epoll_create1(0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(1883)};
    bind(l, (void *)&a, sizeof a);
    listen(l, 8);
    struct epoll_event ev = {.events = EPOLLIN, .data.fd = l};
    epoll_ctl(e, EPOLL_CTL_ADD, l, &ev);
    time_t since = 0;
    int c = -1;
    for (long turns = 0;; turns++) {
        if (epoll_wait(e, &ev, 1, 100) > 0) {
            if (ev.data.fd == l) {
                c = accept(l, 0, 0);
                ev.events = EPOLLIN;
                ev.data.fd = c;
                epoll_ctl(e, EPOLL_CTL_ADD, c, &ev);
                since = time(0);
            } else {
                char b[10];
                if (read(c, b, 10) <= 0) return 1;
                since = time(0);
            }
        }
        if (c >= 0 && time(0) - since >= 2000) {
            printf("closed after %ld turns\n", turns);
            return 0;
        }
    }
}
