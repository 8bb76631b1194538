/* Private files when the system fails: each system call of file.c fails once with each error that
 * has its own remedy. The linker option --wrap redirects the calls here (Makefile). */
#include "file.h"
#include "check.h"
#include "fail_alloc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int until_failure; /* 0: no call fails */
static int fail_errno;
static const char *fail_name; /* NULL: any call */
static const char *failed;    /* the name of the call that failed */
static bool keeps_failing;
static size_t longest_write = (size_t)-1;

/* Makes the n-th call of that name from now fail. */
static void fail_call(int n, const char *name, int error) {
  until_failure = n;
  fail_name = name;
  fail_errno = error;
  failed = NULL;
}

static bool fails_now(const char *name) {
  if (until_failure == 0 || (fail_name && strcmp(name, fail_name) != 0))
    return false;
  if (until_failure > 1 || !keeps_failing)
    until_failure--;
  if (until_failure > (keeps_failing ? 1 : 0))
    return false;
  failed = name;
  errno = fail_errno;
  return true;
}

#define WRAP(result, name, parameters, arguments)                                                  \
  result __real_##name parameters;                                                                 \
  result __wrap_##name parameters;                                                                 \
  result __wrap_##name parameters {                                                                \
    return fails_now(#name) ? FAILED(result) : __real_##name arguments;                            \
  }

/* -1, or NULL for a function that returns a pointer */
#define FAILED(result) _Generic((result)0, DIR * : NULL, struct dirent * : NULL, default : -1)

WRAP(DIR *, fdopendir, (int fd), (fd))
WRAP(struct dirent *, readdir, (DIR * dir), (dir))
WRAP(int, chmod, (const char *path, mode_t mode), (path, mode))
WRAP(int, fchmod, (int fd, mode_t mode), (fd, mode))
WRAP(int, flock, (int fd, int operation), (fd, operation))
WRAP(int, fstat, (int fd, struct stat *st), (fd, st))
WRAP(int, fstatat, (int fd, const char *path, struct stat *st, int flags), (fd, path, st, flags))
WRAP(int, linkat, (int from, const char *old, int to, const char *new, int flags),
     (from, old, to, new, flags))
WRAP(int, mkdir, (const char *path, mode_t mode), (path, mode))
WRAP(ssize_t, read, (int fd, void *data, size_t len), (fd, data, len))
WRAP(int, renameat, (int from, const char *old, int to, const char *new), (from, old, to, new))
WRAP(int, unlinkat, (int fd, const char *path, int flags), (fd, path, flags))
WRAP(ssize_t, write, (int fd, const void *data, size_t len),
     (fd, data, len < longest_write ? len : longest_write))

static ino_t synced_inodes[32]; /* in order */
static size_t synced_count;
static int whole_syncs;

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __wrap_fsync(int fd) {
  struct stat st;
  if (fails_now("fsync"))
    return -1;
  if (__real_fstat(fd, &st) == 0 && synced_count < sizeof synced_inodes / sizeof *synced_inodes)
    synced_inodes[synced_count++] = st.st_ino;
  return __real_fsync(fd);
}

void __real_sync(void);
void __wrap_sync(void);
void __wrap_sync(void) {
  whole_syncs++; /* does not sync: on a busy machine that takes long */
}

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...) {
  return fails_now("open") ? -1 : __real_open(path, flags);
}

int __real_openat(int fd, const char *path, int flags, ...);
int __wrap_openat(int fd, const char *path, int flags, ...);
int __wrap_openat(int fd, const char *path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  return fails_now("openat") ? -1 : __real_openat(fd, path, flags, mode);
}

static char root[200];
static char directory[sizeof root + sizeof "/a/b"];
static const struct file_place place = {.directory = directory, .name = "token"};
static struct file_message message;

static bool holds(const char *text) {
  struct buf b;
  buf_init(&b, 1 << 20);
  const bool same = file_read(place, &b, &message) == FILE_DONE && b.len == strlen(text) &&
                    (b.len == 0 || memcmp(b.data, text, b.len) == 0);
  buf_free(&b);
  return same;
}

static enum file_code replace(const char *text) {
  return file_replace(place, text, strlen(text), &message);
}

static bool exists(const char *name) {
  char path[sizeof directory + 32];
  struct stat st;
  snprintf(path, sizeof path, "%s/%s", directory, name);
  return lstat(path, &st) == 0;
}

static void make_empty(const char *name) {
  char path[sizeof directory + 32];
  snprintf(path, sizeof path, "%s/%s", directory, name);
  fclose(fopen(path, "w"));
}

/* Whether a temporary file is in the directory. */
static bool is_left_behind(void) {
  DIR *dir = opendir(directory);
  bool found = false;
  for (const struct dirent *entry; dir && (entry = readdir(dir));)
    found = found || strstr(entry->d_name, ".new");
  if (dir)
    closedir(dir);
  return found;
}

static void remove_all(void) {
  char command[sizeof root + 32];
  snprintf(command, sizeof command, "rm -rf %s/a", root);
  if (system(command) != 0)
    abort();
}

/* Returns the lowest free descriptor: it is higher if a descriptor was left open. */
static int free_descriptor(void) {
  const int fd = dup(STDERR_FILENO);
  close(fd);
  return fd;
}

static enum file_code again(void) {
  return replace("new");
}

static enum file_code afresh(void) {
  remove_all();
  return replace("new");
}

static enum file_code reading(void) {
  struct buf b;
  buf_init(&b, 1 << 20);
  const enum file_code code = file_read(place, &b, &message);
  buf_free(&b);
  return code;
}

static enum file_code removing(void) {
  return file_remove(place, &message);
}

static enum file_code listing(void) {
  struct buf names;
  buf_init(&names, 1 << 20);
  const enum file_code code = file_list(directory, &names, &message);
  buf_free(&names);
  return code;
}

static enum file_code locking(void) {
  struct file_lock lock = FILE_UNLOCKED;
  const enum file_code code = file_lock(place, &lock, &message);
  until_failure = 0; /* file_unlock() cannot report a failure */
  file_unlock(&lock);
  return code;
}

static enum file_code making(void) {
  remove_all();
  return file_make(place, &message);
}

static enum file_code checking(void) {
  return file_check(place, &message);
}

/* A new file beside the other. */
static enum file_code copying(void) {
  const struct file_place copy = {.directory = directory, .name = "copy"};
  char path[sizeof directory + sizeof "/copy"];
  snprintf(path, sizeof path, "%s/copy", directory);
  unlink(path);
  enum file_code code = file_begin(copy, &message);
  if (code == FILE_DONE)
    code = file_publish(copy, &message);
  until_failure = 0; /* file_abandon() cannot report a failure */
  if (code != FILE_DONE)
    file_abandon(copy);
  return code;
}

static const struct file_place page = {.directory = directory, .name = "page"};

/* Replaces a file that other users read. */
static enum file_code publishing(void) {
  if (__real_chmod(directory, 0750) != 0)
    abort();
  const enum file_code code = file_publish_text(page, FILE_FOR_GROUP, "new", 3, &message);
  if (__real_chmod(directory, 0700) != 0)
    abort();
  return code;
}

static bool starts_with_path(void) {
  return strncmp(message.text, directory, strlen(root)) == 0;
}

/* Whether act() has behaved well: it ended with code, as a call has failed. */
static bool is_sound(enum file_code (*act)(void), enum file_code code) {
  if (act == copying && code == FILE_DONE) /* the temporary name stays: the next one removes it */
    return strcmp(failed, "unlinkat") == 0 && exists("copy");
  if ((act == afresh || act == making) && code == FILE_DONE) /* if the parent cannot be opened, it syncs everything */
    return strcmp(failed, "open") == 0 && fail_errno == EACCES && whole_syncs > 0;
  if (code != FILE_REFUSED || !starts_with_path() || !message.remedy[0] ||
      !strstr(message.text, strerror(fail_errno)))
    return false;
  if (act == publishing)
    return !is_left_behind() || !strcmp(failed, "unlinkat");
  if (act == copying)
    return exists("copy") ? strstr(message.text, "synced") != NULL : !exists(".copy.new");
  if (act == afresh || act == making || act == removing)
    return true;
  const bool synced = !strstr(message.text, "synced") || strstr(message.text, "/token could");
  return holds(synced ? "old" : "new") && (!is_left_behind() || !strcmp(failed, "unlinkat"));
}

/* Makes each call of act() fail once with the error. Returns the number of calls; -1 if act() has
 * behaved badly. */
static int each_call_fails(enum file_code (*act)(void), int error) {
  const int descriptor = free_descriptor();
  for (int n = 1;; n++) {
    if (replace("old") != FILE_DONE)
      abort();
    fail_call(n, NULL, error);
    const enum file_code code = act();
    until_failure = 0;
    if (!failed)
      return code == FILE_DONE ? n - 1 : -1;
    if (!is_sound(act, code) || free_descriptor() != descriptor || replace("x") != FILE_DONE) {
      fprintf(stderr, "%s (call %d, %s): %s\n", failed, n, strerror(error), message.text);
      return -1;
    }
  }
}

static void reports_failures(const char *sentence, enum file_code (*act)(void), int at_least) {
  static const int errors[] = {EIO, ENOSPC, EDQUOT, EROFS, EACCES, EPERM};
  for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
    check(each_call_fails(act, errors[i]) >= at_least, sentence);
}

/* On a share, the name of a file that another machine has just replaced leads to the old file. */
static void repeats_what_others_disturb(void) {
  int calls = 0;
  replace("old");
  do {
    fail_call(++calls, NULL, ESTALE);
    check(holds("old"), "a stale file is read again");
  } while (failed);
  check(calls > 5, "whichever call finds it");
  for (calls = 0; calls == 0 || failed;) {
    fail_call(++calls, NULL, ESTALE);
    check(replace(calls % 2 ? "odd" : "even") == FILE_DONE, "a stale file is replaced");
    check(until_failure > 0 || holds(calls % 2 ? "odd" : "even"), "as a whole");
    until_failure = 0;
  }
  fail_call(2, "fstat", ENOENT); /* the first one is of the directory */
  check(reading() == FILE_DONE && failed, "so is one that is gone once it is open");
  fail_call(1, "read", ENOENT);
  check(reading() == FILE_DONE && failed, "or once it is read");
  keeps_failing = true;
  fail_call(1, "openat", ESTALE);
  check(reading() == FILE_REFUSED && strstr(message.remedy, "mount the share again"),
        "it does not try for ever");
  fail_call(1, "openat", EIO);
  check(reading() == FILE_REFUSED && message.error == EIO, "nor after another failure");
  keeps_failing = false;
  until_failure = 0;
}

static void removes_all_that_is_left_behind(void) {
  replace("old");
  make_empty(".token.new");
  make_empty(".token.0123cdef.new");
  make_empty(".token.0123cdef.more.new");
  make_empty(".tokens.0123cdef.new");
  check(file_remove(place, &message) == FILE_DONE && !exists("token") && !exists(".token.new") &&
            !exists(".token.0123cdef.new"),
        "it removes the temporary files of other machines too");
  check(exists(".token.0123cdef.more.new") && exists(".tokens.0123cdef.new"),
        "and none of another file");
  remove_all();
}

/* Closing a descriptor would release the locks that this process has on the file. */
static void makes_without_opening(void) {
  remove_all();
  check(file_check(place, &message) == FILE_ABSENT, "a file that does not exist is absent");
  check(file_make(place, &message) == FILE_DONE && holds(""), "it makes an empty file");
  replace("old");
  fail_call(1, "openat", EIO);
  check(file_make(place, &message) == FILE_DONE && !failed, "it does not open a file that exists");
  check(file_check(place, &message) == FILE_DONE && !failed, "nor to check it");
  until_failure = 0;
  check(holds("old"), "and does not change it");
}

static void copies_without_replacing(void) {
  replace("old");
  check(file_begin(place, &message) == FILE_REFUSED && strstr(message.text, "exists already"),
        "a copy does not begin if the file exists");
  const struct file_place copy = {.directory = directory, .name = "copy"};
  copying();
  file_remove(copy, &message);
  check(file_begin(copy, &message) == FILE_DONE && exists(".copy.new"), "it has a temporary name");
  check(file_replace(copy, "theirs", 6, &message) == FILE_DONE, "another process is faster");
  file_begin(copy, &message);
  char name[NAME_MAX + 1];
  file_name_new(copy, name);
  check(strcmp(name, ".copy.new") == 0, "the temporary name is known");
  check(file_publish(copy, &message) == FILE_REFUSED, "then it is not published");
  file_abandon(copy);
  check(!exists(".copy.new") && exists("copy"), "and leaves nothing");
  file_remove(copy, &message);
}

static void publishes_for_a_group(void) {
  char path[sizeof directory + sizeof "/page"];
  struct stat st;
  struct file_state before;
  struct file_state after;
  snprintf(path, sizeof path, "%s/page", directory);
  const mode_t mask = umask(0777);
  check(publishing() == FILE_DONE && stat(path, &st) == 0 && (st.st_mode & 07777) == 0640,
        "a published file has mode 0640");
  umask(mask);
  check(file_state(path, &before) == 0 && before.kind == 'f' && before.size == 3,
        "it can be examined");
  check(publishing() == FILE_DONE && file_state(path, &after) == 0 &&
            strcmp(before.stamp, after.stamp) != 0,
        "a new one has another stamp");
  fail_call(1, "write", EACCES);
  check(publishing() == FILE_REFUSED && !strstr(message.remedy, "chmod"),
        "its directory is not made private");
  file_remove(page, &message);
  unlink(path);
  check(file_state(path, &after) == ENOENT, "a missing file has no state");
}

static bool was_synced(const char *path) {
  struct stat st;
  if (stat(path, &st) != 0)
    return false;
  for (size_t i = 0; i < synced_count; i++)
    if (synced_inodes[i] == st.st_ino)
      return true;
  return false;
}

/* After the machine stops, a file exists only if all names of its path are on the disk. */
static void syncs_what_it_makes(void) {
  char parent[sizeof directory];
  snprintf(parent, sizeof parent, "%s/a", root);
  remove_all();
  synced_count = 0;
  check(replace("old") == FILE_DONE, "it creates a directory in a new directory");
  check(was_synced(directory) && was_synced(parent) && was_synced(root),
        "and syncs the parent of each new directory");
  synced_count = 0;
  check(replace("new") == FILE_DONE && !was_synced(parent) && !was_synced(root),
        "it syncs no parent if it creates no directory");
  remove_all();
  synced_count = 0;
  check(locking() == FILE_DONE && was_synced(root) && was_synced(parent),
        "taking a lock does the same");
  if (chdir(root) != 0)
    abort();
  remove_all();
  synced_count = 0;
  const struct file_place near = {.directory = "a", .name = "token"};
  check(file_replace(near, "x", 1, &message) == FILE_DONE && was_synced("."),
        "so does a relative path");
  if (chdir("/") != 0)
    abort();
}

static void names_the_remedy(void) {
  static const struct {
    int error;
    const char *remedy;
  } remedies[] = {{ENOSPC, "Free space"},  {EDQUOT, "quota"},   {EFBIG, "ulimit -f"},
                  {EROFS, "Set {store}"},  {EPERM, "{store}"},  {EACCES, "Run: chmod 700 "},
                  {ENOTDIR, "{store}"},    {EIO, "Check that disk"},
                  {ENOTCONN, "the share again"}, {ETIMEDOUT, "the share again"}};
  for (size_t i = 0; i < sizeof remedies / sizeof *remedies; i++) {
    fail_call(1, "write", remedies[i].error);
    check(replace("new") == FILE_REFUSED && failed, "a failed write is reported");
    check(strstr(message.remedy, remedies[i].remedy) != NULL, "the message names the remedy");
  }
  fail_call(1, "open", EACCES);
  check(reading() == FILE_REFUSED && strstr(message.remedy, "the server of that share"),
        "so does that of a share whose server is away");
  fail_call(1, "flock", ENOLCK);
  check(locking() == FILE_REFUSED && strstr(message.remedy, "has no locks for this machine"),
        "so does that of a share without locks");
}

static void survives_interrupts(void) {
  replace("old");
  longest_write = 1;
  check(replace("in pieces") == FILE_DONE && holds("in pieces"),
        "it continues after a short write");
  longest_write = (size_t)-1;
  fail_call(1, "write", EINTR);
  check(replace("new") == FILE_DONE && failed && holds("new"),
        "a signal does not interrupt a write");
  fail_call(1, "read", EINTR);
  check(holds("new") && failed, "or a read");
  fail_call(1, "flock", EINTR);
  check(locking() == FILE_DONE && failed, "or taking a lock");
  fail_call(2, "fsync", EINVAL);
  check(replace("newer") == FILE_DONE && failed,
        "a file system without sync for directories is accepted");
}

static void survives_lack_of_memory(void) {
  struct buf b;
  buf_init(&b, 1 << 20);
  replace("old");
  const int descriptor = free_descriptor();
  fail_alloc_at(1);
  check(file_read(place, &b, &message) == FILE_NO_MEMORY, "it reports lack of memory");
  check(free_descriptor() == descriptor, "and leaves no descriptor open");
  buf_free(&b);
}

static void lists_within_its_limit(void) {
  struct buf names;
  remove_all();
  buf_init(&names, sizeof "token");
  check(file_list(directory, &names, &message) == FILE_DONE && names.len == 0,
        "a missing directory has no names");
  replace("old");
  locking(); /* leaves the file of the lock */
  check(file_list(directory, &names, &message) == FILE_DONE && names.len == sizeof "token" &&
            memcmp(names.data, "token", sizeof "token") == 0,
        "it lists files, and not the lock");
  buf_free(&names);
  buf_init(&names, sizeof "token" - 1);
  check(file_list(directory, &names, &message) == FILE_REFUSED && starts_with_path() &&
            strstr(message.text, "too many files"),
        "it refuses too many names");
  buf_free(&names);
}

static void lists_without_memory(void) {
  const int descriptor = free_descriptor();
  fail_alloc_at(1);
  check(listing() == FILE_NO_MEMORY, "it reports lack of memory for the names");
  fail_call(1, "fdopendir", ENOMEM);
  check(listing() == FILE_NO_MEMORY && failed, "also if the system has none");
  check(free_descriptor() == descriptor, "and leaves no descriptor open");
}

static void keeps_the_lock_of_a_parent(void) {
  struct file_lock lock = FILE_UNLOCKED;
  struct file_lock other = FILE_UNLOCKED;
  check(file_lock(place, &lock, &message) == FILE_DONE, "it takes a lock");
  const pid_t child = fork();
  if (child == 0) {
    file_unlock(&lock);
    _exit(0);
  }
  waitpid(child, NULL, 0);
  check(file_lock(place, &other, &message) == FILE_LOCKED,
        "a forked child cannot release the lock of its parent");
  file_unlock(&lock);
  check(file_lock(place, &other, &message) == FILE_DONE, "its holder can");
  file_unlock(&other);
  file_unlock(&other);
  file_unlock(&lock);
}

/* A forked child has a copy of the descriptor. */
static void releases_a_lock_that_a_child_has(void) {
  struct file_lock lock = FILE_UNLOCKED;
  struct file_lock other = FILE_UNLOCKED;
  file_lock(place, &lock, &message);
  const pid_t child = fork();
  if (child == 0) {
    pause();
    _exit(0);
  }
  file_unlock(&lock);
  check(file_lock(place, &other, &message) == FILE_DONE, "a forked child does not keep the lock");
  file_unlock(&other);
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
}

static void knows_names(void) {
  char longest[260];
  memset(longest, 'n', sizeof longest);
  check(file_is_name("default", 7) && file_is_name("..x", 3), "it accepts a name");
  check(!file_is_name("", 0) && !file_is_name(".", 1) && !file_is_name("..", 2),
        "it refuses a directory");
  check(!file_is_name("a/b", 3) && !file_is_name("/", 1), "it refuses a path");
  check(!file_is_name("a\0b", 3), "it refuses a zero byte");
  longest[241] = '\0';
  check(file_is_name(longest, 241),
        "it accepts the longest name that leaves room for a temporary name");
  const struct file_place far = {.directory = directory, .name = longest};
  struct file_lock lock = FILE_UNLOCKED;
  check(file_lock(far, &lock, &message) == FILE_DONE, "and can take its lock");
  file_unlock(&lock);
  longest[241] = 'n';
  longest[242] = '\0';
  check(!file_is_name(longest, 242), "it refuses a longer name");
}

static void refuses_a_path_that_is_too_long(void) {
  char path[PATH_MAX + 2];
  memset(path, '/', sizeof path);
  path[sizeof path - 1] = '\0';
  const struct file_place far = {.directory = path, .name = "token"};
  path[1] = 'a';
  path[sizeof path - 2] = 'a';
  check(file_remove(far, &message) == FILE_REFUSED && strstr(message.text, "too long"),
        "it refuses a path that is too long for the system");
  memset(path + 1, '/', sizeof path - 2);
  check(file_remove(far, &message) != FILE_DONE && !strstr(message.text, "too long"),
        "slashes at the end do not count");
}

int main(void) {
  check_folder(root, sizeof root);
  if (!mkdtemp(root))
    return 2;
  snprintf(directory, sizeof directory, "%s/a/b", root);
  reports_failures("replacing a file reports each failure", again, 10);
  reports_failures("creating its directory reports each failure", afresh, 18);
  reports_failures("reading a file reports each failure", reading, 6);
  reports_failures("removing a file reports each failure", removing, 5);
  reports_failures("taking a lock reports each failure", locking, 6);
  reports_failures("listing a directory reports each failure", listing, 4);
  reports_failures("making an empty file reports each failure", making, 14);
  reports_failures("checking a file reports each failure", checking, 3);
  reports_failures("making a copy reports each failure", copying, 12);
  reports_failures("publishing a file reports each failure", publishing, 9);
  repeats_what_others_disturb();
  removes_all_that_is_left_behind();
  makes_without_opening();
  publishes_for_a_group();
  copies_without_replacing();
  syncs_what_it_makes();
  names_the_remedy();
  survives_interrupts();
  survives_lack_of_memory();
  lists_within_its_limit();
  lists_without_memory();
  keeps_the_lock_of_a_parent();
  releases_a_lock_that_a_child_has();
  knows_names();
  refuses_a_path_that_is_too_long();
  remove_all();
  rmdir(root);
  return check_result("file");
}
