/* Private files: a directory that belongs to the user, with files that no other user can read or
 * replace. Uses POSIX and buf; knows no Lua.
 *
 * A file is replaced as a whole: whenever the process or the machine stops, the file holds either
 * the old text or the new one. The next write on that machine removes a temporary file that was left
 * behind. Writers hold the lock of the file. On a share whose locks do not reach other machines, the
 * file still is a whole text, that of the last writer. */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "buf.h"

#pragma GCC visibility push(hidden)

enum file_code {
  FILE_DONE,
  FILE_ABSENT,  /* no such file or directory */
  FILE_LOCKED,  /* another process, or another lock in this one, holds the lock */
  FILE_REFUSED, /* unsafe or impossible; the message says why */
  FILE_NO_MEMORY
};

struct file_place {
  const char *directory; /* not empty */
  const char *name;      /* of a file in it, see file_is_name() */
};

/* Set with FILE_REFUSED. In the remedy, "{store}" stands for the setting that names the directory. */
struct file_message {
  char text[PATH_MAX + NAME_MAX + 512]; /* the path and the problem */
  char remedy[PATH_MAX + NAME_MAX + 512];
  int error; /* an errno; 0 if no call of the system has failed */
};

struct file_lock {
  int fd; /* -1: not held */
  pid_t holder;
};
#define FILE_UNLOCKED ((struct file_lock){.fd = -1, .holder = 0})

/* Whether name can name a file here. It has len bytes, followed by a zero byte. It must not contain
 * a zero byte or a slash, not be "." or "..", not be the name of a lock or of a temporary file, and
 * be short enough for the names of those. */
bool file_is_name(const char *name, size_t len);

/* Appends the contents of the file to text. Refuses a file larger than the limit of text, a file or
 * directory that belongs or is open to another user, and a symbolic link. Links above the directory
 * are followed. */
enum file_code file_read(struct file_place place, struct buf *text, struct file_message *message);

/* Replaces or creates the file; creates its directory and those above it. Refuses to replace what
 * file_read() refuses to read. With FILE_DONE the text is on the disk. After a failure the old file
 * is unchanged, with one exception: if the message says that the directory could not be synced, the
 * new file is in place, but may be lost if the machine stops. */
enum file_code file_replace(struct file_place place, const char *text, size_t len,
                            struct file_message *message);

enum file_readers { FILE_FOR_GROUP, FILE_FOR_ALL };

/* Replaces or creates a file that other users read: mode 0640, or for all 0644, with the group of
 * its directory where this process may set it. The directory must exist, and another user must be
 * able to enter it. FILE_FOR_GROUP refuses one that other users can write to; a file for all has no
 * secret, and is often in a directory that several programs share. Refuses to replace anything but
 * a regular file. Otherwise like file_replace(). */
enum file_code file_publish_text(struct file_place place, enum file_readers readers,
                                 const char *text, size_t len, struct file_message *message);

struct file_state {
  char kind; /* f: regular file, d: directory, o: other */
  unsigned long long size;
  char id[44];     /* the same for two paths of one file */
  char stamp[100]; /* differs once the file was replaced or changed */
};

/* Examines what path leads to. Links are followed. Returns 0 or an errno. */
int file_state(const char *path, struct file_state *state);

/* Creates the file, empty, unless it exists; creates its directory and those above it. For a library
 * that opens the file itself. A file that exists is checked like one that is read, but not opened:
 * when a process closes any descriptor of a file, it loses all its fcntl(2) locks on it. */
enum file_code file_make(struct file_place place, struct file_message *message);

/* Checks the file without opening it. */
enum file_code file_check(struct file_place place, struct file_message *message);

/* A new file that is written under the temporary name, by a library that opens it itself. The
 * directory must exist, and no other user may be able to write to it; others may read it.
 * file_begin() refuses a file that exists, and removes a temporary file that was left behind.
 * file_name_new() writes the temporary name. */
enum file_code file_begin(struct file_place place, struct file_message *message);
void file_name_new(struct file_place place, char name[NAME_MAX + 1]);

/* Syncs the temporary file to the disk and gives it its name, unless there is a file with that name
 * by now. After a failure, call file_abandon(). */
enum file_code file_publish(struct file_place place, struct file_message *message);

/* Removes the temporary file. */
void file_abandon(struct file_place place);

/* Removes the file and its temporary files. FILE_DONE also if neither exists. */
enum file_code file_remove(struct file_place place, struct file_message *message);

/* Appends the names in the directory to names, in no order, each with a zero byte at its end,
 * without those of locks and temporary files. A missing directory has no names. Entries are not
 * checked: a file that file_read() refuses is listed, so that a caller that reads every file
 * reports it. Refuses a directory whose names exceed the limit of names. */
enum file_code file_list(const char *directory, struct buf *names, struct file_message *message);

/* Takes the lock of the file, without waiting; creates its directory. Two locks exclude each other
 * within one process as well. The file of the lock is never removed: removing it could remove one
 * that another process has just locked. */
enum file_code file_lock(struct file_place place, struct file_lock *lock,
                         struct file_message *message);

/* Releases the lock. Does nothing if it is not held. In a forked child it does not release the lock
 * of the parent. */
void file_unlock(struct file_lock *lock);

#pragma GCC visibility pop
