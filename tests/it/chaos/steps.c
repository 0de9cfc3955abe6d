/* Steps of a process that the world outside can see: what it makes durable, puts into place, starts, and says. The file
 * CHAOS_STEPS is shared with a story, which chooses one of them: before or after that one the process is killed. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SYNC = 1, RENAME = 2, START = 3, SAY = 4 };

struct steps {
    int64_t left;   /* how many to the chosen one; 0 for none */
    int64_t after;  /* whether the chosen one is done first */
    int64_t seen;   /* all so far */
    int64_t struck; /* what the chosen one was */
};

static struct steps *steps;
static pid_t self;

__attribute__((constructor)) static void open_steps(void) {
    const char *path = getenv("CHAOS_STEPS");
    int file = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    /* Whoever is started from here has steps of its own, which do not count. */
    unsetenv("CHAOS_STEPS");
    unsetenv("LD_PRELOAD");
    if (file < 0) return;
    void *map = mmap(NULL, sizeof *steps, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (map == MAP_FAILED) return;
    self = getpid();
    steps = map;
}

static int is_chosen(void) {
    if (!steps || getpid() != self) return 0;
    __atomic_add_fetch(&steps->seen, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&steps->left, __ATOMIC_SEQ_CST) <= 0) return 0;
    return __atomic_sub_fetch(&steps->left, 1, __ATOMIC_SEQ_CST) == 0;
}

static void die(int what) {
    steps->struck = what;
    kill(self, SIGKILL);
    for (;;) pause();
}

#define STEP(what, type, name, parameters, arguments)                         \
    type name parameters {                                                    \
        static type(*real) parameters;                                        \
        if (!real) real = (type(*) parameters)dlsym(RTLD_NEXT, #name);        \
        int chosen = is_chosen();                                             \
        if (chosen && !steps->after) die(what);                               \
        type done = real arguments;                                           \
        if (chosen && getpid() == self) die(what);                            \
        return done;                                                          \
    }

STEP(SYNC, int, fsync, (int file), (file))
STEP(SYNC, int, fdatasync, (int file), (file))
STEP(RENAME, int, rename, (const char *from, const char *to), (from, to))
STEP(START, pid_t, fork, (void), ())
STEP(START, int, posix_spawnp,
     (pid_t *restrict pid, const char *restrict file, const posix_spawn_file_actions_t *restrict actions,
      const posix_spawnattr_t *restrict attributes, char *const argv[restrict], char *const envp[restrict]),
     (pid, file, actions, attributes, argv, envp))

ssize_t write(int file, const void *bytes, size_t count) {
    static ssize_t (*real)(int, const void *, size_t);
    if (!real) real = (ssize_t(*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
    int chosen = file == STDOUT_FILENO && is_chosen();
    if (chosen && !steps->after) die(SAY);
    ssize_t done = real(file, bytes, count);
    if (chosen) die(SAY);
    return done;
}
