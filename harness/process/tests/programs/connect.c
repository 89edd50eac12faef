// Connects, and says how that went: blocking, then without blocking, then reads.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int main(void) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(1883), .sin_addr.s_addr = inet_addr("10.0.0.1")};
    int s = socket(AF_INET, SOCK_STREAM, 0);
    printf("blocking: %s\n", connect(s, (void *)&a, sizeof a) ? strerror(errno) : "open");
    fflush(stdout);
    close(s);
    s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    printf("at once: %s\n", connect(s, (void *)&a, sizeof a) ? strerror(errno) : "open");
    struct pollfd p = {s, POLLOUT, 0};
    poll(&p, 1, -1);
    int e = 0;
    socklen_t n = sizeof e;
    getsockopt(s, SOL_SOCKET, SO_ERROR, &e, &n);
    printf("then: %s\n", e ? strerror(e) : "open");
    fflush(stdout);
    if (!e) {
        fcntl(s, F_SETFL, 0);
        write(s, "hello", 5);
        char b[10];
        ssize_t got = read(s, b, sizeof b);
        printf("read: %s\n", got < 0 ? strerror(errno) : got ? "bytes" : "FIN");
    }
    return 0;
}
