/* Preloaded (LD_PRELOAD) behind `killed_calls`, this library notes what a power failure would leave of one
 * folder: of each file what it held when it was flushed last, of each folder the names that it had then. Nothing
 * else is on the disk for certain, neither what was written later nor the name of a file that was flushed.
 *
 * FLUSHED_PLACE is the folder, without symbolic links; FLUSHED_DISK another one on the same file system, where
 * `INODE.data` is a file's content and `INODE.names` has a line "INODE NAME" for each name in a folder. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define REAL(name) \
    static __typeof__(&name) real; \
    if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

/* Whether `path`, relative to the folder `fd`, or NULL for `fd` itself, is the folder or lies below it. */
static int below(int fd, const char *path) {
    const char *place = getenv("FLUSHED_PLACE");
    char full[2 * PATH_MAX] = "", link[64];
    size_t length = place ? strlen(place) : 0;
    int before = errno;
    if (!length) return 0;
    if (!path || path[0] != '/') {
        if (fd == AT_FDCWD) strcpy(link, "/proc/self/cwd");
        else snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t size = readlink(link, full, PATH_MAX - 1);
        full[size < 0 ? 0 : size] = 0;
        if (path) strcat(full, "/");
    }
    if (path) strncat(full, path, PATH_MAX - 1);
    errno = before;
    return !strncmp(full, place, length) && (full[length] == '/' || full[length] == 0);
}

static void name_note(char *note, ino_t inode, const char *end) {
    snprintf(note, PATH_MAX, "%s/%lu.%s", getenv("FLUSHED_DISK"), (unsigned long)inode, end);
}

static void note_names(int fd, FILE *note) {
    char here[64];
    snprintf(here, sizeof here, "/proc/self/fd/%d", fd);
    DIR *folder = opendir(here);
    if (!folder) abort();
    for (struct dirent *entry; (entry = readdir(folder));)
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
            fprintf(note, "%lu %s\n", (unsigned long)entry->d_ino, entry->d_name);
    closedir(folder);
}

static void note_data(int fd, FILE *note) {
    char data[1 << 16], here[64];
    snprintf(here, sizeof here, "/proc/self/fd/%d", fd); /* `fd` may be open for writing alone */
    int file = open(here, O_RDONLY);
    if (file < 0) abort();
    for (ssize_t size; (size = read(file, data, sizeof data)) > 0;) fwrite(data, 1, size, note);
    close(file);
}

static void note_flushed(int fd) {
    struct stat status;
    char draft[PATH_MAX], name[PATH_MAX];
    int before = errno;
    if (!below(fd, NULL) || fstat(fd, &status)) return;
    int folder = S_ISDIR(status.st_mode);
    name_note(draft, status.st_ino, "part");
    name_note(name, status.st_ino, folder ? "names" : "data");
    FILE *note = fopen(draft, "w");
    if (!note) abort();
    folder ? note_names(fd, note) : note_data(fd, note);
    fclose(note);
    if (rename(draft, name)) abort();
    errno = before;
}

/* A file that loses its name keeps its inode, whose number another one would get: it may still be on the disk. */
static void keep(int fd, const char *path) {
    struct stat status;
    char name[PATH_MAX];
    int before = errno;
    if (below(fd, path) && !fstatat(fd, path, &status, AT_SYMLINK_NOFOLLOW) && S_ISREG(status.st_mode)) {
        name_note(name, status.st_ino, "kept");
        if (linkat(fd, path, AT_FDCWD, name, 0) && errno != EEXIST) abort();
    }
    errno = before;
}

int fsync(int fd) {
    REAL(fsync);
    note_flushed(fd);
    return real(fd);
}

int fdatasync(int fd) {
    REAL(fdatasync);
    note_flushed(fd);
    return real(fd);
}

int unlink(const char *path) {
    REAL(unlink);
    keep(AT_FDCWD, path);
    return real(path);
}

int unlinkat(int fd, const char *path, int flags) {
    REAL(unlinkat);
    keep(fd, path);
    return real(fd, path, flags);
}

int rename(const char *from, const char *to) {
    REAL(rename);
    keep(AT_FDCWD, to);
    return real(from, to);
}

int renameat(int source, const char *from, int target, const char *to) {
    REAL(renameat);
    keep(target, to);
    return real(source, from, target, to);
}
