/* Checks statements about behaviour, and counts those that are true and false. */
#pragma once

#include <stdio.h>
#include <stdlib.h>

static int check_passed, check_failed;

static inline void check(int holds, const char *sentence) {
  if (holds) {
    check_passed++;
  } else {
    check_failed++;
    fprintf(stderr, "does not hold: %s\n", sentence);
  }
}

static inline int check_result(const char *what) {
  printf("%s: %d passed, %d failed\n", what, check_passed, check_failed);
  return check_failed != 0 || check_passed == 0;
}

/* Writes a template for mkdtemp; sandbox/run removes the folders in TMPDIR. */
static inline void check_folder(char *path, size_t size) {
  const char *folder = getenv("TMPDIR");
  snprintf(path, size, "%s/pcapi.XXXXXX", folder ? folder : "/tmp");
}
