#include "rows.h"
#include "check.h"

#include <string.h>

static char room[400];

/* Whether a function wrote an expected text for a text. */
static bool is(enum rows_code (*put)(struct rows *, const char *, size_t), const char *text,
               const char *expected) {
  struct rows out = {room, room + sizeof room};
  const enum rows_code code = put(&out, text, strlen(text));
  const size_t len = (size_t)(out.at - room);
  if (!expected)
    return code == ROWS_ODD && len == 0;
  return code == ROWS_OK && len == strlen(expected) && memcmp(room, expected, len) == 0;
}

static void writes_csv(void) {
  check(is(rows_csv, "", "") && is(rows_csv, "kim@x", "kim@x") && is(rows_csv, "it's", "it's"),
        "plain cells are written as they are");
  check(is(rows_csv, "a,b", "\"a,b\"") && is(rows_csv, "a;b", "\"a;b\"") &&
            is(rows_csv, "a\tb", "\"a\tb\"") && is(rows_csv, "a\r\nb", "\"a\r\nb\"") &&
            is(rows_csv, "a ", "\"a \""),
        "cells are in quotes if they need them");
  check(is(rows_csv, "\"", "\"\"\"\"") && is(rows_csv, "say \"hi\"", "\"say \"\"hi\"\"\""),
        "quotes are doubled");
  check(is(rows_csv, "=1", "'=1") && is(rows_csv, "-", "'-") && is(rows_csv, "+a,", "\"'+a,\"") &&
            is(rows_csv, "@", "'@") && is(rows_csv, "\t1", "\"'\t1\""),
        "a formula begins with an apostrophe");
  check(is(rows_csv, "Zo\xC3\xAB", "Zo\xC3\xAB") &&
            is(rows_csv, "\xE6\xB8\xA1\xE8\xBE\xBA", "\xE6\xB8\xA1\xE8\xBE\xBA") &&
            is(rows_csv, "\xF0\x9F\x91\x8D", "\xF0\x9F\x91\x8D"),
        "letters, ideographs and emoji are plain");
  check(is(rows_csv, " a", NULL) && is(rows_csv, "\xC2\xA0=1", NULL) &&
            is(rows_csv, "\xE3\x80\x80=", NULL) && is(rows_csv, "\xEF\xBC\x9D", NULL),
        "blanks and full-width signs in front are not plain");
}

static void writes_json(void) {
  check(is(rows_json, "", "\"\"") && is(rows_json, "a/b", "\"a/b\"") &&
            is(rows_json, "12345678,abcdefg;", "\"12345678,abcdefg;\""),
        "a string is in quotes");
  check(is(rows_json, "\"\\", "\"\\\"\\\\\"") &&
            is(rows_json, "\b\t\n\f\r", "\"\\b\\t\\n\\f\\r\"") &&
            is(rows_json, "\x1B\x7F\x01", "\"\\u001b\\u007f\\u0001\""),
        "quotes, backslashes and control characters are escaped");
  check(is(rows_json, "\xC5\x82\xC3\xB3", "\"\xC5\x82\xC3\xB3\""),
        "letters are written as they are");
}

static void refuses(void) {
  static const char *const odd[] = {
      "\x80",         "\xC3",         "\xC0\xAF",         "\xE0\x9F\xBF",     "\xED\xA0\x80",
      "\xF0\x9F\x91", "\xFF",         "\xF4\x90\x80\x80", "a\xC3\xAB\xAB",    "\xC2\x9B",
      "\xC2\xAD",     "\xE2\x80\x8B", "\xE2\x80\x8D",     "x\xE2\x80\xAE",    "\xE2\x81\xA6",
      "\xD8\x9C",     "\xCD\x8F",     "\xEF\xBB\xBF",     "\xF3\xA0\x81\x81", "\xE3\x85\xA4",
  };
  bool are_odd = true;
  size_t width;
  for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
    are_odd &= is(rows_csv, odd[i], NULL) && is(rows_json, odd[i], NULL) &&
               !rows_width(odd[i], strlen(odd[i]), &width);
  check(are_odd, "invisible characters and bytes that are not UTF-8 are not plain");
  check(is(rows_csv, "a\x1B", NULL) && is(rows_csv, "12345678\x7F", NULL) &&
            is(rows_csv, "1234567\x1F", NULL),
        "control characters are not plain in csv");
}

static void ends_in_time(void) {
  bool is_right = true;
  for (size_t size = 0; size < 40; size++) {
    memset(room, '#', sizeof room);
    struct rows out = {room, room + size};
    is_right &= rows_csv(&out, "=a\"b", 4) == (size < 11 ? ROWS_FULL : ROWS_OK);
    out = (struct rows){room, room + size};
    is_right &= rows_json(&out, "a\n", 2) == (size < 14 ? ROWS_FULL : ROWS_OK);
    out = (struct rows){room, room + size};
    is_right &= rows_bytes(&out, "abcdef", 6) == (size < 6 ? ROWS_FULL : ROWS_OK);
    for (size_t i = size; i < sizeof room; i++)
      is_right &= room[i] == '#';
  }
  check(is_right, "nothing is written behind the room");
}

static bool is_width(const char *text, size_t expected) {
  size_t width = 0;
  return rows_width(text, strlen(text), &width) && width == expected;
}

static bool is_cell(struct rows_column column, const char *text, const char *expected) {
  struct rows out = {room, room + sizeof room};
  const enum rows_code code = rows_cell(&out, &column, text, strlen(text));
  const size_t len = (size_t)(out.at - room);
  return code == ROWS_OK && len == strlen(expected) && memcmp(room, expected, len) == 0;
}

static void writes_cells(void) {
  size_t width;
  check(is_width("", 0) && is_width("abcdefgh ijk", 12) && is_width("Zo\xC3\xAB", 3) &&
            is_width("\xE6\xB8\xA1\xE8\xBE\xBA", 4),
        "columns are counted");
  check(!rows_width("a\n", 2, &width) && !rows_width("e\xCC\x81", 3, &width) &&
            !rows_width("\xF0\x9F\x91\x8D", 4, &width),
        "marks and emoji are left to pcapi.text");
  check(is_cell((struct rows_column){5, false, false, false}, "abc", "abc  ") &&
            is_cell((struct rows_column){5, true, false, false}, "12", "   12") &&
            is_cell((struct rows_column){5, false, true, false}, "abc", "abc") &&
            is_cell((struct rows_column){5, true, true, false}, "12", "   12"),
        "cells are filled, but for the last one");
  check(is_cell((struct rows_column){4, false, false, false}, "abcdef", "abc\xE2\x80\xA6") &&
            is_cell((struct rows_column){5, false, false, true}, "abcdef", "ab...") &&
            is_cell((struct rows_column){2, false, false, true}, "abcdef", "..") &&
            is_cell((struct rows_column){1, false, false, false}, "abcdef", "\xE2\x80\xA6"),
        "cells are cut");
  check(is_cell((struct rows_column){3, false, false, false}, "\xE6\xB8\xA1\xE8\xBE\xBA",
                "\xE6\xB8\xA1\xE2\x80\xA6") &&
            is_cell((struct rows_column){2, false, false, false}, "\xE6\xB8\xA1\xE8\xBE\xBA",
                    "\xE2\x80\xA6 "),
        "wide characters are cut whole");
  struct rows out = {room, room + 10};
  struct rows_column column = {SIZE_MAX, false, false, false};
  check(rows_cell(&out, &column, "a", 1) == ROWS_FULL && out.at == room,
        "a column may be too wide");
}

int main(void) {
  writes_csv();
  writes_json();
  refuses();
  ends_in_time();
  writes_cells();
  return check_result("rows");
}
