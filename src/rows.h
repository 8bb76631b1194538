/* Writes the values of records into rows of csv, JSON and tables. It takes plain values only: what
 * needs a rule of its own, such as an invisible character, is left to pcapi.format, which has all
 * rules. It writes the same text as pcapi.format. Uses libc only, allocates nothing, and depends
 * on no locale. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#pragma GCC visibility push(hidden)

enum rows_code {
  ROWS_OK,
  ROWS_FULL, /* there is no room */
  ROWS_ODD,  /* the value is not plain */
};

/* The memory that rows are written to. A function that fails leaves it unchanged. */
struct rows {
  char *at;
  char *end;
};

/* Appends bytes as they are. */
enum rows_code rows_bytes(struct rows *out, const char *bytes, size_t len);

/* Appends a text as a cell of csv: in quotes if it needs them, with "'" before a formula. It may
 * report that there is no room although a little is left; so may rows_json(). */
enum rows_code rows_csv(struct rows *out, const char *text, size_t len);

/* Appends a text as a string of JSON, with its quotes. */
enum rows_code rows_json(struct rows *out, const char *text, size_t len);

/* Sets the columns that a text takes on a terminal. Returns false if it is not plain; so is a text
 * with a character whose width is neither 1 nor 2. */
bool rows_width(const char *text, size_t len, size_t *width);

/* A column of a table. */
struct rows_column {
  size_t width;  /* at least 1 */
  bool is_right; /* cells are aligned to the right */
  bool is_last;  /* no spaces follow a cell */
  bool is_ascii; /* a cut is marked by three dots, not by an ellipsis */
};

/* Appends a cell, cut or filled to the width of its column. */
enum rows_code rows_cell(struct rows *out, const struct rows_column *column, const char *text,
                         size_t len);

#pragma GCC visibility pop
