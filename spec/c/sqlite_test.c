/* pcapi.sqlite when memory or the system fails: each allocation of a script, by Lua, SQLite or our
 * own code, fails once, and so does each call of the system that SQLite makes. Whatever fails, a
 * transaction that was reported as stored is in the database, which is not damaged. */
#include "check.h"
#include "compat.h"
#include "fail_alloc.h"
#include "sqlite/file_system.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <lualib.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sqlite3.h>

int luaopen_pcapi_sqlite(lua_State *L);

static const char *const script =
    "local sqlite = require 'pcapi.sqlite'\n"
    "stored, failures = 0, {}\n"
    "local db\n"
    "local function try(ok, message, kind)\n"
    "  if not ok then failures[#failures + 1] = kind .. ': ' .. message end\n"
    "  return ok\n"
    "end\n"
    "local function write(f)\n"
    "  local ok = try(db:transaction(f))\n"
    "  if ok then stored = stored + 1 end\n"
    "  return ok\n"
    "end\n"
    "local function use()\n"
    "  write(function(tx)\n"
    "    for i = 1, 4 do\n"
    "      tx:run('INSERT INTO t VALUES (?, ?, ?)', i, ('x'):rep(2000), sqlite.blob 'y')\n"
    "    end\n"
    "    tx:run('INSERT INTO mark VALUES (:n)', { n = stored })\n"
    "    pcall(tx.run, tx, 'nonsense')\n"
    "  end)\n"
    "  try(db:read(function(tx)\n"
    "    for row in tx:rows 'SELECT * FROM t' do assert(#row.b == 2000) end\n"
    "    for text in tx:csv 'SELECT c, b FROM t' do assert(text:find '^\\\\x79,xx') end\n"
    "    return tx:row 'SELECT count(*) AS n FROM t'\n"
    "  end))\n"
    "  try(db:check())\n"
    "  try(db:checkpoint())\n"
    "  try(db:backup(path .. '-copy' .. stored))\n"
    "end\n"
    "for _ = 1, 2 do\n"
    "  db = try(sqlite.open(path, { application_id = 7, busy_timeout = 0.01, create = true }))\n"
    "  if not db then return end\n"
    "  local made = write(function(tx)\n"
    "    tx:run 'CREATE TABLE IF NOT EXISTS t (a INTEGER, b TEXT, c BLOB) STRICT'\n"
    "    tx:run 'CREATE TABLE IF NOT EXISTS mark (n INTEGER) STRICT'\n"
    "    tx:run('INSERT INTO mark VALUES (?)', stored)\n"
    "  end)\n"
    "  if made then use() end\n"
    "  db:close()\n"
    "end\n";

/* Checks what the script left, without failures: returns the number of its marks. */
static const char *const inspection =
    "local sqlite = require 'pcapi.sqlite'\n"
    "local db = assert(sqlite.open(path, { application_id = 7, busy_timeout = 1, create = true "
    "}))\n"
    "assert(db:check())\n"
    "local n = db:read(function(tx)\n"
    "  if not tx:row \"SELECT 1 AS n FROM sqlite_schema WHERE name = 'mark'\" then return 0 end\n"
    "  return tx:row 'SELECT count(*) AS n FROM mark'.n\n"
    "end)\n"
    "for i = 1, 4 do\n"
    "  local copy, _, kind = sqlite.open(path .. '-copy' .. i, { application_id = 7, busy_timeout "
    "= 1 })\n"
    "  assert(copy or kind == 'absent')\n"
    "  if copy then assert(copy:check()) end\n"
    "end\n"
    "return n\n";

static pid_t parent;
static char directory[200];
static char path[sizeof directory + 8];

/* The calls of the system. */

static const char *fail_name;
static int until_failure; /* 0: no call fails */
static int fail_errno;
static bool fail_again; /* and all later ones */
static bool failed;

static bool fails_now(const char *name) {
  if (until_failure == 0 || strcmp(name, fail_name) != 0)
    return false;
  if (until_failure > 1) {
    until_failure--;
    return false;
  }
  if (!fail_again)
    until_failure = 0;
  failed = true;
  errno = fail_errno;
  return true;
}

static int my_open(const char *name, int flags, int mode) {
  return fails_now("open") ? -1 : open(name, flags, (mode_t)mode);
}

static ssize_t my_pread(int fd, void *data, size_t len, off_t at) {
  return fails_now("pread") ? -1 : pread(fd, data, len, at);
}

static ssize_t my_pwrite(int fd, const void *data, size_t len, off_t at) {
  return fails_now("pwrite") ? -1 : pwrite(fd, data, len, at);
}

static int my_ftruncate(int fd, off_t len) {
  return fails_now("ftruncate") ? -1 : ftruncate(fd, len);
}

static int my_unlink(const char *name) {
  return fails_now("unlink") ? -1 : unlink(name);
}

/* Of files: not the mmap() that fails as an allocation. */
void *__real_mmap(void *at, size_t len, int protection, int flags, int fd, off_t from);

static void *my_mmap(void *at, size_t len, int protection, int flags, int fd, off_t from) {
  return fails_now("mmap") ? MAP_FAILED : __real_mmap(at, len, protection, flags, fd, from);
}

/* Only a lock fails: a lock that cannot be released keeps others out, as it should. */
static int my_fcntl(int fd, int command, void *argument) {
  const bool locks = command == F_SETLK && ((struct flock *)argument)->l_type != F_UNLCK;
  return locks && fails_now("fcntl") ? -1 : fcntl(fd, command, argument);
}

static const struct {
  const char *name;
  sqlite3_syscall_ptr call;
} calls[] = {
    {"open", (sqlite3_syscall_ptr)my_open},       {"pread", (sqlite3_syscall_ptr)my_pread},
    {"pread64", (sqlite3_syscall_ptr)my_pread},   {"pwrite", (sqlite3_syscall_ptr)my_pwrite},
    {"pwrite64", (sqlite3_syscall_ptr)my_pwrite}, {"ftruncate", (sqlite3_syscall_ptr)my_ftruncate},
    {"unlink", (sqlite3_syscall_ptr)my_unlink},   {"mmap", (sqlite3_syscall_ptr)my_mmap},
    {"fcntl", (sqlite3_syscall_ptr)my_fcntl},
};

static void replace_calls(void) {
  sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
  for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
    if (vfs->xGetSystemCall(vfs, calls[i].name))
      vfs->xSetSystemCall(vfs, calls[i].name, calls[i].call);
}

static long file_system; /* 0: as it is */

int __real_statfs(const char *name, struct statfs *st);
int __wrap_statfs(const char *name, struct statfs *st);
int __wrap_statfs(const char *name, struct statfs *st) {
  const int result = __real_statfs(name, st);
  if (file_system)
    st->f_type = (__typeof__(st->f_type))file_system;
  return file_system == -1 ? -1 : result;
}

/* SQLite's memory: malloc() as fail_alloc.h replaces it here, with the size in front. */

union header {
  size_t size;
  max_align_t aligned;
};

static void *memory_malloc(int size) {
  union header *h = malloc(sizeof *h + (size_t)size);
  if (!h)
    return NULL;
  h->size = (size_t)size;
  return h + 1;
}

static void memory_free(void *block) {
  free((union header *)block - 1);
}

static void *memory_realloc(void *block, int size) {
  union header *h = realloc((union header *)block - 1, sizeof *h + (size_t)size);
  if (!h)
    return NULL;
  h->size = (size_t)size;
  return h + 1;
}

static int memory_size(void *block) {
  return block ? (int)((union header *)block - 1)->size : 0;
}

static int memory_round_up(int size) {
  return (size + 7) & ~7;
}

static int memory_init(void *data) {
  (void)data;
  return SQLITE_OK;
}

static void memory_shutdown(void *data) {
  (void)data;
}

static void use_failing_memory(void) {
  static const sqlite3_mem_methods methods = {
      memory_malloc,   memory_free, memory_realloc,  memory_size,
      memory_round_up, memory_init, memory_shutdown, NULL,
  };
  sqlite3_config(SQLITE_CONFIG_MALLOC, &methods);
}

static int prepare(lua_State *L) {
  luaL_openlibs(L);
  lua_getglobal(L, "package");
  lua_getfield(L, -1, "preload");
  lua_pushcfunction(L, luaopen_pcapi_sqlite);
  lua_setfield(L, -2, "pcapi.sqlite");
  lua_pushstring(L, path);
  lua_setglobal(L, "path");
  return 0;
}

/* Returns the lowest free descriptor: it is higher if a descriptor was left open. */
static int free_descriptor(void) {
  const int fd = dup(STDERR_FILENO);
  close(fd);
  return fd;
}

static void empty_directory(void) {
  DIR *dir = opendir(directory);
  if (!dir)
    abort();
  for (const struct dirent *entry; (entry = readdir(dir));)
    unlinkat(dirfd(dir), entry->d_name, 0); /* not "." and ".." */
  closedir(dir);
}

static lua_State *new_state(const char *code) {
  lua_State *L = lua_newstate(fail_alloc_for_lua, NULL);
  lua_pushcfunction(L, prepare);
  if (!L || lua_pcall(L, 0, 0, 0) != 0 || luaL_loadstring(L, code) != 0)
    abort(); /* no failure was requested yet, so the test itself is wrong */
  return L;
}

struct outcome {
  bool ok;        /* the script raised nothing */
  bool reached;   /* what should fail did */
  int stored;     /* transactions that were reported as stored */
  char text[400]; /* what was raised, or the first failure that was returned; "" */
};

static void read_outcome(lua_State *L, struct outcome *o) {
  lua_getglobal(L, "stored");
  o->stored = (int)lua_tointeger(L, -1);
  lua_getglobal(L, "failures");
  if (o->ok && lua_istable(L, -1))
    lua_rawgeti(L, -1, 1);
  else
    lua_pushvalue(L, 1); /* what was raised */
  const char *text = lua_tostring(L, -1);
  snprintf(o->text, sizeof o->text, "%s", text ? text : "");
}

/* Runs the script, in which the n-th allocation fails; 0: none. */
static struct outcome run(long fail_at) {
  struct outcome o = {0};
  const int descriptor = free_descriptor();
  empty_directory();
  lua_State *L = new_state(script);
  fail_alloc_at(fail_at);
  o.ok = lua_pcall(L, 0, 0, 0) == 0;
  o.reached = fail_alloc_reached();
  fail_alloc_at(0);
  read_outcome(L, &o);
  lua_close(L);
  until_failure = 0;
  if (free_descriptor() != descriptor)
    check(0, "no descriptor stays open");
  return o;
}

/* Whether the database is whole and has what was reported as stored. */
static bool is_whole(const struct outcome *o) {
  lua_State *L = new_state(inspection);
  const bool ok = lua_pcall(L, 0, 1, 0) == 0;
  const bool whole = ok && lua_tointeger(L, -1) >= o->stored;
  if (!whole)
    fprintf(stderr, "stored %d, %s: %s\n", o->stored, ok ? "found fewer" : "inspection",
            lua_tostring(L, -1));
  lua_close(L);
  return whole;
}

static void survives_lack_of_memory(void) {
  struct outcome o = run(0);
  check(o.ok && o.stored == 4 && !o.text[0], "the script succeeds with enough memory");
  if (o.text[0])
    fprintf(stderr, "%s\n", o.text);
  check(is_whole(&o), "and the database has all of it");
  bool whole = true;
  bool clear = true;
  long n = 1;
  for (; n < 20000; n++) {
    o = run(n);
    whole = whole && is_whole(&o);
    /* SQLite does without some memory */
    if (o.text[0] && !strstr(o.text, "not enough memory")) {
      clear = false;
      fprintf(stderr, "allocation %ld: %s\n", n, o.text);
    }
    if (!o.reached)
      break;
  }
  printf("sqlite: %ld allocations failed one after the other\n", n - 1);
  check(n > 1000 && n < 20000, "each allocation of the script fails once");
  check(whole, "whatever fails, the database is whole and has what was reported as stored");
  check(clear, "lack of memory is reported as that");
}

/* Makes each call of that name fail, one run after the other. */
static void survives(const char *name, int error, bool again, const char *kind) {
  bool whole = true;
  bool known = true;
  int n = 1;
  for (; n < 2000; n++) {
    fail_name = name;
    fail_errno = error;
    fail_again = again;
    failed = false;
    until_failure = n;
    const struct outcome o = run(0);
    whole = whole && o.ok && is_whole(&o);
    if (!failed)
      break;
    if (o.text[0] && !strstr(kind, (char[]){o.text[0], o.text[1], '\0'})) {
      known = false;
      fprintf(stderr, "%s %d: %s\n", name, n, o.text);
    }
  }
  char sentence[160];
  snprintf(sentence, sizeof sentence, "%d calls of %s fail with errno %d%s: nothing is lost", n - 1,
           name, error, again ? ", with all later ones" : "");
  printf("sqlite: %s\n", sentence);
  check(n > 1 && n < 2000 && whole, sentence);
  check(known, "a failure of the system has its kind");
}

static void survives_the_system(void) {
  /* two letters of a kind are enough; SQLite takes some errors of reading for a damaged file */
  survives("pwrite", ENOSPC, true, "fu");
  survives("pwrite", EIO, false, "io");
  survives("pwrite", EFBIG, true, "fu");
  survives("pread", EIO, false, "io co");
  survives("open", EACCES, true, "io re fi");
  survives("open", EMFILE, true, "io");
  survives("ftruncate", EIO, false, "io");
  survives("unlink", EIO, false, "io");
  survives("mmap", ENOMEM, false, "io");
  survives("fcntl", EIO, false, "io bu");
}

/* Opens the database in a directory whose file system has this number. */
static void open_on(long number, const char *expected) {
  file_system = number;
  const struct outcome o = run(0);
  file_system = 0;
  char sentence[160];
  snprintf(sentence, sizeof sentence, "file system %lx: %s", number, expected ? expected : "works");
  check(expected ? strstr(o.text, expected) != NULL : o.ok && !o.text[0] && o.stored == 4,
        sentence);
}

static void refuses_network_file_systems(void) {
  open_on(0x6969, "is on a file system (NFS) on which SQLite can lose data");
  open_on((long)0xff534d42, "(SMB)");
  open_on((long)(int)0xff534d42, "(SMB)"); /* as a 32-bit kernel has it */
  open_on(0x65735546, "(FUSE)");
  open_on(0xef53, NULL);     /* ext4 */
  open_on(0x01021994, NULL); /* tmpfs */
  open_on(-1, NULL);         /* statfs() fails */
}

/* As macOS and the BSDs name them. */
static void judges_types(void) {
  static const char *const unsafe[] = {"nfs", "smbfs", "afpfs", "webdav", "p9fs", "fusefs.sshfs",
                                       "macfuse"};
  static const char *const safe[] = {"apfs", "hfs", "zfs", "ufs", "ffs", "tmpfs", "hammer2"};
  for (size_t i = 0; i < sizeof unsafe / sizeof *unsafe; i++)
    check(file_system_unsafe_type(unsafe[i], true) != NULL, unsafe[i]);
  for (size_t i = 0; i < sizeof safe / sizeof *safe; i++)
    check(!file_system_unsafe_type(safe[i], true), safe[i]);
  check(strcmp(file_system_unsafe_type("smbfs", false), "SMB") == 0, "a type has a name");
  check(file_system_unsafe_type("new", false) != NULL, "what is not local is unsafe");
}

/* The parent has a transaction, in which the child tries everything, and closes what it inherited.
 */
static const char *const forking =
    "local sqlite = require 'pcapi.sqlite'\n"
    "local db = assert(sqlite.open(path, { application_id = 7, busy_timeout = 1, create = true "
    "}))\n"
    "assert(db:transaction(function(tx)\n"
    "  tx:run 'CREATE TABLE IF NOT EXISTS mark (n INTEGER)'\n"
    "  tx:run 'INSERT INTO mark VALUES (1)'\n"
    "end))\n"
    "if fork() then\n"
    "  for _, method in ipairs { 'transaction', 'read', 'check', 'checkpoint', 'backup' } do\n"
    "    local ok, message = pcall(db[method], db, print)\n"
    "    assert(not ok and message:find 'belongs to the process that opened it', message)\n"
    "  end\n"
    "  db:close()\n"
    "  return 'child'\n"
    "end\n"
    "assert(db:transaction(function(tx) tx:run 'INSERT INTO mark VALUES (2)' end))\n"
    "stored = 2\n";

/* fork() -> whether this is the child; the parent waits until it has ended */
static int lua_fork(lua_State *L) {
  int status = 0;
  const pid_t child = fork();
  if (child > 0 && (waitpid(child, &status, 0) != child || status != 0))
    return luaL_error(L, "the child has failed");
  lua_pushboolean(L, child == 0);
  return 1;
}

static void belongs_to_one_process(void) {
  empty_directory();
  lua_State *L = new_state(forking);
  lua_pushcfunction(L, lua_fork);
  lua_setglobal(L, "fork");
  struct outcome o = {.ok = lua_pcall(L, 0, 1, 0) == 0};
  if (!o.ok)
    fprintf(stderr, "%s\n", lua_tostring(L, -1));
  const bool is_child = o.ok && lua_isstring(L, -1);
  read_outcome(L, &o);
  lua_close(L);
  if (getpid() != parent)
    _exit(is_child ? 0 : 1);
  check(o.ok && o.stored == 2, "a forked child cannot use the connection, and leaves it whole");
  check(is_whole(&o), "what the parent stores afterwards is stored");
}

int main(void) {
  parent = getpid();
  snprintf(directory, sizeof directory, "/dev/shm/pcapi.XXXXXX"); /* thousands of syncs */
  if (!mkdtemp(directory)) {
    check_folder(directory, sizeof directory);
    if (!mkdtemp(directory))
      return 2;
  }
  snprintf(path, sizeof path, "%s/db", directory);
  use_failing_memory();
  replace_calls();
  refuses_network_file_systems();
  judges_types();
  belongs_to_one_process();
  survives_the_system();
  survives_lack_of_memory();
  empty_directory();
  rmdir(directory);
  return check_result("sqlite");
}
