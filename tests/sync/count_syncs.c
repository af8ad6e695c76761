/* Counts a process's calls of fsync and fdatasync, for tests/it/sync_calls.rs: kill -9 keeps the page cache, so only
   this shows that a commit reached the disk before it was answered. Loaded by LD_PRELOAD; the file named by SYNC_COUNTS
   is mapped and holds two 64-bit counters: calls on files whose name ends in "-wal", and all others. It makes the real
   call and changes nothing else. */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static _Atomic unsigned long long *counters;

__attribute__((constructor)) static void map_counters(void)
{
    const char *path = getenv("SYNC_COUNTS");
    int file = path ? open(path, O_RDWR) : -1;
    if (file < 0)
        return;
    void *mapped = mmap(NULL, 2 * sizeof(*counters), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (mapped != MAP_FAILED)
        counters = mapped;
}

static void count(int file)
{
    char link[64], name[4096];
    if (!counters)
        return;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, name, sizeof name);
    int is_wal = length > 4 && memcmp(name + length - 4, "-wal", 4) == 0;
    atomic_fetch_add(&counters[is_wal ? 0 : 1], 1);
}

/* Counted after the call: the counter says what is done, not what was begun. */
int fsync(int file)
{
    int result = (int)syscall(SYS_fsync, file);
    if (result == 0)
        count(file);
    return result;
}

int fdatasync(int file)
{
    int result = (int)syscall(SYS_fdatasync, file);
    if (result == 0)
        count(file);
    return result;
}
