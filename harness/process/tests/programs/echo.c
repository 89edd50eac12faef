// Serves echoes with poll, one connection after the other, and closes one that is silent for 10 s.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
#include <errno.h>
#include <string.h>

int main(void) {
    int l = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(1883)}, peer;
    if (bind(l, (void *)&a, sizeof a) || listen(l, 8)) return 1;
    for (;;) {
        socklen_t n = sizeof peer;
        int c = accept(l, (void *)&peer, &n);
        printf("from %s:%d\n", inet_ntoa(peer.sin_addr), ntohs(peer.sin_port));
        fflush(stdout);
        for (;;) {
            struct pollfd p = {c, POLLIN, 0};
            if (poll(&p, 1, 10000) == 0) { puts("silent"); break; }
            char b[100];
            ssize_t got = read(c, b, sizeof b);
            if (got <= 0) { printf("end: %s\n", got ? strerror(errno) : "FIN"); break; }
            if (write(c, b, got) != got) return 2;
        }
        fflush(stdout);
        close(c);
    }
}
