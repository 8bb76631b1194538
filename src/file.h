/* Private files: a directory of the user's own, in it files that nobody else can read
 * or exchange. POSIX and buf; does not know Lua.
 *
 * A file is replaced as a whole: whenever the process or the machine stops, there is
 * the old text or the new one, and what was left half written goes with the next
 * write. Whoever writes holds the file's lock.
 */
#ifndef PCAPI_FILE_H
#define PCAPI_FILE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "buf.h"

#pragma GCC visibility push(hidden)

enum file_code {
  FILE_DONE,
  FILE_ABSENT,  /* no such file, or no such directory */
  FILE_HELD,    /* somebody else has the lock */
  FILE_REFUSED, /* not safe, or not possible; the message says why */
  FILE_NO_MEMORY
};

struct file_place {
  const char *directory; /* not empty */
  const char *name;      /* in it: see file_is_name() */
};

/* Set by FILE_REFUSED: which path, what is wrong with it, what to do. */
struct file_message {
  char text[2 * (PATH_MAX + NAME_MAX) + 512];
};

struct file_lock {
  int fd; /* -1: not held */
  pid_t holder;
};
#define FILE_UNLOCKED ((struct file_lock){.fd = -1, .holder = 0})

/* Whether the len bytes of name, which a zero byte follows, can name a file here: none of
 * them is zero, no path, not "." or "..", no name of a lock or of what is half written, and
 * short enough for those. */
bool file_is_name(const char *name, size_t len);

/* Appends the file to text; what does not fit below its ceiling is refused. So is what
 * belongs to or is open to another user, be it the file or its directory, and a
 * symbolic link. Links above the directory are followed. */
enum file_code file_read(struct file_place place, struct buf *text, struct file_message *message);

/* Replaces or makes the file, and makes its directory and those above it. What
 * file_read() refuses is not replaced. The text is on the disk after FILE_DONE. After a
 * failure the old file is as it was; only where the message speaks of syncing the
 * directory, the new one is there, and a machine that stops may lose it. */
enum file_code file_replace(struct file_place place, const char *text, size_t len,
                            struct file_message *message);

/* Removes the file and what is half written of it. FILE_DONE when there is none. */
enum file_code file_remove(struct file_place place, struct file_message *message);

/* Appends to names the name of each entry of the directory, in no order, each ended by a
 * zero byte; not those of locks and of what is half written. None where there is no such
 * directory. Entries are not looked at: one that file_read() refuses is named, too, so
 * that whoever reads them all is told of it. What does not fit below the ceiling of names
 * is refused. */
enum file_code file_list(const char *directory, struct buf *names, struct file_message *message);

/* Takes the lock of the file without waiting; makes its directory. Two locks exclude
 * each other within one process too. The file of the lock stays: who removed it could
 * remove one that another process has just taken. */
enum file_code file_lock(struct file_place place, struct file_lock *lock,
                         struct file_message *message);

/* Gives the lock back. Harmless when it is not held, and in a forked child, which
 * must not give back what its parent holds. */
void file_unlock(struct file_lock *lock);

#pragma GCC visibility pop

#endif
