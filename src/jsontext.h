/* Facts about a JSON text that are cheaper to read from its bytes than from the
 * tables made of it. Knows libc only; parses nothing and judges nothing. */
#ifndef PCAPI_JSONTEXT_H
#define PCAPI_JSONTEXT_H

#include <stdbool.h>
#include <stddef.h>

#pragma GCC visibility push(hidden)

#define JSONTEXT_DEPTH 100 /* containers within each other, at most */

/* Length of the UTF-8 byte order mark in front of text: 3 or 0. */
size_t jsontext_bom(const char *text, size_t len);

/* An upper bound of how many numbers and nulls a valid JSON text holds. It is
 * exact for compact JSON whose strings hold no ",1"; the bytes of a string may
 * look like a value and then count as well. */
size_t jsontext_scalars(const char *text, size_t len);

/* An upper bound of how many values a JSON text holds, at the speed of memory. What looks
 * like a value within a string counts as well. */
size_t jsontext_bound(const char *text, size_t len);

/* The values of a JSON text, each container counting as one beside what it holds; and the
 * elements of its longest array that may be a list of records: the array that is the whole
 * text, or one right within the object that is. Of a broken text, what was seen before. */
struct jsontext_size {
  size_t values;
  size_t records;
};
struct jsontext_size jsontext_count(const char *text, size_t len);

/* Turns each escape of half a surrogate pair into \ufffd, in place. Returns how many there
 * were. */
size_t jsontext_mend(char *text, size_t len);

/* Where a walk over a text stands that cuts it into pieces. Begins as all zero. */
struct jsontext_level {
  size_t bracket; /* of the container */
  size_t element; /* where its element at hand, or its member with the name, begins */
  char kind;      /* { or [ */
};
struct jsontext_walk {
  size_t at;   /* the next byte to look at; where the text is broken */
  size_t from; /* the first byte that was not given yet */
  int depth;
  int opened;       /* so many of these levels were given as opening */
  bool needs_value; /* a comma stands before from */
  bool is_behind;   /* at stands behind a container that was given as closing */
  struct jsontext_level level[JSONTEXT_DEPTH + 1];
};

/* The bytes [from, to) of a text, and the kind of the container that they are in: { or [. */
struct jsontext_piece {
  size_t from;
  size_t to;
  char kind;
};

enum {
  JSONTEXT_RUN,    /* the piece holds elements or members, with the commas between them */
  JSONTEXT_OPEN,   /* a container opens; the piece is its name and the colon, if any */
  JSONTEXT_CLOSE,  /* it closes */
  JSONTEXT_END,    /* the text is over */
  JSONTEXT_WHOLE,  /* the text is no container and cannot be cut */
  JSONTEXT_BROKEN, /* the text is not JSON: w->at tells where */
  JSONTEXT_DEEP,   /* its containers are nested too deep; at is the bracket of one too many */
};

/* The next piece of a text, of about least bytes where nothing in it is longer; only a
 * container that is longer than that opens and closes, and the outermost one. The kind of
 * the piece in which the outermost opens is 0. Takes time in proportion to the text as a
 * whole. Every byte is in a piece, or was understood here: a text that is not JSON has a
 * piece that is not, or ends as broken or deep. After END and what follows it the walk is
 * over. */
int jsontext_next(struct jsontext_walk *w, const char *text, size_t len, size_t least,
                  struct jsontext_piece *piece);

#pragma GCC visibility pop

#endif
