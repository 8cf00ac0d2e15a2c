/* Makes one system call by number and says what came of it: 0, or the error's number.
 * probe 64|32 NUMBER [ARGUMENT...]     32: as a program of i386 would call */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static long call32(long number, const long *a) {
#ifdef __x86_64__
    long result;
    __asm__ volatile("int $0x80"
                     : "=a"(result)
                     : "a"(number), "b"(a[0]), "c"(a[1]), "d"(a[2]), "S"(a[3]), "D"(a[4])
                     : "memory", "r8", "r9", "r10", "r11");
    return (int)result;
#else
    (void)number, (void)a;
    return -ENOSYS;
#endif
}

int main(int argc, char **argv) {
    long a[6] = {0};
    if (argc < 3) return 2;
    for (int i = 3; i < argc && i < 9; i++) a[i - 3] = strtol(argv[i], NULL, 0);
    long number = atol(argv[2]), result;
    if (!strcmp(argv[1], "32")) {
        result = call32(number, a);
        if (result < 0) errno = (int)-result, result = -1;
    } else {
        result = syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
    }
    printf("%d\n", result < 0 ? errno : 0);
    return 0;
}
