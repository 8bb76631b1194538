/* Values of Lua as parameters of a statement, and columns as values of Lua. */
#pragma once

#include "../compat.h"

#include <stdbool.h>

#include <sqlite3.h>

#pragma GCC visibility push(hidden)

/* Registers the metatable of blobs. Leaves nothing on the stack. */
void values_open(lua_State *L);

/* blob(text) -> a value that is bound as a BLOB */
int values_blob(lua_State *L);

/* Binds the arguments from an index of the stack on: one for each parameter, or one table with the
 * values of named parameters. Raises an error if they do not fit. Returns a result code of SQLite:
 * SQLITE_OK, or SQLITE_NOMEM. */
int values_bind(lua_State *L, int first, sqlite3_stmt *stmt);

/* Pushes an array of the names of the columns. Raises an error if two have the same. */
void values_push_names(lua_State *L, sqlite3_stmt *stmt);

/* Pushes a table: column name to value, from the current row of a statement; no field for NULL.
 * names: the index of the array in the stack. Returns a result code: SQLITE_OK, SQLITE_NOMEM, or
 * SQLITE_RANGE for an integer that no number of this Lua can hold. */
int values_push_row(lua_State *L, int names, sqlite3_stmt *stmt);

/* Adds the current row of a statement as a line of CSV: NULL is an empty cell, an empty text has
 * quotes, and a blob is \x and its bytes in hexadecimal, as COPY of PostgreSQL reads them. Control
 * characters of a text become U+FFFD. Sets the number of bytes. Pushes nothing but what the buffer
 * does. Returns a result code: SQLITE_OK or SQLITE_NOMEM. */
int values_add_csv(luaL_Buffer *b, sqlite3_stmt *stmt, size_t *len);

#pragma GCC visibility pop
