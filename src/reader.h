/* Reads a JSON text (RFC 8259) in one pass, a batch of values at a time. It makes nothing of the
 * values: the caller looks at the slots of a batch and chooses what to make of them, if anything.
 * Uses libc only, allocates nothing, and depends on no locale.
 *
 *     struct reader r;
 *     reader_begin(&r, text, len, max_values);
 *     while ((code = reader_read(&r)) == READER_MORE)
 *       use(r.slot, r.count);
 *     if (code == READER_END)
 *       use(r.slot, r.count);
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#pragma GCC visibility push(hidden)

#define READER_DEPTH 100  /* deepest nesting of containers */
#ifndef READER_BATCH     /* the fuzzers set a small one, so that short texts have several */
#define READER_BATCH 256 /* slots of a batch */
#endif
#define READER_KEYS 64    /* names that are remembered */
#define READER_KEY_MAX 60 /* bytes of such a name */
#define READER_NO_KEY 255

enum reader_code {
  READER_MORE, /* the batch is full, and more text is left */
  READER_END,  /* the text is complete; this is its last batch */
  /* failures, with the place in r->at */
  READER_REFUSED,  /* the text is not JSON */
  READER_CUT,      /* the text ends too early */
  READER_DEEP,     /* containers are nested deeper than READER_DEPTH */
  READER_INFINITE, /* a number is too large for a double */
  READER_VALUES,   /* the text has more values than allowed */
  READER_LARGE,    /* the text has more than UINT32_MAX bytes */
};

enum reader_kind {
  READER_NULL,
  READER_FALSE,
  READER_TRUE,
  READER_INTEGER, /* fits 64 bits, and is written without a fraction and an exponent */
  READER_NUMBER,  /* any other number, also -0 */
  READER_STRING,
  READER_OBJECT, /* opens */
  READER_ARRAY,  /* opens */
  READER_CLOSE,
  READER_NAME, /* the name of the next slot, if that is not one of r->key */
};

struct reader_slot {
  uint8_t kind;
  uint8_t key;    /* of a member: the index of its name in r->key, or READER_NO_KEY */
  bool is_plain;  /* of a string or a name: the bytes in the text are its value; else reader_text()
                     makes it */
  uint32_t size;  /* of a string or a name: its bytes in the text. Of a container: its elements, or
                     its members other than null, as far as they are in this batch */
  union {
    int64_t integer;
    double number;
    const char *text; /* behind the opening quote */
    size_t close;     /* of a container: the index of the slot that closes it; 0: in a later batch */
  } as;
};

struct reader_key {
  uint8_t len;
  uint8_t next; /* the key that followed it last */
  char text[READER_KEY_MAX + 1]; /* with the closing quote */
};

struct reader_level {
  bool is_object;
  uint8_t first; /* the first key of the last object at this depth */
  uint8_t last;  /* the last key that was read */
  size_t open;   /* 1 + the index of the slot that opened it; 0: in an earlier batch */
};

struct reader {
  const char *text;
  const char *at; /* the next byte to read; after a failure, its place */
  const char *end;
  size_t values_left;
  size_t count; /* slots of the batch */
  int depth;
  int expects;
  enum reader_code code;
  uint8_t keys;
  uint8_t index[2 * READER_KEYS]; /* hash of a name to its key + 1 */
  struct reader_level level[READER_DEPTH + 1];
  struct reader_key key[READER_KEYS];
  struct reader_slot slot[READER_BATCH];
};

/* Begins a text, which must stay in place until the last batch is used. max_values: how many
 * values it may have; a container counts as one, in addition to its contents. */
void reader_begin(struct reader *r, const char *text, size_t len, size_t max_values);

/* Reads the next batch. An element of an array that takes less than a quarter of READER_BATCH is
 * never split between two batches. After a failure, and after READER_END, the same code is returned again. */
enum reader_code reader_read(struct reader *r);

/* Writes the value of a string or a name that is not plain: escapes are resolved; unpaired
 * surrogates and invalid UTF-8 become U+FFFD. out: room for 3 * slot->size bytes. Returns how many
 * were written. */
size_t reader_text(const struct reader_slot *slot, char *out);

/* Describes a failure. The text is not quoted, as it may hold secrets. */
const char *reader_message(enum reader_code code);

/* Returns the length of the UTF-8 byte order mark at the beginning of text: 3 or 0. */
size_t reader_bom(const char *text, size_t len);

/* Copies a JSON text and replaces in it each escape of an unpaired surrogate and each invalid
 * sequence of UTF-8 by U+FFFD. out: room for 3 * len bytes. Returns how many bytes were written. */
size_t reader_mend(const char *text, size_t len, char *out);

#pragma GCC visibility pop
