#include "file.h"
#include "platform.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define DIRECTORY_MODE 0700
#define FILE_MODE 0600
#define GROUP_MODE 0640
#define PUBLIC_MODE 0644
#define OTHERS 0077 /* mode bits of other users */
#define SHARED 0022 /* those that let them write */
#define ENTER 0011  /* those that let them enter a directory */
#define LOCK_NAME ".%s.lock"
#define NEW_NAME ".%s.new"
#define NEW_NAME_HERE ".%s.%08lx.new" /* with the hash of this machine's name */
#define LONGEST_AFFIX (sizeof "..01234567.new" - 1)
#define ATTEMPTS 10    /* at a file that other machines replace meanwhile */
#define PAUSE 2000000L /* nanoseconds before the second, twice as long before the third, ... */

/* A place while it is in use. Once dir is open and open_site() has returned FILE_DONE, its
 * directory is known to be private. */
struct site {
  int dir; /* -1: not open */
  const char *name;
  char directory[PATH_MAX];
  char path[PATH_MAX + NAME_MAX + 1]; /* of the file, for messages */
  mode_t published;                   /* mode of a new file for others; 0: it is private */
  gid_t group;                        /* of the directory, if published */
  struct file_message *message;
};

static bool ends_with(const char *name, const char *end) {
  const size_t len = strlen(name);
  const size_t end_len = strlen(end);
  return len > end_len && strcmp(name + len - end_len, end) == 0;
}

/* Whether the name is that of a lock or of a temporary file, or "." or "..". */
static bool is_reserved(const char *name) {
  return strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
         (name[0] == '.' && (ends_with(name, ".lock") || ends_with(name, ".new")));
}

bool file_is_name(const char *name, size_t len) {
  return len > 0 && len <= NAME_MAX - LONGEST_AFFIX && strlen(name) == len && !strchr(name, '/') &&
         !is_reserved(name);
}

static enum file_code refuse(const struct site *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void advise(const struct site *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Sets the message of a site. Returns FILE_REFUSED. */
static enum file_code refuse(const struct site *s, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(s->message->text, sizeof s->message->text, format, arguments);
  va_end(arguments);
  s->message->error = 0;
  return FILE_REFUSED;
}

/* Sets the remedy of a site. */
static void advise(const struct site *s, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(s->message->remedy, sizeof s->message->remedy, format, arguments);
  va_end(arguments);
}

#define TO_OWN " {store} to a directory of your own"
#define PLAIN "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=@%:,./"

/* Returns the quotation mark for a path in a command of the shell. */
static const char *quote_for(const char *path) {
  return path[strspn(path, PLAIN)] == '\0' ? "" : "'";
}

static void advise_mode(const struct site *s, const char *path, unsigned mode) {
  const char *quote = quote_for(path);
  advise(s, "Run: chmod %o %s%s%s", mode, quote, path, quote);
}

static const char *remedy_for(int error) {
  switch (error) {
  case ENOTCONN:
  case ESTALE:
  case ETIMEDOUT:
  case EHOSTDOWN:
  case EHOSTUNREACH:
  case ECONNABORTED:
    return "Check the server of that share and the network; if both work, mount the share again";
  case EIO:
    return "Check that disk; or, of a share, its server and the network";
  case ENOLCK:
  case ENOSYS:
  case EOPNOTSUPP:
    return "That share has no locks for this machine: mount it as NFS 4, or set" TO_OWN;
  case ENOSPC:
    return "Free space on that disk";
  case EDQUOT:
    return "Free space there, or raise the quota";
  case EFBIG:
    return "Raise the limit on file sizes (ulimit -f)";
  case EROFS:
    return "Set {store} to a directory that can be written";
  case EACCES:
  case EPERM:
    return "Grant this user the permission, or set" TO_OWN;
  case ENOTDIR:
    return "A part of that path is a file: set" TO_OWN;
  default:
    return "Check that path, or set" TO_OWN;
  }
}

/* Sets the message that path could not be opened, written, …; error is an errno. */
static enum file_code fail(const struct site *s, const char *path, const char *done, int error) {
  /* in a directory that belongs to the user, the cause is its mode */
  if (error == EACCES && s->dir >= 0 && !s->published)
    advise_mode(s, s->directory, DIRECTORY_MODE);
  else
    advise(s, "%s", remedy_for(error));
  refuse(s, "%s could not be %s: %s", path, done, strerror(error));
  s->message->error = error;
  return FILE_REFUSED;
}

/* A directory may be one of the system, so the remedy is not to change its owner. */
static void advise_owner(const struct site *s, const struct stat *st) {
  const unsigned long owner = st->st_uid;
  const char *quote = quote_for(s->path);
  if (S_ISREG(st->st_mode) && geteuid() != 0)
    advise(s, "Run as root: chown %lu %s%s%s", (unsigned long)geteuid(), quote, s->path, quote);
  else
    advise(s, "Run pcapi as user %lu, or set" TO_OWN, owner);
}

/* Whether a path is a directory such as /tmp, /etc or /var. */
static bool is_of_system(const char *path, const struct stat *st) {
  const bool is_top = strrchr(path, '/') == path;
  return st->st_mode & S_ISVTX || (is_top && S_ISDIR(st->st_mode) && st->st_mode & OTHERS);
}

/* Refuses a path that is not the user's own alone. mode: the mode that the remedy suggests. */
static enum file_code check_private(const struct site *s, const char *path, const struct stat *st,
                                    unsigned mode) {
  if (is_of_system(path, st)) { /* the remedy must not be to change its mode */
    advise(s, "Set" TO_OWN);
    return refuse(s, "%s is shared by all users", path);
  }
  if (st->st_uid != geteuid()) {
    advise_owner(s, st);
    return refuse(s, "%s belongs to another user (%lu)", path, (unsigned long)st->st_uid);
  }
  if (st->st_mode & OTHERS) {
    advise_mode(s, path, mode);
    return refuse(s, "%s is open to other users (mode %04o)", path, (unsigned)st->st_mode & 07777);
  }
  return FILE_DONE;
}

/* Refuses a directory in which another user can replace files. */
static enum file_code check_unshared(const struct site *s, const struct stat *st) {
  if (st->st_mode & SHARED || (st->st_uid != geteuid() && st->st_uid != 0)) {
    advise(s, "Choose a directory that no other user can write to");
    return refuse(s, "other users can write to %s (mode %04o)", s->directory,
                  (unsigned)st->st_mode & 07777);
  }
  return FILE_DONE;
}

static enum file_code refuse_file(const struct site *s, const char *problem) {
  advise(s, "Remove %s", s->path);
  return refuse(s, "%s %s", s->path, problem);
}

static enum file_code check_kind(const struct site *s, const struct stat *st) {
  if (S_ISLNK(st->st_mode))
    return refuse_file(s, "is a symbolic link, which is not followed");
  return S_ISREG(st->st_mode) ? FILE_DONE : refuse_file(s, "is not a regular file");
}

static enum file_code check_file(const struct site *s, const struct stat *st) {
  const enum file_code code = check_kind(s, st);
  return code == FILE_DONE ? check_private(s, s->path, st, FILE_MODE) : code;
}

static enum file_code set_paths(struct site *s, struct file_place place) {
  size_t len = strlen(place.directory);
  while (len > 1 && place.directory[len - 1] == '/') /* with a slash a link would be followed */
    len--;
  if (len >= sizeof s->directory) {
    advise(s, "Set {store} to a shorter path");
    return refuse(s, "the path %.40s... is too long for this system", place.directory);
  }
  memcpy(s->directory, place.directory, len);
  s->directory[len] = '\0';
  snprintf(s->path, sizeof s->path, "%s/%s", s->directory, place.name);
  return FILE_DONE;
}

/* NFS reports EACCES, too, if the server does not respond. */
static enum file_code fail_open_directory(const struct site *s, int error) {
  struct stat st;
  if (error == ENOENT)
    return FILE_ABSENT;
  const bool is_known = lstat(s->directory, &st) == 0;
  /* for a link, Linux reports ENOTDIR, other systems ELOOP */
  if (is_known && S_ISLNK(st.st_mode)) {
    advise(s, "Set {store} to the directory that it leads to");
    return refuse(s, "%s is a symbolic link, which is not followed", s->directory);
  }
  fail(s, s->directory, "opened", error);
  if (error == EACCES && is_known && st.st_uid == geteuid() && (st.st_mode & 0500) == 0500)
    advise(s, "Its mode permits it. Check the server of that share and the network; or, on a disk, "
              "the policy of this system");
  return FILE_REFUSED;
}

static void close_site(struct site *s) {
  if (s->dir >= 0)
    close(s->dir);
  s->dir = -1;
}

/* Opens the directory. Sets *st. The caller calls close_site() in any case. */
static enum file_code open_directory(struct site *s, struct file_place place, struct stat *st,
                                     struct file_message *message) {
  memset(st, 0, sizeof *st);
  s->dir = -1;
  s->published = 0;
  s->name = place.name;
  s->message = message;
  enum file_code code = set_paths(s, place);
  if (code != FILE_DONE)
    return code;
  s->dir = open(s->directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (s->dir < 0)
    return fail_open_directory(s, errno);
  return fstat(s->dir, st) == 0 ? FILE_DONE : fail(s, s->directory, "examined", errno);
}

/* Like open_directory(), but a directory that is missing is a failure. */
static enum file_code open_existing(struct site *s, struct file_place place, struct stat *st,
                                    struct file_message *message) {
  const enum file_code code = open_directory(s, place, st, message);
  return code == FILE_ABSENT ? fail(s, s->directory, "opened", ENOENT) : code;
}

/* Opens the directory and checks that it is private. The caller calls close_site() in any case. */
static enum file_code open_site(struct site *s, struct file_place place,
                                struct file_message *message) {
  struct stat st;
  const enum file_code code = open_directory(s, place, &st, message);
  return code == FILE_DONE ? check_private(s, s->directory, &st, DIRECTORY_MODE) : code;
}

/* Syncs an open directory. EINVAL comes from a file system that does not support it, and does not
 * need it. */
static bool sync_open(int dir) {
  return platform_sync(dir) == 0 || errno == EINVAL;
}

/* Opens the directory above path. Leaves path unchanged. */
static int open_parent(char *path) {
  const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
  char *slash = strrchr(path, '/');
  if (!slash || slash == path)
    return open(slash ? "/" : ".", flags);
  *slash = '\0';
  const int dir = open(path, flags);
  *slash = '/';
  return dir;
}

/* Syncs the directory above a new directory, so that its name is on the disk. If that directory is
 * not readable there is no descriptor to sync: then the whole system is synced. */
static bool sync_parent(char *path) {
  const int dir = open_parent(path);
  if (dir < 0 && errno == EACCES) {
    sync();
    return true;
  }
  if (dir < 0)
    return false;
  const bool synced = sync_open(dir);
  const int error = errno;
  close(dir);
  errno = error;
  return synced;
}

/* Creates one directory. Sets its mode again, as a umask may have removed the user's own bits. */
static bool make_one(char *path) {
  if (mkdir(path, DIRECTORY_MODE) == 0)
    return chmod(path, DIRECTORY_MODE) == 0 && sync_parent(path);
  return errno == EEXIST;
}

/* Creates a directory and those above it, all of them private, as the XDG Base Directory
 * Specification requires, and syncs them to the disk. Leaves path unchanged. False: errno says
 * why. */
static bool make_all(char *path) {
  if (make_one(path))
    return true;
  char *slash = strrchr(path, '/');
  if (errno != ENOENT || !slash || slash == path)
    return false;
  *slash = '\0';
  const bool made = make_all(path);
  *slash = '/';
  return made && make_one(path);
}

/* Like open_site(), but creates the directory if it does not exist. */
static enum file_code make_site(struct site *s, struct file_place place,
                                struct file_message *message) {
  enum file_code code = open_site(s, place, message);
  if (code != FILE_ABSENT)
    return code;
  if (!make_all(s->directory))
    return fail(s, s->directory, "created", errno);
  code = open_site(s, place, message);
  return code == FILE_ABSENT ? fail(s, s->directory, "opened", ENOENT) : code;
}

/* Checks the file without opening it. */
static enum file_code check_name(const struct site *s) {
  struct stat st;
  if (fstatat(s->dir, s->name, &st, AT_SYMLINK_NOFOLLOW) == 0)
    return check_file(s, &st);
  return errno == ENOENT ? FILE_ABSENT : fail(s, s->path, "examined", errno);
}

static enum file_code fail_open_file(const struct site *s, int error) {
  if (error == ENOENT)
    return FILE_ABSENT;
  const enum file_code code = check_name(s);
  if (code == FILE_REFUSED)
    return code;
  const enum file_code failed = fail(s, s->path, "opened", error);
  if (code == FILE_DONE && error == EACCES)
    advise_mode(s, s->path, FILE_MODE);
  return failed;
}

/* Opens the file and checks that it is private. With FILE_DONE the caller closes *fd. */
static enum file_code open_file(const struct site *s, int flags, int *fd) {
  struct stat st;
  /* O_NONBLOCK: open() must not wait for a FIFO, which check_file() refuses */
  *fd = openat(s->dir, s->name, flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, FILE_MODE);
  if (*fd < 0)
    return fail_open_file(s, errno);
  const enum file_code code =
      fstat(*fd, &st) == 0 ? check_file(s, &st) : fail(s, s->path, "examined", errno);
  if (code != FILE_DONE)
    close(*fd);
  return code;
}

static enum file_code read_all(const struct site *s, int fd, struct buf *text) {
  char block[4096];
  ssize_t n;
  while ((n = read(fd, block, sizeof block)) != 0) {
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return fail(s, s->path, "read", errno);
    const enum buf_code code = buf_append(text, block, (size_t)n);
    if (code == BUF_NO_MEMORY)
      return FILE_NO_MEMORY;
    if (code == BUF_TOO_LARGE)
      return refuse_file(s, "is too large to be a file of pcapi");
  }
  return FILE_DONE;
}

/* Whether to repeat an act that has failed since another machine replaced the file: on a share, a
 * name leads to the old file for a moment, and the old file is gone. Pauses before. */
static bool is_to_repeat(enum file_code code, const struct file_message *message, int attempt) {
  if (code != FILE_REFUSED || (message->error != ESTALE && message->error != ENOENT) ||
      attempt >= ATTEMPTS)
    return false;
  nanosleep(&(struct timespec){.tv_nsec = PAUSE * attempt}, NULL);
  return true;
}

static enum file_code read_once(struct file_place place, struct buf *text,
                                struct file_message *message) {
  struct site s;
  int fd = -1;
  enum file_code code = open_site(&s, place, message);
  if (code == FILE_DONE)
    code = open_file(&s, O_RDONLY, &fd);
  if (code == FILE_DONE) {
    code = read_all(&s, fd, text);
    close(fd);
  }
  close_site(&s);
  return code;
}

enum file_code file_read(struct file_place place, struct buf *text, struct file_message *message) {
  const size_t len = text->len;
  enum file_code code;
  int attempt = 0;
  do {
    text->len = len;
    code = read_once(place, text, message);
  } while (is_to_repeat(code, message, ++attempt));
  return code;
}

static bool write_all(int fd, const char *text, size_t len) {
  while (len > 0) {
    const ssize_t n = write(fd, text, len);
    if (n < 0 && errno != EINTR)
      return false;
    if (n > 0) {
      text += n;
      len -= (size_t)n;
    }
  }
  return true;
}

/* Sets the mode of a new file: a umask may have removed the user's own bits. The group is that of
 * the directory, if this process may set it. */
static bool set_access(const struct site *s, int fd) {
  if (!s->published)
    return fchmod(fd, FILE_MODE) == 0;
  if (fchown(fd, (uid_t)-1, s->group) != 0 && errno != EPERM)
    return false;
  return fchmod(fd, s->published) == 0;
}

/* Writes the text to a new file of that name and syncs it to the disk. */
static enum file_code write_new(const struct site *s, const char *name, const char *text,
                                size_t len) {
  if (unlinkat(s->dir, name, 0) != 0 && errno != ENOENT)
    return fail(s, s->path, "written", errno);
  const int fd =
      openat(s->dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, FILE_MODE);
  if (fd < 0)
    return fail(s, s->path, "written", errno);
  const char *failed = !set_access(s, fd) || !write_all(fd, text, len) ? "written"
                       : platform_sync(fd) != 0                        ? "synced to the disk"
                                                                       : NULL;
  const int error = errno;
  close(fd); /* after that its result adds nothing */
  return failed ? fail(s, s->path, failed, error) : FILE_DONE;
}

static enum file_code sync_directory(const struct site *s) {
  if (!sync_open(s->dir))
    return fail(s, s->directory, "synced to the disk", errno);
  return FILE_DONE;
}

/* Writes the name of a temporary file that no other machine uses: where a share has no locks, two
 * machines may write at once, and the text of neither must become a part of the other's. */
static void name_here(const char *of, char name[NAME_MAX + 1]) {
  char host[256] = "";
  uint32_t hash = 2166136261u; /* FNV-1a */
  gethostname(host, sizeof host - 1);
  for (const char *at = host; *at; at++)
    hash = (hash ^ (unsigned char)*at) * 16777619u;
  snprintf(name, NAME_MAX + 1, NEW_NAME_HERE, of, (unsigned long)hash);
}

/* Replaces the file of an open site, which was checked: renameat() would replace anything. */
static enum file_code replace(const struct site *s, const char *text, size_t len) {
  char name[NAME_MAX + 1];
  name_here(s->name, name);
  enum file_code code = write_new(s, name, text, len);
  if (code == FILE_DONE && renameat(s->dir, name, s->dir, s->name) != 0)
    code = fail(s, s->path, "put in place", errno);
  if (code == FILE_DONE)
    return sync_directory(s);
  unlinkat(s->dir, name, 0);
  return code;
}

static enum file_code replace_once(struct file_place place, const char *text, size_t len,
                                   struct file_message *message) {
  struct site s;
  enum file_code code = make_site(&s, place, message);
  if (code == FILE_DONE)
    code = check_name(&s);
  if (code == FILE_DONE || code == FILE_ABSENT)
    code = replace(&s, text, len);
  close_site(&s);
  return code;
}

enum file_code file_replace(struct file_place place, const char *text, size_t len,
                            struct file_message *message) {
  enum file_code code;
  int attempt = 0;
  do
    code = replace_once(place, text, len, message);
  while (is_to_repeat(code, message, ++attempt));
  return code;
}

/* Refuses a directory that is for this user alone, such as one of private files. */
static enum file_code check_enterable(const struct site *s, const struct stat *st) {
  if (st->st_mode & ENTER)
    return FILE_DONE;
  advise(s, "Choose a directory with mode 0750 and the group of the users who read the file");
  return refuse(s, "no other user can enter %s (mode %04o)", s->directory,
                (unsigned)st->st_mode & 07777);
}

/* Refuses to replace anything but a regular file. */
static enum file_code check_replaceable(const struct site *s) {
  struct stat st;
  if (fstatat(s->dir, s->name, &st, AT_SYMLINK_NOFOLLOW) != 0)
    return errno == ENOENT ? FILE_DONE : fail(s, s->path, "examined", errno);
  return check_kind(s, &st);
}

enum file_code file_publish_text(struct file_place place, enum file_readers readers,
                                 const char *text, size_t len, struct file_message *message) {
  struct site s;
  struct stat st;
  enum file_code code = open_existing(&s, place, &st, message);
  s.published = readers == FILE_FOR_ALL ? PUBLIC_MODE : GROUP_MODE;
  s.group = st.st_gid;
  if (code == FILE_DONE && readers == FILE_FOR_GROUP)
    code = check_unshared(&s, &st);
  if (code == FILE_DONE)
    code = check_enterable(&s, &st);
  if (code == FILE_DONE)
    code = check_replaceable(&s);
  if (code == FILE_DONE)
    code = replace(&s, text, len);
  close_site(&s);
  return code;
}

int file_state(const char *path, struct file_state *state) {
  struct stat st;
  if (stat(path, &st) != 0)
    return errno;
  state->kind = S_ISREG(st.st_mode) ? 'f' : S_ISDIR(st.st_mode) ? 'd' : 'o';
  state->size = (unsigned long long)st.st_size;
  snprintf(state->id, sizeof state->id, "%llu:%llu", (unsigned long long)st.st_dev,
           (unsigned long long)st.st_ino);
  snprintf(state->stamp, sizeof state->stamp, "%s:%llu:%lld.%09ld", state->id, state->size,
           (long long)st.PLATFORM_MTIM.tv_sec, (long)st.PLATFORM_MTIM.tv_nsec);
  return 0;
}

/* Creates an empty file and syncs its name to the disk. FILE_LOCKED: it exists by now. */
static enum file_code create(const struct site *s, const char *name) {
  const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  const int fd = openat(s->dir, name, flags, FILE_MODE);
  if (fd < 0)
    return errno == EEXIST ? FILE_LOCKED : fail(s, s->path, "created", errno);
  const int error = fchmod(fd, FILE_MODE) == 0 ? 0 : errno; /* as in write_new() */
  close(fd);
  return error ? fail(s, s->path, "created", error) : sync_directory(s);
}

enum file_code file_make(struct file_place place, struct file_message *message) {
  struct site s;
  enum file_code code = make_site(&s, place, message);
  if (code == FILE_DONE)
    code = check_name(&s);
  if (code == FILE_ABSENT)
    code = create(&s, s.name);
  if (code == FILE_LOCKED) /* another process was faster */
    code = check_name(&s);
  if (code == FILE_ABSENT)
    code = fail(&s, s.path, "created", ENOENT);
  close_site(&s);
  return code;
}

enum file_code file_check(struct file_place place, struct file_message *message) {
  struct site s;
  enum file_code code = open_site(&s, place, message);
  if (code == FILE_DONE)
    code = check_name(&s);
  close_site(&s);
  return code;
}

void file_name_new(struct file_place place, char name[NAME_MAX + 1]) {
  snprintf(name, NAME_MAX + 1, NEW_NAME, place.name);
}

static enum file_code refuse_existing(const struct site *s) {
  advise(s, "Choose a new name, or remove that file");
  return refuse(s, "%s exists already", s->path);
}

/* Refuses a name that anything has. */
static enum file_code check_free(const struct site *s) {
  struct stat st;
  if (fstatat(s->dir, s->name, &st, AT_SYMLINK_NOFOLLOW) == 0)
    return refuse_existing(s);
  return errno == ENOENT ? FILE_DONE : fail(s, s->path, "examined", errno);
}

enum file_code file_begin(struct file_place place, struct file_message *message) {
  struct site s;
  struct stat st;
  char name[NAME_MAX + 1];
  file_name_new(place, name);
  enum file_code code = open_existing(&s, place, &st, message);
  if (code == FILE_DONE)
    code = check_unshared(&s, &st);
  if (code == FILE_DONE)
    code = check_free(&s);
  if (code == FILE_DONE && unlinkat(s.dir, name, 0) != 0 && errno != ENOENT)
    code = fail(&s, s.path, "written", errno);
  if (code == FILE_DONE)
    code = create(&s, name);
  if (code == FILE_LOCKED)
    code = fail(&s, s.path, "written", EEXIST);
  close_site(&s);
  return code;
}

/* Syncs a file of an open site to the disk. Returns 0 or an errno. */
static int sync_name(const struct site *s, const char *name) {
  const int fd = openat(s->dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0)
    return errno;
  const int error = platform_sync(fd) == 0 ? 0 : errno;
  close(fd);
  return error;
}

enum file_code file_publish(struct file_place place, struct file_message *message) {
  struct site s;
  struct stat st;
  char name[NAME_MAX + 1];
  file_name_new(place, name);
  enum file_code code = open_existing(&s, place, &st, message);
  const int error = code == FILE_DONE ? sync_name(&s, name) : 0;
  if (error)
    code = fail(&s, s.path, "synced to the disk", error);
  /* a hard link: unlike rename(2), it never replaces a file */
  if (code == FILE_DONE && linkat(s.dir, name, s.dir, s.name, 0) != 0)
    code = errno == EEXIST ? refuse_existing(&s) : fail(&s, s.path, "put in place", errno);
  if (code == FILE_DONE)
    unlinkat(s.dir, name, 0); /* if it stays, the next file_begin() removes it */
  if (code == FILE_DONE)
    code = sync_directory(&s);
  close_site(&s);
  return code;
}

void file_abandon(struct file_place place) {
  struct site s;
  struct stat st;
  struct file_message ignored;
  char name[NAME_MAX + 1];
  file_name_new(place, name);
  if (open_directory(&s, place, &st, &ignored) == FILE_DONE)
    unlinkat(s.dir, name, 0);
  close_site(&s);
}

static enum file_code remove_name(const struct site *s, const char *name) {
  if (unlinkat(s->dir, name, 0) == 0 || errno == ENOENT)
    return FILE_DONE;
  const int error = errno;
  struct stat st;
  if (fstatat(s->dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode))
    return check_file(s, &st);
  return fail(s, s->path, "removed", error);
}

/* Whether name is a temporary file of the site's file, of any machine. */
static bool is_new(const struct site *s, const char *name) {
  const size_t len = strlen(s->name);
  if (name[0] != '.' || strncmp(name + 1, s->name, len) != 0)
    return false;
  const char *end = name + 1 + len;
  return strcmp(end, ".new") == 0 ||
         (strlen(end) == LONGEST_AFFIX - 1 && end[0] == '.' && ends_with(end, ".new") &&
          strspn(end + 1, "0123456789abcdef") == 8);
}

/* Calls act() with each name in the directory, until it fails. */
static enum file_code each_name(const struct site *s,
                                enum file_code (*act)(const struct site *s, const char *name,
                                                      struct buf *names),
                                struct buf *names) {
  const int fd = openat(s->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *dir = fd < 0 ? NULL : fdopendir(fd);
  enum file_code code = FILE_DONE;
  if (!dir)
    code = errno == ENOMEM ? FILE_NO_MEMORY : fail(s, s->directory, "read", errno);
  if (!dir && fd >= 0)
    close(fd);
  while (dir && code == FILE_DONE) {
    errno = 0; /* readdir() does not set it at the end of the directory */
    const struct dirent *entry = readdir(dir);
    if (!entry && errno != 0)
      code = fail(s, s->directory, "read", errno);
    if (!entry)
      break;
    code = act(s, entry->d_name, names);
  }
  if (dir)
    closedir(dir);
  return code;
}

/* Removes a temporary file that a killed process left behind. */
static enum file_code remove_new(const struct site *s, const char *name, struct buf *names) {
  (void)names;
  return is_new(s, name) ? remove_name(s, name) : FILE_DONE;
}

enum file_code file_remove(struct file_place place, struct file_message *message) {
  struct site s;
  enum file_code code = open_site(&s, place, message);
  if (code == FILE_DONE)
    code = remove_name(&s, place.name);
  if (code == FILE_DONE)
    code = each_name(&s, remove_new, NULL);
  if (code == FILE_DONE)
    code = sync_directory(&s);
  close_site(&s);
  return code == FILE_ABSENT ? FILE_DONE : code;
}

static enum file_code add_name(const struct site *s, const char *name, struct buf *names) {
  if (is_reserved(name))
    return FILE_DONE;
  switch (buf_append(names, name, strlen(name) + 1)) {
  case BUF_NO_MEMORY:
    return FILE_NO_MEMORY;
  case BUF_TOO_LARGE:
    advise(s, "Move the files away that are not pcapi's");
    return refuse(s, "%s holds too many files (more than %zu bytes of names)", s->directory,
                  names->max);
  default:
    return FILE_DONE;
  }
}

enum file_code file_list(const char *directory, struct buf *names, struct file_message *message) {
  struct site s;
  enum file_code code =
      open_site(&s, (struct file_place){.directory = directory, .name = ""}, message);
  if (code == FILE_DONE)
    code = each_name(&s, add_name, names);
  close_site(&s);
  return code == FILE_ABSENT ? FILE_DONE : code;
}

/* Locks an open file. */
static enum file_code take(const struct site *s, int fd) {
  int status;
  if (fchmod(fd, FILE_MODE) != 0) /* as in write_new() */
    return fail(s, s->path, "created", errno);
  do
    status = flock(fd, LOCK_EX | LOCK_NB);
  while (status != 0 && errno == EINTR);
  if (status == 0)
    return FILE_DONE;
  return errno == EWOULDBLOCK ? FILE_LOCKED : fail(s, s->path, "locked", errno);
}

enum file_code file_lock(struct file_place place, struct file_lock *lock,
                         struct file_message *message) {
  struct site s;
  char name[NAME_MAX + 1];
  int fd = -1;
  snprintf(name, sizeof name, LOCK_NAME, place.name);
  enum file_code code =
      make_site(&s, (struct file_place){.directory = place.directory, .name = name}, message);
  if (code == FILE_DONE)
    code = open_file(&s, O_RDWR | O_CREAT, &fd);
  if (code == FILE_ABSENT) /* another process has removed the directory */
    code = fail(&s, s.path, "created", ENOENT);
  if (code == FILE_DONE) {
    code = take(&s, fd);
    if (code == FILE_DONE)
      *lock = (struct file_lock){.fd = fd, .holder = getpid()};
    else
      close(fd);
  }
  close_site(&s);
  return code;
}

void file_unlock(struct file_lock *lock) {
  if (lock->fd < 0)
    return;
  /* close() alone would leave the lock to a forked child that has a copy of the descriptor */
  if (lock->holder == getpid())
    flock(lock->fd, LOCK_UN);
  close(lock->fd);
  *lock = FILE_UNLOCKED;
}
