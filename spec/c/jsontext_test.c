#include "jsontext.h"
#include "check.h"

#include <string.h>

static size_t scalars(const char *text) {
  return jsontext_scalars(text, strlen(text));
}

static void counts_numbers_and_nulls(void) {
  check(scalars("") == 0, "an empty text holds none");
  check(scalars("7") == 1, "a lone number counts");
  check(scalars("[1,-2,null]") == 3, "elements count");
  check(scalars("{\"a\":1,\"b\":null,\"c\":true,\"d\":\"x\"}") == 2, "members count");
  check(scalars("{\"at\":\"2024-02-03T07:08:09\"}") == 0, "a time in a string does not count");
  check(scalars("{ \"a\" : 1 ,\n \"b\" :\t-2.5e3 }") >= 2, "white space hides none");
  check(scalars("{\"a\"  :3}") == 1, "a respelt name hides none");
}

/* every position of a block boundary, before it and behind it */
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
  check(missed == 0, "a number is found wherever it stands");
}

static const char *respelt(const char *text, const char *from, const char *to) {
  static char copy[200];
  memset(copy, 0, sizeof copy);
  memcpy(copy, text, strlen(text));
  jsontext_respell(copy, strlen(text), from, to);
  return copy;
}

static void respells_names_only(void) {
  check(!strcmp(respelt("{\"long\":1}", "long", "ab"), "{\"ab\"  :1}"),
        "fills the gap with spaces");
  check(!strcmp(respelt("[{\"long\":1},{\"long\":2}]", "long", "same"),
                "[{\"same\":1},{\"same\":2}]"),
        "respells every record");
  check(!strcmp(respelt("{\"x\":\"long\"}", "long", "ab"), "{\"x\":\"long\"}"),
        "leaves values alone");
  check(!strcmp(respelt("{\"x\\\"long\":1}", "long", "ab"), "{\"x\\\"long\":1}"),
        "leaves a longer name with a quote in it alone");
  check(!strcmp(respelt("{\"long\":1,\"ab\":2}", "long", "ab"), "{\"long\":1,\"ab\":2}"),
        "leaves both spellings to whoever can choose");
  check(!strcmp(respelt("{\"a\":1}", "a", "longer"), "{\"a\":1}"), "never grows the text");
  check(!strcmp(respelt("{\"lo", "lo", "a"), "{\"lo"), "stops at the end of the text");
}

static void sees_the_byte_order_mark(void) {
  check(jsontext_bom("\xEF\xBB\xBF{}", 5) == 3, "finds the mark");
  check(jsontext_bom("{}", 2) == 0 && jsontext_bom("\xEF\xBB", 2) == 0, "finds none where none is");
}

int main(void) {
  counts_numbers_and_nulls();
  misses_none_at_any_place();
  respells_names_only();
  sees_the_byte_order_mark();
  return check_result("jsontext");
}
