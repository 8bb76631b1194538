/* The Lua binding of file.h: functions, and a userdata, a lock. */
#include "binding.h"
#include "file.h"

#include <string.h>

#define LLOCK "pcapi.core.lock"
#define TEXT_MAX ((size_t)1024 * 1024) /* bytes of a file, and of all names in a directory */
#define PUBLISHED_MAX ((size_t)64 * 1024 * 1024) /* bytes of a file that others read */

/* Returns the directory at index 1. */
static const char *check_directory(lua_State *L) {
  size_t len;
  const char *directory = luaL_checklstring(L, 1, &len);
  luaL_argcheck(L, len > 0 && strlen(directory) == len, 1, "must be a path without zero bytes");
  return directory;
}

/* Returns the directory at index 1 and the name at index 2. */
static struct file_place check_place(lua_State *L) {
  size_t len;
  struct file_place place;
  place.directory = check_directory(L);
  place.name = luaL_checklstring(L, 2, &len);
  luaL_argcheck(L, file_is_name(place.name, len), 2, "must be the name of a file, not a path");
  return place;
}

/* Returns nil, a message and a remedy. */
static int lfile_fail(lua_State *L, enum file_code code, const struct file_message *message) {
  if (code == FILE_NO_MEMORY)
    return binding_no_memory(L);
  return binding_fail(L, message->text, message->remedy);
}

/* Returns true, or what lfile_fail() returns. */
static int lfile_result(lua_State *L, enum file_code code, const struct file_message *message) {
  if (code != FILE_DONE)
    return lfile_fail(L, code, message);
  lua_pushboolean(L, 1);
  return 1;
}

/* file_read(directory, name) -> text; nil if there is no such file; or nil, message, remedy */
static int lfile_read(lua_State *L) {
  struct file_message message;
  const struct file_place place = check_place(L);
  struct buf *text = lbuf_push(L, TEXT_MAX);
  const enum file_code code = file_read(place, text, &message);
  if (code == FILE_ABSENT) {
    lua_pushnil(L);
    return 1;
  }
  if (code != FILE_DONE)
    return lfile_fail(L, code, &message);
  lua_pushlstring(L, text->data ? text->data : "", text->len);
  buf_free(text);
  return 1;
}

/* file_replace(directory, name, text) -> true, or nil, message, remedy */
static int lfile_replace(lua_State *L) {
  size_t len;
  struct file_message message;
  const struct file_place place = check_place(L);
  const char *text = luaL_checklstring(L, 3, &len);
  luaL_argcheck(L, len <= TEXT_MAX, 3, "is longer than 1 MiB");
  return lfile_result(L, file_replace(place, text, len, &message), &message);
}

/* file_begin(directory, name) -> the name of an empty, private file in the directory, to be written
 * by the caller, and made final by file_end() or removed by file_abandon(); or nil, message,
 * remedy: among others, if there is a file of the name */
static int lfile_begin(lua_State *L) {
  char name[NAME_MAX + 1];
  struct file_message message;
  const struct file_place place = check_place(L);
  const enum file_code code = file_begin(place, &message);
  if (code != FILE_DONE)
    return lfile_fail(L, code, &message);
  file_name_new(place, name);
  lua_pushstring(L, name);
  return 1;
}

/* file_end(directory, name) -> true, or nil, message, remedy */
static int lfile_end(lua_State *L) {
  struct file_message message;
  return lfile_result(L, file_publish(check_place(L), &message), &message);
}

/* file_abandon(directory, name) */
static int lfile_abandon(lua_State *L) {
  file_abandon(check_place(L));
  return 0;
}

/* file_remove(directory, name) -> true, or nil, message, remedy */
static int lfile_remove(lua_State *L) {
  struct file_message message;
  return lfile_result(L, file_remove(check_place(L), &message), &message);
}

/* Pushes an array of the names, each of which ends with a zero byte. */
static void push_names(lua_State *L, const struct buf *names) {
  lua_newtable(L);
  int n = 0;
  for (size_t at = 0; at < names->len; at += strlen(names->data + at) + 1) {
    lua_pushstring(L, names->data + at);
    lua_rawseti(L, -2, ++n);
  }
}

/* file_list(directory) -> array of names, see file.h; or nil, message, remedy */
static int lfile_list(lua_State *L) {
  struct file_message message;
  const char *directory = check_directory(L);
  struct buf *names = lbuf_push(L, TEXT_MAX);
  const enum file_code code = file_list(directory, names, &message);
  if (code != FILE_DONE)
    return lfile_fail(L, code, &message);
  push_names(L, names);
  buf_free(names);
  return 1;
}

/* file_lock(directory, name) -> lock; false if the file is locked already; or nil, message, remedy
 */
static int lfile_lock(lua_State *L) {
  struct file_message message;
  const struct file_place place = check_place(L);
  struct file_lock *lock = lua_newuserdata(L, sizeof *lock);
  *lock = FILE_UNLOCKED; /* before any error, so that __gc is safe */
  luaL_setmetatable(L, LLOCK);
  const enum file_code code = file_lock(place, lock, &message);
  if (code == FILE_LOCKED)
    lua_pushboolean(L, 0);
  else if (code != FILE_DONE)
    return lfile_fail(L, code, &message);
  return 1;
}

/* file_publish(directory, name, text, is_public) -> true, or nil, message, remedy. is_public: the
 * file is for all users, else for the group of the directory. */
static int lfile_publish(lua_State *L) {
  size_t len;
  struct file_message message;
  const struct file_place place = check_place(L);
  const char *text = luaL_checklstring(L, 3, &len);
  luaL_argcheck(L, len <= PUBLISHED_MAX, 3, "is longer than 64 MiB");
  const enum file_readers readers = lua_toboolean(L, 4) ? FILE_FOR_ALL : FILE_FOR_GROUP;
  return lfile_result(L, file_publish_text(place, readers, text, len, &message), &message);
}

/* file_state(path) -> kind ("f": regular file, "d": directory, "o": other), size in bytes, stamp,
 * id; see file.h; or nil, message */
static int lfile_state(lua_State *L) {
  struct file_state state;
  const int error = file_state(check_directory(L), &state);
  if (error)
    return binding_fail(L, strerror(error), NULL);
  lua_pushlstring(L, &state.kind, 1);
  lua_pushnumber(L, (lua_Number)state.size);
  lua_pushstring(L, state.stamp);
  lua_pushstring(L, state.id);
  return 4;
}

/* release, __gc and __close: in any order, any number of times. */
static int llock_release(lua_State *L) {
  file_unlock(luaL_checkudata(L, 1, LLOCK));
  return 0;
}

static int llock_tostring(lua_State *L) {
  const struct file_lock *lock = luaL_checkudata(L, 1, LLOCK);
  lua_pushfstring(L, "%s (%s)", LLOCK, lock->fd < 0 ? "released" : "held");
  return 1;
}

static void open_lock_class(lua_State *L) {
  static const luaL_Reg methods[] = {{"release", llock_release}, {NULL, NULL}};
  static const luaL_Reg metamethods[] = {
      {"__gc", llock_release},
      {"__close", llock_release},
      {"__tostring", llock_tostring},
      {NULL, NULL},
  };
  binding_class(L, LLOCK, methods, metamethods);
}

void lfile_open(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"file_publish", lfile_publish}, {"file_state", lfile_state},
      {"file_read", lfile_read}, {"file_replace", lfile_replace}, {"file_remove", lfile_remove},
      {"file_list", lfile_list}, {"file_lock", lfile_lock},       {"file_begin", lfile_begin},
      {"file_end", lfile_end},   {"file_abandon", lfile_abandon}, {NULL, NULL},
  };
  open_lock_class(L);
  luaL_setfuncs(L, functions, 0);
}
