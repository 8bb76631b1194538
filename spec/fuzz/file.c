/* Private files with calls in any order, any names and any contents: a written file can be read, a
 * removed one is gone, a missing one is not listed, and a link is not followed. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "file.h"
#include "fuzz.h"

#include <errno.h>
#include <ftw.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAMES 8
#define CEILING 4096

static char base[] = "/dev/shm/pcapi-fuzz.XXXXXX";
static char directory[sizeof base + 8];
static char outside[sizeof base + 8];
static struct file_message message;

/* The files that must exist. */
static struct entry {
  char *name; /* NULL: unused */
  char *text;
  size_t len;
} entries[NAMES];

static struct entry *find(const char *name) {
  for (int i = 0; i < NAMES; i++)
    if (entries[i].name && strcmp(entries[i].name, name) == 0)
      return &entries[i];
  return NULL;
}

static void forget(struct entry *e) {
  if (e) {
    free(e->name);
    free(e->text);
    memset(e, 0, sizeof *e);
  }
}

static void remember(const char *name, struct input text) {
  struct entry *e = find(name);
  forget(e);
  for (int i = 0; !e && i < NAMES; i++)
    if (!entries[i].name)
      e = &entries[i];
  claim(e != NULL, "the fuzzer uses few names");
  e->name = strdup(name);
  e->text = text_of(text);
  e->len = text.left;
}

static bool is_full(void) {
  for (int i = 0; i < NAMES; i++)
    if (!entries[i].name)
      return false;
  return true;
}

static void reads(const char *name) {
  struct buf text;
  const struct entry *e = find(name);
  buf_init(&text, CEILING);
  const enum file_code code = file_read((struct file_place){directory, name}, &text, &message);
  if (!e)
    claim(code == FILE_ABSENT || code == FILE_REFUSED,
          "a file that was not written cannot be read");
  else
    claim(code == FILE_DONE && text.len == e->len &&
              memcmp(text.data ? text.data : "", e->text, e->len) == 0,
          "a written file can be read");
  buf_free(&text);
}

static void replaces(const char *name, struct input text) {
  const struct file_place place = {directory, name};
  if (text.left > CEILING || (is_full() && !find(name)))
    return;
  const enum file_code code = file_replace(place, (const char *)text.data, text.left, &message);
  claim(code == FILE_DONE || code == FILE_REFUSED, "a write succeeds or is refused");
  if (code == FILE_DONE)
    remember(name, text);
  reads(name);
}

static void removes(const char *name) {
  if (file_remove((struct file_place){directory, name}, &message) == FILE_DONE)
    forget(find(name));
  reads(name);
}

static void locks(const char *name) {
  struct file_lock one = FILE_UNLOCKED;
  struct file_lock other = FILE_UNLOCKED;
  const struct file_place place = {directory, name};
  if (file_lock(place, &one, &message) == FILE_DONE)
    claim(file_lock(place, &other, &message) == FILE_LOCKED, "two locks exclude each other");
  file_unlock(&one);
  file_unlock(&other);
}

/* Creates a link to the file outside, or to a missing file. */
static void plants_link(const char *name, bool dangles) {
  char path[PATH_MAX];
  if (find(name) || (mkdir(directory, 0700) != 0 && errno != EEXIST))
    return;
  snprintf(path, sizeof path, "%s/%s", directory, name);
  if (symlink(dangles ? "nowhere" : outside, path) != 0)
    return;
  claim(file_replace((struct file_place){directory, name}, "x", 1, &message) == FILE_REFUSED,
        "a link is not replaced");
  reads(name);
  unlink(path);
}

static void lists(void) {
  struct buf names;
  size_t count = 0;
  buf_init(&names, 65536);
  claim(file_list(directory, &names, &message) == FILE_DONE, "names are listed");
  for (size_t at = 0; at < names.len; at += strlen(names.data + at) + 1) {
    claim(find(names.data + at) != NULL, "what is listed was written");
    count++;
  }
  for (int i = 0; i < NAMES; i++)
    count -= entries[i].name != NULL;
  claim(count == 0, "what was written is listed");
  buf_free(&names);
}

/* Any bytes that do not pass as a name are refused before they become a path. */
static char *next_name(struct input *in) {
  struct input part = take_part(in, 0xff);
  char *name = text_of(part);
  if (!file_is_name(name, part.left)) {
    free(name);
    return NULL;
  }
  claim(strlen(name) == part.left && !strchr(name, '/') && name[0] && strcmp(name, ".") != 0 &&
            strcmp(name, "..") != 0,
        "a name is no path");
  return name;
}

static void one_call(struct input *in) {
  const uint8_t what = take_byte(in);
  char *name = next_name(in);
  if (!name)
    return;
  switch (what % 8) {
  case 0:
  case 1:
  case 2:
    replaces(name, take_part(in, 0xff));
    break;
  case 3:
    removes(name);
    break;
  case 4:
    locks(name);
    break;
  case 5:
    lists();
    break;
  case 6:
    plants_link(name, what & 16);
    break;
  default:
    reads(name);
  }
  free(name);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *where) {
  (void)st, (void)type, (void)where;
  return remove(path);
}

static void remove_all(void) {
  nftw(base, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void begin(void) {
  if (!mkdtemp(base))
    abort();
  snprintf(directory, sizeof directory, "%s/kept", base);
  snprintf(outside, sizeof outside, "%s/out", base);
  FILE *file = fopen(outside, "w");
  if (!file || fputs("outside", file) < 0 || fclose(file) != 0)
    abort();
  atexit(remove_all);
}

static void check_outside(void) {
  char text[16] = "";
  FILE *file = fopen(outside, "r");
  claim(file && fgets(text, sizeof text, file) && strcmp(text, "outside") == 0,
        "no file outside is written");
  fclose(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct input in = {data, size};
  if (!directory[0])
    begin();
  for (int i = 0; i < 64 && in.left > 0; i++)
    one_call(&in);
  lists();
  check_outside();
  for (int i = 0; i < NAMES; i++)
    forget(&entries[i]);
  nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
  return 0;
}
