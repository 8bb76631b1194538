#include "jsontext.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

size_t jsontext_bom(const char *text, size_t len) {
  return len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
}

/* Whether c begins a number or null. A value follows a comma, a "[", white space, or a colon that
 * itself follows a quote or white space: times such as 07:08 contain ":0". Uses bitwise operators,
 * so that the compiler can vectorise it. */
static unsigned starts_scalar(unsigned char before2, unsigned char before, unsigned char c) {
  const unsigned member =
      (unsigned)(before == ':') & (unsigned)((before2 == '"') | (before2 <= ' '));
  const unsigned opens =
      member | (unsigned)(before == ',') | (unsigned)(before == '[') | (unsigned)(before <= ' ');
  const unsigned scalar =
      (unsigned)((unsigned char)(c - '0') < 10) | (unsigned)(c == '-') | (unsigned)(c == 'n');
  return opens & scalar;
}

size_t jsontext_scalars(const char *text, size_t len) {
  const unsigned char *p = (const unsigned char *)text;
  size_t count = 0;
  size_t i = 0;
  for (; i < len && i < 2; i++) /* nothing precedes a lone value */
    count += starts_scalar(i ? p[i - 1] : ' ', i ? p[i - 1] : ' ', p[i]);
  enum { BLOCK = 64 }; /* with a constant gcc -O2 vectorises it too */
  for (; len - i >= BLOCK; i += BLOCK) {
    unsigned char in_block = 0;
    for (int j = 0; j < BLOCK; j++)
      in_block = (unsigned char)(in_block + starts_scalar(p[i + (size_t)j - 2],
                                                          p[i + (size_t)j - 1], p[i + (size_t)j]));
    count += in_block;
  }
  for (; i < len; i++)
    count += starts_scalar(p[i - 2], p[i - 1], p[i]);
  return count;
}

/* Returns the closing quote of the string that opens before p; NULL if there is none. */
static const char *string_end(const char *p, const char *end) {
  while (p < end && (p = memchr(p, '"', (size_t)(end - p))) != NULL) {
    size_t slashes = 0;
    while (p[-1 - (ptrdiff_t)slashes] == '\\')
      slashes++;
    if (slashes % 2 == 0)
      return p;
    p++;
  }
  return NULL;
}

static bool is_opening(char c) {
  return c == '{' || c == '[';
}

static bool is_closing(char c) {
  return c == '}' || c == ']';
}

/* Every value but the outermost one follows one of these. Bitwise, as above. */
static unsigned begins_value(char c) {
  return (unsigned)(c == ',') | (unsigned)(c == '[') | (unsigned)(c == '{');
}

static size_t skip_space(const char *text, size_t at, size_t len) {
  while (at < len && (text[at] == ' ' || text[at] == '\n' || text[at] == '\r' || text[at] == '\t'))
    at++;
  return at;
}

/* Whether the container that opens before at is not empty. */
static bool is_filled(const char *text, size_t at, size_t len) {
  at = skip_space(text, at, len);
  return at < len && text[at] != '}' && text[at] != ']';
}

size_t jsontext_bound(const char *text, size_t len) {
  enum { BLOCK = 64 }; /* as above */
  size_t count = 1;
  size_t i = 0;
  for (; len - i >= BLOCK; i += BLOCK) {
    unsigned char in_block = 0;
    for (size_t j = 0; j < BLOCK; j++)
      in_block = (unsigned char)(in_block + begins_value(text[i + j]));
    count += in_block;
  }
  for (; i < len; i++)
    count += begins_value(text[i]);
  return count;
}

struct jsontext_size jsontext_count(const char *text, size_t len) {
  struct jsontext_size size = {.values = 1};
  size_t depth = 0;
  size_t list_depth = 0; /* of the arrays that may be the list of records */
  size_t records = 0;    /* in the current array */
  bool in_list = false;
  for (size_t at = 0; at < len; at++) {
    const char c = text[at];
    if (c == '"') {
      const char *closing = string_end(text + at + 1, text + len);
      if (!closing)
        break;
      at = (size_t)(closing - text);
    } else if (is_opening(c)) {
      const bool filled = is_filled(text, at + 1, len);
      size.values += filled;
      if (++depth == 1)
        list_depth = c == '[' ? 1 : 2;
      if (depth == list_depth) {
        in_list = c == '[';
        records = filled;
      }
    } else if (is_closing(c)) {
      depth -= depth > 0;
    } else if (c == ',') {
      size.values++;
      records += depth == list_depth;
    }
    if (in_list && records > size.records)
      size.records = records;
  }
  return size;
}

static int hex_digit(char c) {
  if (c >= '0' && c <= '9')
    return c - '0';
  c |= 0x20; /* lower case */
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Returns the UTF-16 code unit of the escape \uXXXX at p; -1 for anything else. */
static long code_unit(const char *p, const char *end) {
  long unit = 0;
  if (end - p < 6 || p[0] != '\\' || p[1] != 'u')
    return -1;
  for (int i = 2; i < 6; i++) {
    const int digit = hex_digit(p[i]);
    if (digit < 0)
      return -1;
    unit = unit * 16 + digit;
  }
  return unit;
}

size_t jsontext_mend(char *text, size_t len) {
  const char *end = text + len;
  size_t count = 0;
  for (char *p = text; p < end && (p = memchr(p, '\\', (size_t)(end - p))) != NULL;) {
    const long unit = code_unit(p, end);
    const long next = unit >= 0xD800 && unit < 0xDC00 ? code_unit(p + 6, end) : -1;
    if (next >= 0xDC00 && next < 0xE000) {
      p += 12;
    } else if (unit >= 0xD800 && unit < 0xE000) {
      memcpy(p + 2, "fffd", 4);
      p += 6;
      count++;
    } else {
      p += end - p > 1 ? 2 : 1;
    }
  }
  return count;
}

/* Enters the container whose bracket is at w->at. */
static void enter(struct jsontext_walk *w, char bracket) {
  struct jsontext_level *level = &w->level[++w->depth];
  level->bracket = w->at++;
  level->element = w->at;
  level->kind = bracket;
}

/* Reports the bytes before to as a run; the next piece begins at from. */
static int report_run(struct jsontext_walk *w, const char *text, size_t to, size_t from,
                      struct jsontext_piece *piece) {
  if (skip_space(text, w->from, to) == to)
    return JSONTEXT_BROKEN; /* a comma without a value */
  *piece = (struct jsontext_piece){w->from, to, w->level[w->opened].kind};
  w->needs_value = from > to;
  w->from = from;
  return JSONTEXT_RUN;
}

/* Within a long container: reports the run before it, or that it opens. */
static int report_opening(struct jsontext_walk *w, const char *text, struct jsontext_piece *piece) {
  const struct jsontext_level *level = &w->level[w->opened];
  if (level->element > w->from)
    return report_run(w, text, level->element - 1, level->element, piece);
  *piece = (struct jsontext_piece){w->from, level[1].bracket, level->kind};
  w->opened++;
  w->from = level[1].bracket + 1;
  w->needs_value = false;
  return JSONTEXT_OPEN;
}

/* At the end of the innermost opened container: reports its last run, or that it closes. */
static int report_closing(struct jsontext_walk *w, const char *text, struct jsontext_piece *piece) {
  if (skip_space(text, w->from, w->at) < w->at)
    return report_run(w, text, w->at, w->at, piece);
  if (w->needs_value)
    return JSONTEXT_BROKEN;
  w->depth--;
  w->opened--;
  w->from = ++w->at;
  w->follows_close = true;
  return JSONTEXT_CLOSE;
}

/* Behind a closed container: skips the comma that follows, or finds the bracket that follows. */
static bool continue_after_close(struct jsontext_walk *w, const char *text, size_t len) {
  w->follows_close = false;
  w->at = skip_space(text, w->at, len);
  if (w->at == len || (text[w->at] != ',' && !is_closing(text[w->at])))
    return false;
  if (text[w->at] == ',') {
    w->level[w->depth].element = ++w->at;
    w->needs_value = true;
  }
  w->from = w->at;
  return true;
}

static int begin(struct jsontext_walk *w, const char *text, size_t len,
                 struct jsontext_piece *piece) {
  w->at = skip_space(text, jsontext_bom(text, len), len);
  if (w->at == len || !is_opening(text[w->at]))
    return JSONTEXT_WHOLE;
  *piece = (struct jsontext_piece){w->at, w->at, 0};
  enter(w, text[w->at]);
  w->opened = 1;
  w->from = w->at;
  return JSONTEXT_OPEN;
}

/* Skips the string, or the one other byte, at w->at. */
static bool skip(struct jsontext_walk *w, const char *text, size_t len) {
  if (text[w->at] == '"') {
    const char *closing = string_end(text + w->at + 1, text + len);
    if (!closing)
      return false;
    w->at = (size_t)(closing - text);
  } else if (text[w->at] == ',') {
    w->level[w->depth].element = w->at + 1;
  }
  w->at++;
  return true;
}

static bool is_bracket_of(char closing, char kind) {
  return closing == (kind == '{' ? '}' : ']');
}

int jsontext_next(struct jsontext_walk *w, const char *text, size_t len, size_t least,
                  struct jsontext_piece *piece) {
  if (w->depth == 0 && w->from == 0)
    return begin(w, text, len, piece);
  if (w->depth == 0)
    return (w->at = skip_space(text, w->at, len)) == len ? JSONTEXT_END : JSONTEXT_BROKEN;
  if (w->follows_close && !continue_after_close(w, text, len))
    return JSONTEXT_BROKEN;
  while (w->at < len) {
    const char c = text[w->at];
    const bool is_long = w->at - w->from >= least;
    if (is_long && w->depth > w->opened)
      return report_opening(w, text, piece);
    if (is_long && c == ',') {
      w->level[w->depth].element = ++w->at;
      return report_run(w, text, w->at - 1, w->at, piece);
    }
    if (is_closing(c) && !is_bracket_of(c, w->level[w->depth].kind))
      return JSONTEXT_BROKEN;
    if (is_closing(c) && w->depth == w->opened)
      return report_closing(w, text, piece);
    if (is_opening(c) && w->depth == JSONTEXT_DEPTH)
      return JSONTEXT_DEEP;
    if (is_opening(c)) {
      enter(w, c);
    } else if (is_closing(c)) {
      w->depth--;
      w->at++;
    } else if (!skip(w, text, len)) {
      return JSONTEXT_BROKEN;
    }
  }
  return JSONTEXT_BROKEN;
}
