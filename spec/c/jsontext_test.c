#include "jsontext.h"
#include "check.h"

#include <stdbool.h>
#include <string.h>

static size_t scalars(const char *text) {
  return jsontext_scalars(text, strlen(text));
}

static void counts_numbers_and_nulls(void) {
  check(scalars("") == 0, "an empty text has no number");
  check(scalars("7") == 1, "a lone number counts");
  check(scalars("[1,-2,null]") == 3, "elements count");
  check(scalars("{\"a\":1,\"b\":null,\"c\":true,\"d\":\"x\"}") == 2, "members count");
  check(scalars("{\"at\":\"2024-02-03T07:08:09\"}") == 0, "a time in a string does not count");
  check(scalars("{ \"a\" : 1 ,\n \"b\" :\t-2.5e3 }") >= 2, "white space does not hide a value");
  check(scalars("{\"a\"  :3}") == 1, "white space after a name does not hide a value");
}

/* at each position before and after a block boundary */
static void misses_none_at_any_place(void) {
  char text[300];
  int missed = 0;
  for (size_t at = 1; at < 280; at++) {
    memset(text, ' ', sizeof text);
    text[0] = '[';
    text[at] = '8';
    text[299] = ']';
    missed += jsontext_scalars(text, sizeof text) != 1;
  }
  check(missed == 0, "a number is found in any place");
}

static bool counts(const char *text, size_t values, size_t records) {
  const struct jsontext_size size = jsontext_count(text, strlen(text));
  const size_t bound = jsontext_bound(text, strlen(text));
  if (size.values != values || size.records != records || bound < size.values)
    fprintf(stderr, "%s: %zu (%zu), %zu\n", text, size.values, bound, size.records);
  return size.values == values && size.records == records && bound >= size.values;
}

static void counts_values_and_records(void) {
  check(counts("", 1, 0) && counts("7", 1, 0) && counts("[ ]", 1, 0), "a lone value counts as one");
  check(counts("[{},{},{}]", 4, 3), "the elements of an array are records");
  check(counts("{\"n\":3,\"items\":[{\"a\":1},{}],\"x\":[]}", 7, 2),
        "the elements of a member too");
  check(counts("{\"x\":{\"y\":[1,2,3]}}", 6, 0), "deeper elements are not records");
  check(counts("{\"x\":\"[,{\\\",\",\"y\":[\",\"]}", 4, 1), "text in strings does not count");
  check(counts("]]}}", 1, 0) && counts("[[", 2, 1), "an invalid text has a count too");
  check(counts("[\"", 2, 1), "the count ends at a string without an end");
}

static bool mends(const char *text, const char *expected, size_t count) {
  char copy[100];
  const size_t len = strlen(text);
  memcpy(copy, text, len + 1);
  return jsontext_mend(copy, len) == count && strcmp(copy, expected) == 0;
}

static void mends_unpaired_surrogates(void) {
  check(mends("\"\\ud83d\"", "\"\\ufffd\"", 1), "the first half alone is replaced");
  check(mends("\\uDC00\\uD83D", "\\ufffd\\ufffd", 2),
        "both halves in the wrong order are replaced");
  check(mends("\\ud83d\\u0041", "\\ufffd\\u0041", 1),
        "the first half before another character is replaced");
  check(mends("\\uD83D\\uDE00", "\\uD83D\\uDE00", 0), "a pair stays");
  check(mends("\\\\ud83d \\\\\\ud83d", "\\\\ud83d \\\\\\ufffd", 1),
        "after an escaped backslash there is no escape");
  check(mends("\\ud83", "\\ud83", 0) && mends("\\", "\\", 0) && mends("\\ud83g", "\\ud83g", 0),
        "an incomplete escape stays");
  check(mends("\\ud83d\\ude0", "\\ufffd\\ude0", 1), "nothing is read after the end");
}

/* Returns the reports of a walk as a text: <> around a piece, O and C for a container that opens
 * and closes, and at the end a character for the result. */
static const char *walked(const char *text, size_t least) {
  static char out[2000];
  struct jsontext_walk w = {0};
  struct jsontext_piece piece;
  size_t n = 0;
  for (;;) {
    const int what = jsontext_next(&w, text, strlen(text), least, &piece);
    if (what != JSONTEXT_RUN && what != JSONTEXT_OPEN) {
      out[n++] = "??C.WBD"[what];
      out[n] = '\0';
      if (what != JSONTEXT_CLOSE)
        return out;
      continue;
    }
    if (what == JSONTEXT_OPEN)
      out[n++] = 'O';
    out[n++] = '<';
    memcpy(out + n, text + piece.from, piece.to - piece.from);
    n += piece.to - piece.from;
    out[n++] = '>';
  }
}

static bool walks(const char *text, size_t least, const char *expected) {
  const char *result = walked(text, least);
  if (strcmp(result, expected) != 0)
    fprintf(stderr, "%s: %s, not %s\n", text, result, expected);
  return strcmp(result, expected) == 0;
}

static void cuts_texts(void) {
  check(walks("[1,2,3]", 100, "O<><1,2,3>C."), "a short container is one run");
  check(walks("[1,2,3]", 1, "O<><1><2><3>C."), "a run ends at a comma");
  check(walks("[[1,2],[3]]", 3, "O<>O<><1,2>C<[3]>C."), "a long container opens");
  check(walks("{\"a\":{\"b\":[1,2,3]},\"c\":4}", 4, "O<>O<\"a\":>O<\"b\":><1,2,3>CC<\"c\":4>C."),
        "with its name");
  check(walks(" 5", 1, "W") && walks("\"[1]\"", 1, "W") && walks("", 1, "W"),
        "a scalar is not cut");
  check(walks("[1]", 1, "O<><1>C.") && walks("[]", 1, "O<>C."), "an empty run is not reported");
  check(walks("[1,]", 1, "O<><1>B") && walks("[,1]", 1, "O<><,1>C."),
        "a comma without a value is an error");
  check(walks("[1}", 1, "O<>B") && walks("[1]]", 1, "O<><1>CB"), "brackets must match");
  check(walks("[[1,2]3]", 1, "O<>O<><1><2>CB"), "a comma must follow a closed container");
  check(walks("[\"", 1, "O<>B") && walks("[1", 1, "O<>B"), "a missing end is an error");
}

static void ends_at_its_depth(void) {
  char text[2 * JSONTEXT_DEPTH + 3];
  memset(text, '[', sizeof text);
  text[sizeof text - 1] = '\0';
  check(strchr(walked(text, 1), 'D') && strchr(walked(text, sizeof text), 'D'),
        "too many levels are reported");
  memset(text + JSONTEXT_DEPTH, ']', JSONTEXT_DEPTH);
  text[2 * JSONTEXT_DEPTH] = '\0';
  check(strchr(walked(text, 1), '.') && strchr(walked(text, sizeof text), '.'),
        "one level less is accepted");
}

static void sees_the_byte_order_mark(void) {
  check(jsontext_bom("\xEF\xBB\xBF{}", 5) == 3, "a byte order mark is found");
  check(jsontext_bom("{}", 2) == 0 && jsontext_bom("\xEF\xBB", 2) == 0,
        "no other text is taken for one");
}

int main(void) {
  counts_numbers_and_nulls();
  misses_none_at_any_place();
  counts_values_and_records();
  mends_unpaired_surrogates();
  cuts_texts();
  ends_at_its_depth();
  sees_the_byte_order_mark();
  return check_result("jsontext");
}
