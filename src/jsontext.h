/* Facts about a JSON text that are cheaper to read from its bytes than from the
 * tables made of it. Knows libc only; parses nothing and judges nothing. */
#ifndef PCAPI_JSONTEXT_H
#define PCAPI_JSONTEXT_H

#include <stddef.h>

#pragma GCC visibility push(hidden)

/* Length of the UTF-8 byte order mark in front of text: 3 or 0. */
size_t jsontext_bom(const char *text, size_t len);

/* An upper bound of how many numbers and nulls a valid JSON text holds. It is
 * exact for compact JSON whose strings hold no ",1"; the bytes of a string may
 * look like a value and then count as well. */
size_t jsontext_scalars(const char *text, size_t len);

/* Rewrites the member name "from" of every record as "to", in place: the text keeps
 * its length and meaning, as spaces before the colon fill the gap (RFC 8259 §2).
 * Records are the objects of a bare array, or of the array "items" of an object;
 * what is nested in them stays. Does nothing to a record that has a "to" already,
 * nor where "to" is longer than "from". Only names directly followed by their
 * colon are seen. */
void jsontext_respell(char *text, size_t len, const char *from, const char *to);

/* A walk over the records of a text, a few at a time. Begins as all zero. */
struct jsontext_pieces {
  size_t at;
  size_t list_start; /* within the list, behind its bracket; 0 before it was found */
  size_t list_end;   /* the list's closing bracket; 0 before it was met */
  int depth;         /* within the list, or the text, whichever is walked */
};

enum { JSONTEXT_WHOLE, JSONTEXT_PIECE, JSONTEXT_END };

/* The next records of the list in text, a bare array or the array "items" of an object:
 * JSONTEXT_PIECE sets the bytes [from, to) that hold them, at least so many where there are
 * so many left. JSONTEXT_END: there are no more, and text without [list_start, list_end) is
 * what is left of it. JSONTEXT_WHOLE: the text has no such list, or must be read as a
 * whole. Every byte of text is in one piece or in what is left, and it is cut between "}"
 * and "{" only: so what a reader refuses in the whole, it refuses in a part. */
int jsontext_piece(struct jsontext_pieces *p, const char *text, size_t len, size_t least,
                   size_t *from, size_t *to);

#pragma GCC visibility pop

#endif
