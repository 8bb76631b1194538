/* Shared by all fuzzers: a claim that must be true for every input, and the bytes of the input. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A false claim is a finding: libFuzzer stores the input. */
static inline void claim(bool holds, const char *sentence) {
  if (!holds) {
    fprintf(stderr, "does not hold: %s\n", sentence);
    abort();
  }
}

struct input {
  const uint8_t *data;
  size_t left;
};

/* Takes the next byte; 0 at the end. */
static inline uint8_t take_byte(struct input *in) {
  if (in->left == 0)
    return 0;
  in->left--;
  return *in->data++;
}

/* Takes the bytes up to a mark or to the end. The mark is dropped. */
static inline struct input take_part(struct input *in, uint8_t mark) {
  struct input part = {in->data, 0};
  while (part.left < in->left && in->data[part.left] != mark)
    part.left++;
  const size_t used = part.left + (part.left < in->left);
  in->data += used;
  in->left -= used;
  return part;
}

/* Returns a copy that ends with a zero byte. The caller frees it. */
static inline char *text_of(struct input part) {
  char *text = malloc(part.left + 1);
  if (!text)
    abort();
  for (size_t i = 0; i < part.left; i++)
    text[i] = (char)part.data[i];
  text[part.left] = '\0';
  return text;
}
