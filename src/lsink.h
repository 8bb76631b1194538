/* Lua values of what the reader finds: the slots of a batch, and the containers that are still open
 * when it ends. */
#pragma once

#include "compat.h"
#include "reader.h"

#pragma GCC visibility push(hidden)

/* The stack of a sink, from its base: the names of the reader's keys; a table of the strings that
 * are repeated values, or nil; what the owner of the sink adds; then the open containers, each above
 * its name if it is a member. */
enum { LSINK_RAW = 0, LSINK_AGAIN = READER_KEYS, LSINK_OWNER };

#define LSINK_VALUES 128 /* a power of two, at most 255 */

/* A string that was the value of a key lately. */
struct lsink_value {
  const char *text; /* in the JSON text; once its Lua string is made for good, that. NULL: none */
  uint32_t size;
  uint8_t at; /* its place in the table of repeated strings; 0: it has none yet */
  bool is_made;
};

struct lsink {
  const struct reader *reader;
  lua_State *L;
  int base;
  int depth; /* of open containers */
  bool has_raw[READER_KEYS];
  bool is_object[READER_DEPTH + 1];
  int count[READER_DEPTH + 1];     /* elements of an open array */
  uint8_t news[READER_KEYS];       /* values of a key since one that was repeated */
  uint8_t repeated;                /* strings in the table */
  struct lsink_value value[LSINK_VALUES]; /* by their hash */
};

/* Prepares a sink for the text of a reader. Its base is set later. */
void lsink_begin(struct lsink *s, const struct reader *r);

static inline const struct reader_slot *lsink_slot(const struct lsink *s, size_t i) {
  return &s->reader->slot[i];
}

/* Returns the slot after the value at slot i, which is complete in this batch. */
static inline size_t lsink_after(const struct lsink *s, size_t i) {
  const struct reader_slot *slot = lsink_slot(s, i);
  const bool is_container = slot->kind == READER_OBJECT || slot->kind == READER_ARRAY;
  return is_container ? slot->as.close + 1 : i + 1;
}

void lsink_push_integer(lua_State *L, int64_t n);

/* Pushes the name of a key as the text has it. */
void lsink_push_raw(struct lsink *s, uint8_t key);

/* Pushes the name of the member at slot i. Returns the slot of its value. */
size_t lsink_push_name(struct lsink *s, size_t i);

/* Pushes the value at slot i, which is complete in this batch. Returns the slot after it. */
size_t lsink_push_value(struct lsink *s, size_t i);

/* Sets the member at slot i, which is complete in this batch, in the table on top of the stack.
 * Returns the slot after its value. */
size_t lsink_set_member(struct lsink *s, size_t i);

/* Pushes the table of the container at a slot, above its name if it is a member. Its contents come
 * later. */
void lsink_open(struct lsink *s, const struct reader_slot *slot);

/* Stores the innermost open container in the one around it. */
void lsink_close(struct lsink *s);

/* Stores the value on top of the stack in the innermost open container, below whose name it lies if
 * that is an object. At depth 0 it stays. */
void lsink_store(struct lsink *s);

#pragma GCC visibility pop
