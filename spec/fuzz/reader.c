/* The reader alone: whatever the text, its slots lie within it and its containers match. */
#include "fuzz.h"
#include "reader.h"

#include <math.h>
#include <string.h>

static struct reader r;
static bool is_object[READER_DEPTH + 1];
static int depth;

static bool is_text(const struct reader_slot *slot) {
  return slot->as.text >= r.text && slot->as.text + slot->size < r.end &&
         slot->as.text[-1] == '"' && slot->as.text[slot->size] == '"';
}

/* Makes the text of a string, and makes it again of itself: it is UTF-8 then. */
static void check_text(const struct reader_slot *slot) {
  claim(is_text(slot), "a string lies between quotes of the text");
  char *out = malloc(3 * (size_t)slot->size + 1);
  const size_t len = reader_text(slot, out);
  claim(len <= 3 * (size_t)slot->size, "a text has at most three times its bytes");
  claim(!slot->is_plain || (len == slot->size && memcmp(out, slot->as.text, len) == 0),
        "a plain string is its text");
  char *again = malloc(3 * len + 1);
  for (size_t i = 0; i < len; i++)
    if (out[i] == '\\')
      out[i] = '/'; /* no escape */
  claim(reader_mend(out, len, again) == len && memcmp(out, again, len) == 0, "a text is UTF-8");
  free(again);
  free(out);
}

/* Checks the slot at i. Returns whether a name comes before it. */
static void check_slot(size_t i, bool has_name) {
  const struct reader_slot *slot = &r.slot[i];
  const bool in_object = depth > 0 && is_object[depth];
  if (slot->kind == READER_CLOSE) {
    claim(depth > 0 && !has_name, "only what is open closes");
    depth--;
    return;
  }
  if (slot->kind == READER_NAME) {
    claim(in_object && !has_name, "a name is that of a member");
    check_text(slot);
    return;
  }
  claim(has_name || (slot->key != READER_NO_KEY) == in_object, "members alone have a key");
  claim(slot->key == READER_NO_KEY || slot->key < r.keys, "a key is one of those that are known");
  if (slot->kind == READER_STRING)
    check_text(slot);
  if (slot->kind == READER_NUMBER)
    claim(isfinite(slot->as.number), "a number is finite");
  if (slot->kind != READER_OBJECT && slot->kind != READER_ARRAY)
    return;
  claim(slot->as.close == 0 || (slot->as.close > i && slot->as.close < r.count &&
                                r.slot[slot->as.close].kind == READER_CLOSE),
        "a container closes behind its opening");
  claim(depth < READER_DEPTH, "the depth has a limit");
  is_object[++depth] = slot->kind == READER_OBJECT;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char *text = malloc(size + (size == 0)); /* a sanitizer sees its end */
  memcpy(text, data, size);
  const size_t most = size > 0 && data[0] == '[' ? 50 : SIZE_MAX;
  enum reader_code code;
  depth = 0;
  reader_begin(&r, text, size, most);
  do {
    code = reader_read(&r);
    claim(r.count <= READER_BATCH, "a batch has a limit");
    for (size_t i = 0; i < r.count && code <= READER_END; i++)
      check_slot(i, i > 0 && r.slot[i - 1].kind == READER_NAME);
  } while (code == READER_MORE);
  claim(r.at >= text && r.at <= r.end, "a place is in the text");
  claim(code != READER_END || (depth == 0 && r.at == r.end), "at the end all is closed");
  claim(code != READER_CUT || r.at == r.end, "a cut text ends at its end");
  claim(reader_read(&r) == code && r.count == 0, "the last code stays");
  free(text);
  return 0;
}
