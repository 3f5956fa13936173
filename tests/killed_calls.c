/* Preloaded (LD_PRELOAD), this library counts the calls that change a file below one folder, over all processes
 * that are armed with the same counter, and kills the one that comes to call number KILLED_AT: before the call,
 * or, where KILLED_HALF says so, when half of its bytes are written (then only writes are counted).
 *
 * KILLED_PLACE is the folder, without symbolic links; KILLED_COUNTER a file that holds a `struct shared`. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

struct shared {
    long count;
    char call[504]; /* the one that was killed */
};

static struct shared *shared;
static char place[PATH_MAX];
static long target;
static int half;

#define REAL(name) \
    static __typeof__(&name) real; \
    if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

static __typeof__(&open) real_open(void) {
    static __typeof__(&open) real;
    if (!real) real = (__typeof__(&open))dlsym(RTLD_NEXT, "open");
    return real;
}

/* Take up the environment's order; a process calls it again after a fork. */
__attribute__((constructor)) void arm_calls(void) {
    const char *folder = getenv("KILLED_PLACE"), *counter = getenv("KILLED_COUNTER");
    if (!folder || !counter) return;
    int fd = real_open()(counter, O_RDWR);
    if (fd < 0) abort();
    void *memory = mmap(NULL, sizeof(struct shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) abort();
    close(fd);
    target = atol(getenv("KILLED_AT"));
    half = atoi(getenv("KILLED_HALF"));
    strncpy(place, folder, sizeof place - 1);
    shared = memory;
}

static int below(const char *path) {
    size_t length = strlen(place);
    return !strncmp(path, place, length) && (path[length] == '/' || path[length] == 0);
}

static void path_of_fd(int fd, char *path) {
    char link[64];
    ssize_t length;
    if (fd == AT_FDCWD) strcpy(link, "/proc/self/cwd");
    else snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    length = readlink(link, path, PATH_MAX - 1);
    path[length < 0 ? 0 : length] = 0;
}

/* Whether this is the call to be killed at; `path` is relative to the folder `fd`, or NULL for `fd` itself. */
static int reached(const char *name, int fd, const char *path, int writes) {
    char full[2 * PATH_MAX] = "";
    int before = errno;
    if (!shared || (half && !writes)) return 0;
    if (!path || path[0] != '/') path_of_fd(fd, full);
    if (path) snprintf(full + strlen(full), PATH_MAX, full[0] ? "/%s" : "%s", path);
    errno = before;
    if (!below(full)) return 0;
    if (__atomic_add_fetch(&shared->count, 1, __ATOMIC_SEQ_CST) != target) return 0;
    snprintf(shared->call, sizeof shared->call, "%s %.480s", name, full + strlen(place));
    return 1;
}

static void die(void) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

#define BEFORE(fd, path) \
    if (reached(__func__, fd, path, 0)) die()

/* Where it is the one: half of what was to be written, then the end. */
#define WRITES(fd, written) \
    if (reached(__func__, fd, NULL, 1)) { \
        if (half) (void)!(written); \
        die(); \
    }

ssize_t write(int fd, const void *data, size_t size) {
    REAL(write);
    WRITES(fd, real(fd, data, size / 2));
    return real(fd, data, size);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
    REAL(pwrite);
    WRITES(fd, real(fd, data, size / 2, at));
    return real(fd, data, size, at);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
    REAL(pwrite64);
    WRITES(fd, real(fd, data, size / 2, at));
    return real(fd, data, size, at);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    REAL(writev);
    WRITES(fd, write(fd, parts[0].iov_base, parts[0].iov_len / 2));
    return real(fd, parts, count);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at) {
    REAL(pwritev);
    WRITES(fd, pwrite(fd, parts[0].iov_base, parts[0].iov_len / 2, at));
    return real(fd, parts, count, at);
}

ssize_t sendfile(int out, int in, off_t *at, size_t size) {
    static ssize_t (*real)(int, int, off_t *, size_t);
    if (!real) real = (__typeof__(real))dlsym(RTLD_NEXT, "sendfile");
    WRITES(out, real(out, in, at, size / 2));
    return real(out, in, at, size);
}

ssize_t sendfile64(int out, int in, off64_t *at, size_t size) {
    return sendfile(out, in, at, size);
}

ssize_t copy_file_range(int in, off64_t *from, int out, off64_t *to, size_t size, unsigned flags) {
    REAL(copy_file_range);
    WRITES(out, real(in, from, out, to, size / 2, flags));
    return real(in, from, out, to, size, flags);
}

/* numpy writes arrays by it. */
size_t fwrite(const void *data, size_t size, size_t count, FILE *file) {
    REAL(fwrite);
    WRITES(fileno(file), real(data, 1, size * count / 2, file) + fflush(file));
    return real(data, size, count, file);
}

int fsync(int fd) {
    REAL(fsync);
    BEFORE(fd, NULL);
    return real(fd);
}

int fdatasync(int fd) {
    REAL(fdatasync);
    BEFORE(fd, NULL);
    return real(fd);
}

int ftruncate(int fd, off_t size) {
    REAL(ftruncate);
    BEFORE(fd, NULL);
    return real(fd, size);
}

int ftruncate64(int fd, off64_t size) {
    REAL(ftruncate64);
    BEFORE(fd, NULL);
    return real(fd, size);
}

int truncate(const char *path, off_t size) {
    REAL(truncate);
    BEFORE(AT_FDCWD, path);
    return real(path, size);
}

int truncate64(const char *path, off64_t size) {
    REAL(truncate64);
    BEFORE(AT_FDCWD, path);
    return real(path, size);
}

int posix_fallocate(int fd, off_t at, off_t size) {
    REAL(posix_fallocate);
    BEFORE(fd, NULL);
    return real(fd, at, size);
}

int posix_fallocate64(int fd, off64_t at, off64_t size) {
    REAL(posix_fallocate64);
    BEFORE(fd, NULL);
    return real(fd, at, size);
}

int fallocate(int fd, int mode, off_t at, off_t size) {
    REAL(fallocate);
    BEFORE(fd, NULL);
    return real(fd, mode, at, size);
}

int rename(const char *from, const char *to) {
    REAL(rename);
    BEFORE(AT_FDCWD, to);
    return real(from, to);
}

int renameat(int source, const char *from, int target_fd, const char *to) {
    REAL(renameat);
    BEFORE(target_fd, to);
    return real(source, from, target_fd, to);
}

int renameat2(int source, const char *from, int target_fd, const char *to, unsigned flags) {
    REAL(renameat2);
    BEFORE(target_fd, to);
    return real(source, from, target_fd, to, flags);
}

int link(const char *from, const char *to) {
    REAL(link);
    BEFORE(AT_FDCWD, to);
    return real(from, to);
}

int linkat(int source, const char *from, int target_fd, const char *to, int flags) {
    REAL(linkat);
    BEFORE(target_fd, to);
    return real(source, from, target_fd, to, flags);
}

int symlink(const char *from, const char *to) {
    REAL(symlink);
    BEFORE(AT_FDCWD, to);
    return real(from, to);
}

int unlink(const char *path) {
    REAL(unlink);
    BEFORE(AT_FDCWD, path);
    return real(path);
}

int unlinkat(int fd, const char *path, int flags) {
    REAL(unlinkat);
    BEFORE(fd, path);
    return real(fd, path, flags);
}

int rmdir(const char *path) {
    REAL(rmdir);
    BEFORE(AT_FDCWD, path);
    return real(path);
}

int mkdir(const char *path, mode_t mode) {
    REAL(mkdir);
    BEFORE(AT_FDCWD, path);
    return real(path, mode);
}

int mkdirat(int fd, const char *path, mode_t mode) {
    REAL(mkdirat);
    BEFORE(fd, path);
    return real(fd, path, mode);
}

/* An open changes a file where it makes or empties it. */
#define OPENS(fd, ...) \
    mode_t mode = 0; \
    if (flags & (O_CREAT | __O_TMPFILE)) { \
        va_list rest; \
        va_start(rest, flags); \
        mode = va_arg(rest, mode_t); \
        va_end(rest); \
    } \
    if (flags & (O_CREAT | O_TRUNC)) { BEFORE(fd, path); } \
    return real(__VA_ARGS__, flags, mode)

int open(const char *path, int flags, ...) {
    REAL(open);
    OPENS(AT_FDCWD, path);
}

int open64(const char *path, int flags, ...) {
    REAL(open64);
    OPENS(AT_FDCWD, path);
}

int openat(int fd, const char *path, int flags, ...) {
    REAL(openat);
    OPENS(fd, fd, path);
}

int openat64(int fd, const char *path, int flags, ...) {
    REAL(openat64);
    OPENS(fd, fd, path);
}
