// All that a program can draw from.
#include <fcntl.h>
#include <stdio.h>
#include <sys/auxv.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

static void show(const char *name, const unsigned char *b) {
    printf("%s ", name);
    for (int i = 0; i < 8; i++) printf("%02x", b[i]);
    puts("");
}

int main(int argc, char **argv) {
    unsigned char b[8];
    if (getrandom(b, 8, 0) != 8) return 1;
    show("getrandom", b);
    int f = open("/dev/urandom", O_RDONLY);
    if (read(f, b, 8) != 8) return 2;
    show("urandom", b);
    struct stat s;
    fstat(f, &s);
    printf("device %d\n", S_ISCHR(s.st_mode));
    show("auxv", (void *)getauxval(AT_RANDOM));
    printf("pid %d\n", getpid());
    (void)argc; (void)argv;
    return 0;
}
