/* Facts about a JSON text that are cheaper to read from its bytes than from the tables made of it,
 * and a walk that cuts it into pieces. Uses libc only; does not validate JSON. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#pragma GCC visibility push(hidden)

#define JSONTEXT_DEPTH 100 /* deepest nesting of containers */

/* Returns the length of the UTF-8 byte order mark at the beginning of text: 3 or 0. */
size_t jsontext_bom(const char *text, size_t len);

/* Returns an upper bound of the numbers and nulls in a valid JSON text. It is exact for compact
 * JSON whose strings do not contain text like ",1", which counts as well. */
size_t jsontext_scalars(const char *text, size_t len);

/* Returns an upper bound of the values in a JSON text, as fast as memory can be read. Text in a
 * string that looks like a value counts as well. */
size_t jsontext_bound(const char *text, size_t len);

/* values: all values of a JSON text; a container counts as one, in addition to its contents.
 * records: the elements of the longest array that may be a list of records. That is the array which
 * is the whole text, or an array that is a member of the outermost object. For an invalid text the
 * counts end where it becomes invalid. */
struct jsontext_size {
  size_t values;
  size_t records;
};
struct jsontext_size jsontext_count(const char *text, size_t len);

/* Replaces, in place, each escape of an unpaired surrogate by \ufffd. Returns how many it
 * replaced. */
size_t jsontext_mend(char *text, size_t len);

/* The state of a walk that cuts a text into pieces. Begins as all zero. */
struct jsontext_level {
  size_t bracket; /* of the container */
  size_t element; /* the beginning of its current element, or of its current member's name */
  char kind;      /* { or [ */
};
struct jsontext_walk {
  size_t at;          /* the next byte to read; after an error, its place */
  size_t from;        /* the first byte that is not yet part of a piece */
  int depth;          /* of the container at the byte to read */
  int opened;         /* how many of the open containers were reported as JSONTEXT_OPEN */
  bool needs_value;   /* a comma precedes from */
  bool follows_close; /* at is behind a container that was reported as JSONTEXT_CLOSE */
  struct jsontext_level level[JSONTEXT_DEPTH + 1];
};

/* The bytes [from, to) of a text, and the kind of the container that holds them: { or [. */
struct jsontext_piece {
  size_t from;
  size_t to;
  char kind;
};

enum {
  JSONTEXT_RUN,    /* the piece holds elements or members and the commas between them */
  JSONTEXT_OPEN,   /* a container opens; the piece holds its name and the colon, if it has a name */
  JSONTEXT_CLOSE,  /* the container closes */
  JSONTEXT_END,    /* the text is complete */
  JSONTEXT_WHOLE,  /* the text is not a container and cannot be cut */
  JSONTEXT_BROKEN, /* the text is not JSON; w->at is the place */
  JSONTEXT_DEEP,   /* containers are nested too deep; w->at is the bracket that is one too many */
};

/* Finds the next piece of a text. A piece has about least bytes, unless a single scalar is longer.
 * Only the outermost container and containers longer than least bytes are opened and closed. The
 * kind of the piece is 0 when the outermost container opens. A whole walk takes linear time. The
 * pieces and the reports cover every byte: if the text is not JSON, then one of its pieces is not,
 * or the walk ends with JSONTEXT_BROKEN or JSONTEXT_DEEP. The walk is over after JSONTEXT_END and
 * the codes below it. */
int jsontext_next(struct jsontext_walk *w, const char *text, size_t len, size_t least,
                  struct jsontext_piece *piece);

#pragma GCC visibility pop
