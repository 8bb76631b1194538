#include "head.h"

#include <string.h>

/* A part of a line. */
struct span {
  const char *p, *end;
};

#define LINES_MAX ((size_t)1 << 16) /* of a head, whatever its size */

void head_reset(struct head *h, size_t max) {
  struct buf text = h->text;
  struct buf fields = h->fields;
  buf_clear(&text);
  buf_clear(&fields);
  text.max = max;
  fields.max = (max < LINES_MAX ? max : LINES_MAX) * sizeof(struct head_field);
  *h = (struct head){.text = text, .fields = fields};
}

void head_free(struct head *h) {
  buf_free(&h->text);
  buf_free(&h->fields);
}

bool head_is_over(const struct head *h) {
  return h->state == HEAD_OVER;
}

static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

static struct span trimmed(struct span s) {
  while (s.p < s.end && head_is_space(*s.p))
    s.p++;
  while (s.end > s.p && head_is_space(s.end[-1]))
    s.end--;
  return s;
}

bool head_is_word(const char *text, size_t len, const char *word, size_t word_len) {
  size_t i = 0;
  while (len == word_len && i < len && head_lower(text[i]) == word[i])
    i++;
  return len == word_len && i == len;
}

/* Whether a span is the literal. */
#define IS(s, word) head_is_word((s).p, (size_t)((s).end - (s).p), word, sizeof(word) - 1)

/* Returns the three digits in a line such as "HTTP/1.1 200 OK"; NULL if it is not a status line.
 * libcurl writes the status line of HTTP/2 as "HTTP/2 200 ". */
static const char *status_of(struct span line) {
  static const char *const versions[] = {"HTTP/1.1 ", "HTTP/1.0 ", "HTTP/2 ", "HTTP/3 "};
  for (size_t i = 0; i < sizeof versions / sizeof *versions; i++) {
    const size_t len = strlen(versions[i]);
    if ((size_t)(line.end - line.p) < len + 3 || memcmp(line.p, versions[i], len) != 0)
      continue;
    const char *status = line.p + len;
    const bool ends = status + 3 == line.end || status[3] == ' ';
    if (ends && is_digit(status[0]) && status[0] != '0' && is_digit(status[1]) &&
        is_digit(status[2]))
      return status;
  }
  return NULL;
}

/* Returns where a span is, counted from the begin of the text that begins at p. */
static struct head_span span_of(const char *p, struct span s) {
  return (struct head_span){(unsigned)(s.p - p), (unsigned)(s.end - s.p)};
}

static enum head_code begin(struct head *h, struct span line) {
  const char *status = status_of(line);
  if (!status)
    return HEAD_NOT_HTTP;
  h->text.max -= h->text.len; /* otherwise there would be no limit on interim responses */
  buf_clear(&h->text);
  buf_clear(&h->fields);
  const struct span reason = trimmed((struct span){status + 3, line.end});
  h->reason = span_of(line.p, reason);
  h->has_field = h->has_coding = h->has_length = h->is_encoded = false;
  h->state = status[0] == '1' ? HEAD_INTERIM : HEAD_FINAL; /* RFC 9110 §15.2 */
  return memcmp(status, "101", 3) == 0 ? HEAD_UPGRADE : HEAD_OK;
}

/* Content-Length may be a list that repeats one number (RFC 9110 §8.6). */
static enum head_code read_length(struct head *h, struct span value) {
  const char *next;
  for (; value.p <= value.end; value.p = next + 1) {
    next = memchr(value.p, ',', (size_t)(value.end - value.p));
    if (!next)
      next = value.end;
    const struct span one = trimmed((struct span){value.p, next});
    unsigned long long length = 0;
    if (one.p == one.end || one.end - one.p > 18)
      return HEAD_FRAMING;
    for (const char *p = one.p; p < one.end; p++) {
      if (!is_digit(*p))
        return HEAD_FRAMING;
      length = length * 10 + (unsigned)(*p - '0');
    }
    if (h->has_length && length != h->length)
      return HEAD_FRAMING;
    h->has_length = true;
    h->length = length;
  }
  return h->has_coding ? HEAD_FRAMING : HEAD_OK;
}

/* libcurl would decompress "gzip, chunked" by itself, and with "identity" it would read until the
 * connection closes. */
static enum head_code read_coding(struct head *h, struct span value) {
  const bool is_sound = IS(value, "chunked") && !h->has_coding && !h->has_length;
  h->has_coding = true;
  return is_sound ? HEAD_OK : HEAD_FRAMING;
}

static enum head_code code_of(enum buf_code code) {
  switch (code) {
  case BUF_OK:
    return HEAD_OK;
  case BUF_TOO_LARGE:
    return HEAD_TOO_LARGE;
  default:
    return HEAD_NO_MEMORY;
  }
}

/* Adds a field of a line, which is not part of the text yet. */
static enum head_code add_field(struct head *h, struct span line, struct span name,
                                struct span value) {
  struct head_field field = {span_of(line.p, name), span_of(line.p, value)};
  field.name.at += (unsigned)h->text.len;
  field.value.at += (unsigned)h->text.len;
  return code_of(buf_append(&h->fields, &field, sizeof field));
}

/* A line that begins with white space continues the header before it (RFC 9112 §5.2). libcurl has
 * read that header already, so a length must not be continued. */
static enum head_code continue_field(struct head *h, struct span line) {
  const struct span more = trimmed(line);
  if (h->is_framing && more.p < more.end)
    return HEAD_FRAMING;
  if (!h->has_field)
    return HEAD_NO_NAME;
  return add_field(h, line, (struct span){line.p, line.p}, more);
}

static enum head_code read_field(struct head *h, struct span line) {
  const char *colon = memchr(line.p, ':', (size_t)(line.end - line.p));
  if (head_is_space(*line.p))
    return continue_field(h, line);
  if (!colon || colon == line.p)
    return HEAD_NO_NAME;
  for (const char *p = line.p; p < colon; p++)
    if ((unsigned char)*p <= ' ' || *p == '\x7f')
      return HEAD_NO_NAME;
  const struct span name = {line.p, colon};
  const struct span value = trimmed((struct span){colon + 1, line.end});
  const bool is_length = IS(name, "content-length");
  h->has_field = true;
  h->is_encoded |= IS(name, "content-encoding");
  h->is_framing = is_length || IS(name, "transfer-encoding");
  enum head_code code = HEAD_OK;
  if (h->is_framing)
    code = is_length ? read_length(h, value) : read_coding(h, value);
  return code == HEAD_OK ? add_field(h, line, name, value) : code;
}

enum head_code head_line(struct head *h, const char *line, size_t len) {
  struct span content = {line, line + len};
  if (h->state == HEAD_OVER) {
    h->trailers += len;
    return h->trailers > h->text.max ? HEAD_TOO_LARGE : HEAD_OK;
  }
  if (len > 0 && line[len - 1] == '\n')
    content.end--;
  if (content.end > line && content.end[-1] == '\r')
    content.end--;
  const size_t n = (size_t)(content.end - line);
  enum head_code code = HEAD_OK;
  if (memchr(line, '\r', n) || memchr(line, '\0', n))
    code = HEAD_NO_NAME;
  else if (h->state == HEAD_START)
    code = begin(h, content);
  else if (n > 0)
    code = read_field(h, content);
  else
    h->state = h->state == HEAD_FINAL ? HEAD_OVER : HEAD_START;
  return code == HEAD_OK ? code_of(buf_append(&h->text, line, len)) : code;
}

bool head_says_json(const struct head *h) {
  bool is_type = false;
  size_t count;
  const struct head_field *f = head_fields(h, &count);
  for (; count > 0; count--, f++) {
    if (f->name.len > 0)
      is_type = head_is_word(h->text.data + f->name.at, f->name.len, "content-type", 12);
    const char *p = h->text.data + f->value.at;
    for (const char *end = p + f->value.len; is_type && p + 5 <= end; p++)
      if ((*p == '/' || *p == '+') && memcmp(p + 1, "json", 4) == 0)
        return true;
  }
  return false;
}

const char *head_message(enum head_code code) {
  switch (code) {
  case HEAD_OK:
    break;
  case HEAD_TOO_LARGE:
    return "the headers of the response exceed the size limit";
  case HEAD_NO_MEMORY:
    return "not enough memory";
  case HEAD_NOT_HTTP:
    return "the response is not valid: it does not begin with an HTTP status line";
  case HEAD_UPGRADE:
    return "the response is not valid: it switches to another protocol";
  case HEAD_NO_NAME:
    return "the response is not valid: a header has no name or holds a control character";
  case HEAD_FRAMING:
    return "the response is not valid: its headers contradict each other about its length";
  }
  return NULL;
}
