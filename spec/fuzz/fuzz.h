/* What all fuzzers share: a claim that must hold for every input, and bytes taken from it. */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A claim that fails is a finding: libFuzzer keeps the input. */
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

/* The next byte; 0 when there is none. */
static inline uint8_t take_byte(struct input *in) {
  if (in->left == 0)
    return 0;
  in->left--;
  return *in->data++;
}

/* The next bytes up to a mark, which is dropped, or to the end. */
static inline struct input take_part(struct input *in, uint8_t mark) {
  struct input part = {in->data, 0};
  while (part.left < in->left && in->data[part.left] != mark)
    part.left++;
  const size_t used = part.left + (part.left < in->left);
  in->data += used;
  in->left -= used;
  return part;
}

/* A copy that ends in a zero byte. The caller frees it. */
static inline char *text_of(struct input part) {
  char *text = malloc(part.left + 1);
  if (!text)
    abort();
  for (size_t i = 0; i < part.left; i++)
    text[i] = (char)part.data[i];
  text[part.left] = '\0';
  return text;
}

#endif
