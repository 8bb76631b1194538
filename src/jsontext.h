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

#pragma GCC visibility pop

#endif
