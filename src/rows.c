#include "rows.h"

#include <string.h>

/* Classes of bytes. */
enum {
  LAYOUT = 1,    /* TAB, LF, CR */
  CONTROL = 2,   /* the other control characters */
  QUOTE = 4,     /* " */
  SEPARATOR = 8, /* , ; */
  BACKSLASH = 16,
  HIGH = 32, /* not ASCII */
};

static unsigned class_of(char c) {
  switch (c) {
  case '"':
    return QUOTE;
  case ',':
  case ';':
    return SEPARATOR;
  case '\\':
    return BACKSLASH;
  case '\t':
  case '\n':
  case '\r':
    return LAYOUT;
  case 0x7F:
    return CONTROL;
  default:
    return (unsigned char)c >= 0x80 ? HIGH : c < ' ' ? CONTROL : 0;
  }
}

#define WORD ((size_t)8)
#define EACH(byte) (0x0101010101010101ULL * (byte))

/* Whether the bytes of a word all have class 0. If none has its high bit set, a subtraction sets
 * that of a byte only if this or a lower byte is too small. */
static bool is_ordinary(const char *text) {
  uint64_t word;
  memcpy(&word, text, WORD);
  const uint64_t found = word | (word - EACH(' ')) | ((word ^ EACH('"')) - EACH(1)) |
                         ((word ^ EACH(',')) - EACH(1)) | ((word ^ EACH(';')) - EACH(1)) |
                         ((word ^ EACH('\\')) - EACH(1)) | ((word ^ EACH(0x7F)) - EACH(1));
  return !(found & EACH(0x80));
}

static unsigned classes_of(const char *text, size_t len) {
  unsigned all = 0;
  for (size_t i = 0; i < len;) {
    const size_t end = len - i < WORD ? len : i + WORD;
    if (len >= WORD && is_ordinary(text + end - WORD))
      i = end;
    for (; i < end; i++)
      all |= class_of(text[i]);
  }
  return all;
}

static size_t room_of(const struct rows *out) {
  return (size_t)(out->end - out->at);
}

enum rows_code rows_bytes(struct rows *out, const char *bytes, size_t len) {
  if (len > room_of(out))
    return ROWS_FULL;
  memcpy(out->at, bytes, len);
  out->at += len;
  return ROWS_OK;
}

/* Reads the character at p, which is not ASCII (RFC 3629 §4: no overlong forms, no surrogates,
 * nothing above U+10FFFF). Returns its length; 0 if it is not UTF-8. */
static size_t decode(const char *p, size_t left, uint32_t *code) {
  static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  const unsigned char first = (unsigned char)*p;
  const size_t len = first < 0xC2 || first > 0xF4 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  if (len == 0 || len > left)
    return 0;
  uint32_t c = first & (0xFFU >> (len + 1));
  for (size_t i = 1; i < len; i++) {
    const unsigned char next = (unsigned char)p[i];
    if ((next & 0xC0) != 0x80)
      return 0;
    c = c << 6 | (next & 0x3F);
  }
  *code = c;
  return c < least[len] || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF) ? 0 : len;
}

struct range {
  uint32_t first;
  uint32_t last;
};

static bool is_in(const struct range *ranges, size_t count, uint32_t code) {
  for (size_t i = 0; i < count && ranges[i].first <= code; i++)
    if (code <= ranges[i].last)
      return true;
  return false;
}

#define IS_IN(ranges, code) is_in(ranges, sizeof(ranges) / sizeof *(ranges), code)

/* The invisible characters of pcapi.text. */
static bool is_hidden(uint32_t code) {
  static const struct range hidden[] = {
      {0x80, 0x9F},       {0xAD, 0xAD},     {0x34F, 0x34F},     {0x61C, 0x61C},
      {0x115F, 0x1160},   {0x17B4, 0x17B5}, {0x180E, 0x180E},   {0x200B, 0x200F},
      {0x2028, 0x202E},   {0x2060, 0x206F}, {0x3164, 0x3164},   {0xFEFF, 0xFEFF},
      {0xFFA0, 0xFFA0},   {0xFFF9, 0xFFFB}, {0x1BCA0, 0x1BCA3}, {0x1D173, 0x1D17A},
      {0xE0000, 0xE0FFF},
  };
  return (code <= 0x3164 || code >= 0xFEFF) && IS_IN(hidden, code);
}

/* Whether a text is UTF-8 without invisible characters. ASCII counts as visible. */
static bool is_visible(const char *text, size_t len) {
  for (size_t i = 0; i < len;) {
    uint32_t code;
    if ((unsigned char)text[i] < 0x80) {
      i++;
      continue;
    }
    const size_t size = decode(text + i, len - i, &code);
    if (size == 0 || is_hidden(code))
      return false;
    i += size;
  }
  return true;
}

/* Whether a text begins with a blank, behind which a formula may begin, or with a full-width sign:
 * U+00A0, U+1680, U+2000 to U+206F, U+3000, U+FF00 to U+FF3F. */
static bool begins_oddly(const char *text, size_t len) {
  static const char *const odd[] = {" ",        "\xC2\xA0",     "\xE1\x9A\x80", "\xE2\x80",
                                    "\xE2\x81", "\xE3\x80\x80", "\xEF\xBC"};
  if (*text != ' ' && !(class_of(*text) & HIGH))
    return false;
  for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
    const size_t size = strlen(odd[i]);
    if (size <= len && memcmp(text, odd[i], size) == 0)
      return true;
  }
  return false;
}

static bool is_formula(char first) {
  return first == '=' || first == '+' || first == '-' || first == '@' || class_of(first) == LAYOUT;
}

/* RFC 4180 §2 requires quotes around commas, quotes and line ends; semicolons, tabs and outer
 * spaces are quoted for readers that split at them or trim them. */
enum rows_code rows_csv(struct rows *out, const char *text, size_t len) {
  if (len == 0)
    return ROWS_OK;
  const unsigned classes = classes_of(text, len);
  if (classes & CONTROL || begins_oddly(text, len) || (classes & HIGH && !is_visible(text, len)))
    return ROWS_ODD;
  if (len > room_of(out) / 2 || room_of(out) - 2 * len < 3)
    return ROWS_FULL;
  char *p = out->at;
  const bool is_quoted = classes & (QUOTE | SEPARATOR | LAYOUT) || text[len - 1] == ' ';
  if (is_quoted)
    *p++ = '"';
  if (is_formula(*text))
    *p++ = '\'';
  if (classes & QUOTE) {
    for (size_t i = 0; i < len; i++) {
      *p++ = text[i];
      if (text[i] == '"')
        *p++ = '"';
    }
  } else {
    memcpy(p, text, len);
    p += len;
  }
  if (is_quoted)
    *p++ = '"';
  out->at = p;
  return ROWS_OK;
}

/* Writes the escape of a byte. Returns its end. */
static char *escape(char *p, char c) {
  static const char digits[] = "0123456789abcdef";
  static const char named[] = "\bb\tt\nn\ff\rr\"\"\\\\"; /* a byte and its letter */
  *p++ = '\\';
  for (size_t i = 0; i < sizeof named - 1; i += 2)
    if (c == named[i]) {
      *p++ = named[i + 1];
      return p;
    }
  memcpy(p, "u00", 3);
  p[3] = digits[(unsigned char)c >> 4];
  p[4] = digits[c & 0xF];
  return p + 5;
}

enum rows_code rows_json(struct rows *out, const char *text, size_t len) {
  const unsigned special = LAYOUT | CONTROL | QUOTE | BACKSLASH;
  const unsigned classes = classes_of(text, len);
  if (classes & HIGH && !is_visible(text, len))
    return ROWS_ODD;
  const size_t most = classes & special ? 6 : 1; /* bytes that are written for one */
  if (room_of(out) < 2 || len > (room_of(out) - 2) / most)
    return ROWS_FULL;
  char *p = out->at;
  *p++ = '"';
  if (classes & special) {
    for (size_t i = 0; i < len; i++)
      if (class_of(text[i]) & special)
        p = escape(p, text[i]);
      else
        *p++ = text[i];
  } else {
    memcpy(p, text, len);
    p += len;
  }
  *p++ = '"';
  out->at = p;
  return ROWS_OK;
}

/* The columns of a character; 0 if it has none, or if only pcapi.text knows. */
static size_t columns_of(uint32_t code) {
  static const struct range one[] = {
      {0xA0, 0x2FF},    {0x370, 0x482},   {0x48A, 0x588},   {0x5BE, 0x5BE},
      {0x5D0, 0x5EA},   {0x620, 0x64A},   {0x660, 0x66F},   {0x671, 0x6D5},
      {0x1E00, 0x1FFF}, {0x2010, 0x2027}, {0x2030, 0x205E}, {0x20A0, 0x20CF},
  };
  static const struct range two[] = {
      {0x3041, 0x3096}, {0x309B, 0x3163}, {0x3165, 0x4DBF},
      {0x4E00, 0xA4CF}, {0xAC00, 0xD7A3}, {0xFF01, 0xFF60},
  };
  if (is_hidden(code))
    return 0;
  return IS_IN(one, code) ? 1 : IS_IN(two, code) ? 2 : 0;
}

/* Sets the bytes and the columns of the character at p, a text that is valid so far. Returns false
 * if it is not plain. */
static inline bool measure(const char *p, size_t left, size_t *size, size_t *columns) {
  const unsigned class = class_of(*p);
  uint32_t code;
  *size = *columns = 1;
  if (!(class & HIGH))
    return !(class & (CONTROL | LAYOUT));
  *size = decode(p, left, &code);
  if (*size == 0)
    return false;
  *columns = columns_of(code);
  return *columns > 0;
}

bool rows_width(const char *text, size_t len, size_t *width) {
  const unsigned classes = classes_of(text, len);
  *width = len;
  if (!(classes & HIGH))
    return !(classes & (CONTROL | LAYOUT));
  *width = 0;
  for (size_t i = 0; i < len;) {
    size_t size;
    size_t columns;
    if (!measure(text + i, len - i, &size, &columns))
      return false;
    i += size;
    *width += columns;
  }
  return true;
}

/* Returns how many bytes of a plain text fit into so many columns; sets the columns that they take.
 */
static size_t fit(const char *text, size_t len, size_t room, size_t *used) {
  size_t i = 0;
  *used = 0;
  while (i < len) {
    size_t size;
    size_t columns;
    if (!measure(text + i, len - i, &size, &columns) || *used + columns > room)
      break;
    i += size;
    *used += columns;
  }
  return i;
}

static char *fill(char *p, size_t count) {
  memset(p, ' ', count);
  return p + count;
}

enum rows_code rows_cell(struct rows *out, const struct rows_column *column, const char *text,
                         size_t len) {
  const char *mark = "";
  size_t width;
  if (!rows_width(text, len, &width))
    return ROWS_ODD;
  if (width > column->width) {
    const size_t dots = column->width < 3 ? column->width : 3;
    const size_t mark_width = column->is_ascii ? dots : 1;
    mark = column->is_ascii ? &"..."[3 - dots] : "\xE2\x80\xA6";
    len = fit(text, len, column->width - mark_width, &width);
    width += mark_width;
  }
  const size_t spaces = column->width - width;
  if (spaces > room_of(out) || len + strlen(mark) > room_of(out) - spaces)
    return ROWS_FULL;
  char *p = out->at;
  if (column->is_right)
    p = fill(p, spaces);
  memcpy(p, text, len);
  memcpy(p + len, mark, strlen(mark));
  p += len + strlen(mark);
  if (!column->is_right && !column->is_last)
    p = fill(p, spaces);
  out->at = p;
  return ROWS_OK;
}
