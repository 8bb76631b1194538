#include "reader.h"

#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* The tokens that may come next, after white space. */
enum {
  EXPECTS_VALUE, /* or a member, in an object */
  EXPECTS_FIRST, /* the same, or the end of the container */
  EXPECTS_COMMA, /* or the end of the container; at depth 0 the end of the text */
};

/* A batch ends before a container if less than this is left. */
#define ROOM (READER_BATCH / 4)

size_t reader_bom(const char *text, size_t len) {
  return len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
}

void reader_begin(struct reader *r, const char *text, size_t len, size_t max_values) {
  r->text = text;
  r->at = text + reader_bom(text, len);
  r->end = text + len;
  r->values_left = max_values;
  r->count = 0;
  r->depth = 0;
  r->expects = EXPECTS_VALUE;
  r->code = len > UINT32_MAX ? READER_LARGE : READER_MORE;
  r->keys = 0;
  memset(r->index, 0, sizeof r->index);
  for (int i = 0; i <= READER_DEPTH; i++)
    r->level[i].first = READER_NO_KEY;
  r->level[0].is_object = false;
  r->level[0].open = 0;
}

const char *reader_message(enum reader_code code) {
  switch (code) {
  case READER_CUT:
    return "Expected more but found the end";
  case READER_DEEP:
    return "Found too many nested data structures";
  case READER_INFINITE:
    return "Found a number that is too large";
  case READER_VALUES:
    return "Found too many values";
  case READER_LARGE:
    return "The text is larger than 4 GiB";
  default:
    return "Found an unexpected character";
  }
}

static bool fail(struct reader *r, enum reader_code code, const char *at) {
  r->code = code;
  r->at = at;
  return false;
}

/* A byte is missing at the end of the text, or is another one than expected. */
static bool refuse(struct reader *r, const char *at) {
  return fail(r, at < r->end ? READER_REFUSED : READER_CUT, at);
}

static struct reader_slot *add_slot(struct reader *r, enum reader_kind kind, uint8_t key) {
  struct reader_slot *slot = &r->slot[r->count++];
  slot->kind = (uint8_t)kind;
  slot->key = key;
  return slot;
}

/* Returns the first byte from p on that is a quote, a backslash, a control character, or not
 * ASCII. */
static inline const char *plain_end(const char *p, const char *end) {
#ifdef __SSE2__
  const __m128i quote = _mm_set1_epi8('"');
  const __m128i slash = _mm_set1_epi8('\\');
  const __m128i space = _mm_set1_epi8(' ');
  for (; end - p >= 16; p += 16) {
    const __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)p);
    /* the comparison is signed: bytes from 0x80 on are negative */
    const __m128i odd = _mm_or_si128(
        _mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, slash)),
        _mm_cmplt_epi8(bytes, space));
    const int mask = _mm_movemask_epi8(odd);
    if (mask)
      return p + __builtin_ctz((unsigned)mask);
  }
#endif
  while (p < end && (unsigned char)*p >= ' ' && (unsigned char)*p < 0x80 && *p != '"' && *p != '\\')
    p++;
  return p;
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

/* Returns the bytes of the escape at p; 0 if it is not valid. */
static size_t escape_len(const char *p, const char *end) {
  if (end - p < 2)
    return 0;
  if (p[1] == 'u')
    return code_unit(p, end) < 0 ? 0 : 6;
  return p[1] && strchr("\"\\/bfnrt", p[1]) ? 2 : 0;
}

/* Reads on in a string from its first byte that is not plain. Returns the closing quote, or NULL
 * after a failure. */
static const char *odd_end(struct reader *r, const char *p) {
  while ((p = plain_end(p, r->end)) < r->end && *p != '"') {
    if (*p == '\\') {
      const size_t len = escape_len(p, r->end);
      if (!len) {
        fail(r, READER_REFUSED, p);
        return NULL;
      }
      p += len;
    } else if ((unsigned char)*p < ' ') {
      fail(r, READER_REFUSED, p);
      return NULL;
    } else {
      p++; /* its UTF-8 is checked when its text is made */
    }
  }
  if (p < r->end)
    return p;
  refuse(r, p);
  return NULL;
}

/* Reads the string whose opening quote is at r->at into a slot. */
static inline bool read_string(struct reader *r, struct reader_slot *slot) {
  const char *start = r->at + 1;
  const char *close = plain_end(start, r->end);
  slot->is_plain = close < r->end && *close == '"';
  if (!slot->is_plain && !(close = odd_end(r, close)))
    return false;
  slot->as.text = start;
  slot->size = (uint32_t)(close - start);
  r->at = close + 1;
  return true;
}

/* Returns the key of a name, which it remembers if there is room. */
static uint8_t key_of(struct reader *r, const struct reader_slot *name) {
  if (!name->is_plain || name->size > READER_KEY_MAX)
    return READER_NO_KEY;
  uint32_t hash = 2166136261U; /* FNV-1a */
  for (uint32_t i = 0; i < name->size; i++)
    hash = (hash ^ (unsigned char)name->as.text[i]) * 16777619U;
  size_t at = hash % sizeof r->index;
  for (; r->index[at]; at = (at + 1) % sizeof r->index) {
    const struct reader_key *key = &r->key[r->index[at] - 1];
    if (key->len == name->size && memcmp(key->text, name->as.text, name->size) == 0)
      return (uint8_t)(r->index[at] - 1);
  }
  if (r->keys == READER_KEYS)
    return READER_NO_KEY;
  struct reader_key *key = &r->key[r->keys];
  key->len = (uint8_t)name->size;
  key->next = READER_NO_KEY;
  memcpy(key->text, name->as.text, name->size + 1);
  r->index[at] = ++r->keys;
  return (uint8_t)(r->keys - 1);
}

/* Reads a name that is not the expected one. */
static bool read_other_name(struct reader *r, struct reader_level *level, uint8_t *expected) {
  struct reader_slot *slot = &r->slot[r->count];
  if (r->at == r->end || *r->at != '"')
    return refuse(r, r->at);
  if (!read_string(r, slot))
    return false;
  level->last = key_of(r, slot);
  *expected = level->last;
  if (level->last == READER_NO_KEY)
    add_slot(r, READER_NAME, READER_NO_KEY);
  return true;
}

/* Reads a name. The keys of a record usually follow each other as in the record before. Sets
 * level->last. */
static bool read_name(struct reader *r) {
  struct reader_level *level = &r->level[r->depth];
  uint8_t *expected =
      level->last == READER_NO_KEY ? &level->first : &r->key[level->last].next;
  if (*expected != READER_NO_KEY) {
    const struct reader_key *key = &r->key[*expected];
    if (r->end - r->at > key->len + 1 && *r->at == '"' &&
        memcmp(r->at + 1, key->text, key->len + 1U) == 0) {
      r->at += key->len + 2;
      level->last = *expected;
      return true;
    }
  }
  return read_other_name(r, level, expected);
}

static inline void skip_space(struct reader *r) {
  while (r->at < r->end && (*r->at == ' ' || *r->at == '\n' || *r->at == '\r' || *r->at == '\t'))
    r->at++;
}

/* Reads the name of a member, the colon, and the white space up to the value. */
static bool read_member(struct reader *r) {
  if (!read_name(r))
    return false;
  if (r->at == r->end || *r->at != ':') {
    skip_space(r);
    if (r->at == r->end || *r->at != ':')
      return refuse(r, r->at);
  }
  r->at++;
  if (r->at < r->end && *r->at <= ' ')
    skip_space(r);
  return true;
}

static bool is_digit(const char *p, const char *end) {
  return p < end && *p >= '0' && *p <= '9';
}

/* The value of a valid number, rounded correctly. strtod() gets digits and an exponent only: a
 * decimal point would depend on the locale. */
static double convert(const char *p, const char *end) {
  enum { DIGITS = 800 }; /* of a double and the middle between two at most 768 count */
  char digits[DIGITS + 32];
  int n = 0;
  int64_t exponent = 0;
  int64_t written = 0;
  bool in_fraction = false;
  bool is_more = false;
  const bool is_negative = *p == '-';
  for (p += is_negative; p < end && (*p | 0x20) != 'e'; p++) {
    if (*p == '.') {
      in_fraction = true;
    } else if (n == 0 && *p == '0') {
      exponent -= in_fraction;
    } else if (n < DIGITS) {
      digits[n++] = *p;
      exponent -= in_fraction;
    } else {
      is_more |= *p != '0';
      exponent += !in_fraction;
    }
  }
  const bool is_small = end - p > 1 && p[1] == '-';
  for (p += 1 + (end - p > 1 && (p[1] == '-' || p[1] == '+')); p < end; p++)
    if (written < 1000000000000)
      written = written * 10 + (*p - '0');
  exponent += is_small ? -written : written;
  if (n == 0)
    return is_negative ? -0.0 : 0.0;
  if (exponent > 99999 || exponent < -99999)
    exponent = exponent > 0 ? 99999 : -99999;
  if (is_more) { /* above the middle between two doubles, not on it */
    digits[n++] = '1';
    exponent--;
  }
  snprintf(digits + n, sizeof digits - (size_t)n, "e%d", (int)exponent);
  const double value = strtod(digits, NULL);
  return is_negative ? -value : value;
}

/* The result of a scan of a number. */
struct number {
  uint64_t mantissa; /* its digits, if there are at most 19 */
  int digits;        /* without zeros at the beginning */
  int exponent;      /* of ten; wrong if it has more than 4 digits, which is_long reports */
  bool is_integer;   /* it has neither a fraction nor an exponent */
  bool is_long;
};

static const char *scan_digits(const char *p, const char *end, struct number *n) {
  for (; is_digit(p, end); p++) {
    if (n->digits < 19)
      n->mantissa = n->mantissa * 10 + (uint64_t)(*p - '0');
    if (n->digits < INT32_MAX)
      n->digits += n->digits > 0 || *p != '0';
  }
  return p;
}

/* Scans an exponent. Returns its end; NULL if it has no digit, which then is at *at. */
static const char *scan_exponent(const char *p, const char *end, struct number *n,
                                 const char **at) {
  const bool is_signed = p < end && (*p == '-' || *p == '+');
  const bool is_negative = is_signed && *p == '-';
  p += is_signed;
  *at = p;
  if (!is_digit(p, end))
    return NULL;
  int value = 0;
  for (; is_digit(p, end); p++) {
    n->is_long |= value > 999;
    value = n->is_long ? value : value * 10 + (*p - '0');
  }
  n->exponent += is_negative ? -value : value;
  return p;
}

/* Scans a number (RFC 8259 §6). Returns its end, or NULL after a failure. */
static const char *scan_number(struct reader *r, struct number *n) {
  const char *end = r->end;
  const char *p = r->at + (*r->at == '-');
  if (!is_digit(p, end)) {
    refuse(r, p);
    return NULL;
  }
  p = *p == '0' ? p + 1 : scan_digits(p, end, n);
  if (p < end && *p == '.') {
    const char *fraction = ++p;
    p = scan_digits(p, end, n);
    if (p == fraction) {
      refuse(r, p);
      return NULL;
    }
    n->is_integer = false;
    n->is_long |= p - fraction > 9999;
    n->exponent = n->is_long ? 0 : -(int)(p - fraction);
  }
  if (p < end && (*p | 0x20) == 'e') {
    const char *at;
    n->is_integer = false;
    p = scan_exponent(p + 1, end, n, &at);
    if (!p)
      refuse(r, at);
  }
  return p;
}

/* Sets the slot to an integer of 64 bits. Returns false if the number is no such integer. */
static bool set_integer(struct reader_slot *slot, const struct number *n, bool is_negative) {
  const uint64_t most = (uint64_t)INT64_MAX + is_negative;
  if (!n->is_integer || n->digits > 19 || n->mantissa > most || (is_negative && n->mantissa == 0))
    return false;
  slot->kind = READER_INTEGER;
  slot->as.integer = is_negative ? (int64_t)(0 - n->mantissa) : (int64_t)n->mantissa;
  return true;
}

/* Computes a short decimal number exactly: both factors are doubles without an error, so that the
 * one operation rounds correctly (Clinger 1990). Returns false for any other number. */
static bool set_short(struct reader_slot *slot, const struct number *n, bool is_negative) {
#if FLT_EVAL_METHOD == 0
  static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                  1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                  1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
  if (n->is_long || n->digits > 19 || n->mantissa > (1ULL << 53) || n->exponent > 22 ||
      n->exponent < -22)
    return false;
  double value = (double)n->mantissa;
  if (n->exponent < 0)
    value /= powers[-n->exponent];
  else
    value *= powers[n->exponent];
  slot->as.number = is_negative ? -value : value;
  return true;
#else
  (void)slot, (void)n, (void)is_negative;
  return false;
#endif
}

static bool read_number(struct reader *r, struct reader_slot *slot) {
  struct number n = {.is_integer = true};
  const char *start = r->at;
  const bool is_negative = *start == '-';
  const char *end = scan_number(r, &n);
  if (!end)
    return false;
  r->at = end;
  if (set_integer(slot, &n, is_negative))
    return true;
  slot->kind = READER_NUMBER;
  if (set_short(slot, &n, is_negative))
    return true;
  slot->as.number = convert(start, end);
  if (slot->as.number > DBL_MAX || slot->as.number < -DBL_MAX)
    return fail(r, READER_INFINITE, start);
  return true;
}

static bool read_word(struct reader *r, struct reader_slot *slot, const char *word, size_t len,
                      enum reader_kind kind) {
  if ((size_t)(r->end - r->at) < len || memcmp(r->at, word, len) != 0)
    return fail(r, READER_REFUSED, r->at);
  slot->kind = (uint8_t)kind;
  r->at += len;
  return true;
}

static bool read_opening(struct reader *r, struct reader_slot *slot) {
  if (r->depth == READER_DEPTH)
    return fail(r, READER_DEEP, r->at);
  struct reader_level *level = &r->level[++r->depth];
  level->is_object = *r->at++ == '{';
  level->last = READER_NO_KEY;
  level->open = r->count;
  slot->kind = level->is_object ? READER_OBJECT : READER_ARRAY;
  slot->size = 0;
  slot->as.close = 0;
  r->expects = EXPECTS_FIRST;
  return true;
}

/* Reads the value at r->at into a new slot. */
static bool read_value(struct reader *r, uint8_t key) {
  if (r->at == r->end)
    return refuse(r, r->at);
  if (r->values_left == 0)
    return fail(r, READER_VALUES, r->at);
  r->values_left--;
  struct reader_slot *slot = add_slot(r, READER_STRING, key);
  r->expects = EXPECTS_COMMA;
  if (*r->at == '"')
    return read_string(r, slot);
  switch (*r->at) {
  case '{':
  case '[':
    return read_opening(r, slot);
  case 't':
    return read_word(r, slot, "true", 4, READER_TRUE);
  case 'f':
    return read_word(r, slot, "false", 5, READER_FALSE);
  case 'n':
    return read_word(r, slot, "null", 4, READER_NULL);
  default:
    if (*r->at != '-' && !is_digit(r->at, r->end))
      return fail(r, READER_REFUSED, r->at);
    return read_number(r, slot);
  }
}

/* Whether the batch ends before the byte at r->at. A name and its value are never split. */
static inline bool is_full(const struct reader *r) {
  return r->count > READER_BATCH - 2 ||
         (r->count > READER_BATCH - ROOM && (*r->at == '{' || *r->at == '['));
}

/* Skips the comma at r->at if what follows it directly may be read at once, as in compact JSON. */
static inline bool skip_comma(struct reader *r) {
  if (r->end - r->at < 2 || *r->at != ',' || r->at[1] <= ' ')
    return false;
  r->at++;
  if (!is_full(r))
    return true;
  r->at--;
  return false;
}

/* Reads the next element or member, and those that follow it in compact JSON, up to one that is a
 * container. Counts them in their container. */
static bool read_items(struct reader *r) {
  struct reader_level *level = &r->level[r->depth];
  uint32_t size = 0;
  bool ok;
  do {
    if (level->is_object && !read_member(r))
      return false;
    const size_t at = r->count;
    ok = read_value(r, level->is_object ? level->last : READER_NO_KEY);
    size += !level->is_object || r->slot[at].kind != READER_NULL;
  } while (ok && r->expects == EXPECTS_COMMA && r->depth > 0 && skip_comma(r));
  if (level->open > 0)
    r->slot[level->open - 1].size += size;
  return ok;
}

static void close_container(struct reader *r) {
  const struct reader_level *level = &r->level[r->depth--];
  if (level->open > 0)
    r->slot[level->open - 1].as.close = r->count;
  add_slot(r, READER_CLOSE, READER_NO_KEY);
  r->at++;
  r->expects = EXPECTS_COMMA;
}

/* Reads what comes next at r->at, which is not white space. */
static bool read_next(struct reader *r) {
  const char c = *r->at;
  if (r->expects != EXPECTS_VALUE && r->depth > 0 &&
      c == (r->level[r->depth].is_object ? '}' : ']')) {
    close_container(r);
    return true;
  }
  if (r->expects != EXPECTS_COMMA)
    return read_items(r);
  if (r->depth == 0 || c != ',')
    return fail(r, READER_REFUSED, r->at);
  r->at++;
  r->expects = EXPECTS_VALUE;
  return true;
}

enum reader_code reader_read(struct reader *r) {
  r->count = 0;
  for (int i = 1; i <= r->depth; i++)
    r->level[i].open = 0;
  while (r->code == READER_MORE) {
    skip_space(r);
    if (r->at < r->end) {
      if (is_full(r))
        break;
      read_next(r);
    } else if (r->depth == 0 && r->expects == EXPECTS_COMMA) {
      r->code = READER_END;
    } else {
      refuse(r, r->at);
    }
  }
  return r->code;
}

/* Writes a code point. Returns its bytes. */
static size_t put(char *out, unsigned long c) {
  if (c < 0x80) {
    out[0] = (char)c;
    return 1;
  }
  if (c < 0x800) {
    out[0] = (char)(0xC0 | c >> 6);
    out[1] = (char)(0x80 | (c & 0x3F));
    return 2;
  }
  if (c < 0x10000) {
    out[0] = (char)(0xE0 | c >> 12);
    out[1] = (char)(0x80 | (c >> 6 & 0x3F));
    out[2] = (char)(0x80 | (c & 0x3F));
    return 3;
  }
  out[0] = (char)(0xF0 | c >> 18);
  out[1] = (char)(0x80 | (c >> 12 & 0x3F));
  out[2] = (char)(0x80 | (c >> 6 & 0x3F));
  out[3] = (char)(0x80 | (c & 0x3F));
  return 4;
}

#define REPLACEMENT 0xFFFDUL

/* Copies the bytes beyond ASCII at *p: a character, or for what is none of UTF-8, as much as begins
 * one, U+FFFD (Unicode 3.9, table 3-7 and "maximal subpart"). Returns the bytes written. */
static size_t copy_character(const char **p, const char *end, char *out) {
  const unsigned char *s = (const unsigned char *)*p;
  const int more = s[0] < 0xC2 || s[0] > 0xF4 ? 0 : s[0] < 0xE0 ? 1 : s[0] < 0xF0 ? 2 : 3;
  unsigned low = s[0] == 0xE0 ? 0xA0 : s[0] == 0xF0 ? 0x90 : 0x80;
  unsigned high = s[0] == 0xED ? 0x9F : s[0] == 0xF4 ? 0x8F : 0xBF;
  int n = 1;
  for (; n <= more && end - *p > n && s[n] >= low && s[n] <= high; n++) {
    low = 0x80;
    high = 0xBF;
  }
  *p += n;
  if (more == 0 || n <= more)
    return put(out, REPLACEMENT);
  memcpy(out, s, (size_t)n);
  return (size_t)n;
}

/* Resolves the escape at *p, which is valid. Returns the bytes written. */
static size_t copy_escape(const char **p, const char *end, char *out) {
  static const char from[] = "bfnrt";
  static const char to[] = "\b\f\n\r\t";
  const long unit = code_unit(*p, end);
  if (unit < 0) {
    const char *found = strchr(from, (*p)[1]);
    *out = found ? to[found - from] : (*p)[1];
    *p += 2;
    return 1;
  }
  const long next = unit >= 0xD800 && unit < 0xDC00 ? code_unit(*p + 6, end) : -1;
  *p += 6;
  if (next >= 0xDC00 && next < 0xE000) {
    *p += 6;
    return put(out, 0x10000UL + ((unsigned long)(unit - 0xD800) << 10) +
                        (unsigned long)(next - 0xDC00));
  }
  return put(out, unit >= 0xD800 && unit < 0xE000 ? REPLACEMENT : (unsigned long)unit);
}

size_t reader_text(const struct reader_slot *slot, char *out) {
  const char *p = slot->as.text;
  const char *end = p + slot->size;
  char *to = out;
  while (p < end) {
    const char *odd = plain_end(p, end);
    memcpy(to, p, (size_t)(odd - p));
    to += odd - p;
    p = odd;
    if (p < end)
      to += *p == '\\' ? copy_escape(&p, end, to) : copy_character(&p, end, to);
  }
  return (size_t)(to - out);
}

/* Copies the escape at *p as it is, or \ufffd for an unpaired surrogate. Returns the bytes. */
static size_t mend_escape(const char **p, const char *end, char *out) {
  const long unit = code_unit(*p, end);
  const long next = unit >= 0xD800 && unit < 0xDC00 ? code_unit(*p + 6, end) : -1;
  const bool is_pair = next >= 0xDC00 && next < 0xE000;
  const size_t len = is_pair ? 12 : unit >= 0 ? 6 : end - *p > 1 ? 2 : 1;
  memcpy(out, *p, len);
  *p += len;
  if (!is_pair && unit >= 0xD800 && unit < 0xE000)
    memcpy(out + 2, "fffd", 4);
  return len;
}

size_t reader_mend(const char *text, size_t len, char *out) {
  const char *end = text + len;
  char *to = out;
  for (const char *p = text; p < end;) {
    if (*p == '\\')
      to += mend_escape(&p, end, to);
    else if ((unsigned char)*p < 0x80)
      *to++ = *p++;
    else
      to += copy_character(&p, end, to);
  }
  return (size_t)(to - out);
}
