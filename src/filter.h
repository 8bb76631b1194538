/* Tests the texts of a record as the criteria of a list do. Uses libc only. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#pragma GCC visibility push(hidden)

struct filter_text {
  const char *at;
  size_t len;
};

/* Whether a text matches a pattern, in which "*" stands for any text. The case of ASCII letters does
 * not count. */
bool filter_matches(struct filter_text pattern, struct filter_text text);

/* Whether a text is a word, whatever its case. */
bool filter_is_word(struct filter_text text, const char *word);

/* Reads a time such as 2024-02-03T07:08:09.123Z, or a day such as 2024-02-03, as
 * pcapi.time.parse_logged does. Returns false for any other form, and for a time that means "no
 * date"; pcapi.time knows more forms. */
bool filter_time(struct filter_text text, double *seconds);

#pragma GCC visibility pop
