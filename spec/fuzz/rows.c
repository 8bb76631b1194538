/* Cells and strings of rows: what is written lies within its room, and reads back as the text. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* memmem */
#endif
#include "fuzz.h"
#include "reader.h"
#include "rows.h"

#include <string.h>

/* Makes memory of a size for rows, whose end a sanitizer sees. */
static struct rows begin(size_t size) {
  char *room = malloc(size + (size == 0));
  return (struct rows){room, room + size};
}

/* Reads a cell of csv (RFC 4180). Returns its length; the cell replaces its quoted form. */
static size_t unquote(char *cell, size_t len) {
  size_t used = 0;
  if (len == 0 || *cell != '"') {
    for (size_t i = 0; i < len; i++)
      claim(!strchr("\",\r\n", cell[i]), "a cell without quotes has no separator");
    return len;
  }
  claim(len >= 2 && cell[len - 1] == '"', "quotes are closed");
  for (size_t i = 1; i < len - 1; i++) {
    claim(cell[i] != '"' || (i + 1 < len - 1 && cell[i + 1] == '"'), "quotes are doubled");
    i += cell[i] == '"';
    cell[used++] = cell[i];
  }
  return used;
}

static void check_csv(const char *text, size_t size, size_t room) {
  struct rows out = begin(room);
  char *cell = out.at;
  if (rows_csv(&out, text, size) == ROWS_OK) {
    size_t len = unquote(cell, (size_t)(out.at - cell));
    const bool is_defused = len == size + 1 && *cell == '\'';
    claim(is_defused || len == 0 || !strchr("=+-@\t\r\n", *cell), "no cell is a formula");
    claim(len - is_defused == size && memcmp(cell + is_defused, text, size) == 0,
          "a cell reads back");
  } else {
    claim(out.at == cell, "a failure writes nothing");
  }
  free(cell);
}

static void check_json(const char *text, size_t size, size_t room) {
  static struct reader r;
  struct rows out = begin(room);
  char *start = out.at;
  if (rows_json(&out, text, size) == ROWS_OK) {
    const size_t len = (size_t)(out.at - start);
    reader_begin(&r, start, len, SIZE_MAX);
    claim(reader_read(&r) == READER_END && r.count == 1 && r.slot[0].kind == READER_STRING,
          "a string is JSON");
    char *value = malloc(3 * len);
    claim(reader_text(&r.slot[0], value) == size && memcmp(value, text, size) == 0,
          "a string reads back");
    free(value);
    for (size_t i = 0; i < len; i++)
      claim((unsigned char)start[i] >= ' ' && start[i] != 0x7F, "no control character is left");
  } else {
    claim(out.at == start, "a failure writes nothing");
  }
  free(start);
}

static void check_cell(const char *text, size_t size, struct rows_column column, size_t room) {
  struct rows out = begin(room);
  char *start = out.at;
  size_t width = 0;
  const bool is_plain = rows_width(text, size, &width);
  const enum rows_code code = rows_cell(&out, &column, text, size);
  const size_t len = (size_t)(out.at - start);
  claim((code == ROWS_ODD) == !is_plain, "a plain text has a width");
  if (code == ROWS_OK) {
    size_t filled;
    const bool is_short = column.is_last && !column.is_right;
    claim(size == 0 || width > 0, "a text has columns");
    /* U+2026 is plain */
    claim(rows_width(start, len, &filled) &&
              (filled == column.width || (is_short && filled <= column.width)),
          "a cell fills its column");
    claim(width > column.width || memmem(start, len, text, size) || size == 0,
          "a text that fits is whole");
  } else {
    claim(len == 0, "a failure writes nothing");
  }
  free(start);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct input in = {data, size};
  const uint8_t flags = take_byte(&in);
  const size_t room = (size_t)take_byte(&in) * 8;
  const struct rows_column column = {1 + take_byte(&in) % 60U, flags & 1, flags & 2, flags & 4};
  char *text = malloc(in.left + (in.left == 0));
  memcpy(text, in.data, in.left);
  check_csv(text, in.left, room);
  check_json(text, in.left, room);
  check_cell(text, in.left, column, room);
  free(text);
  return 0;
}
