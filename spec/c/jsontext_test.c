#include "jsontext.h"
#include "check.h"

#include <stdbool.h>
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

static bool turns(const char *text, const char *into) {
  const char *made = respelt(text, "long", "ab");
  if (strcmp(made, into) != 0)
    fprintf(stderr, "%s\nis  %s\nnot %s\n", text, made, into);
  return strcmp(made, into) == 0;
}

static bool stays(const char *text) {
  return turns(text, text);
}

static void respells_names_of_records_only(void) {
  check(turns("[{\"long\":1},{\"long\":2}]", "[{\"ab\"  :1},{\"ab\"  :2}]"),
        "respells every record of an array");
  check(turns("{\"n\":2,\"items\":[{\"long\":1},{\"x\":[],\"long\":2}],\"a\":{}}",
              "{\"n\":2,\"items\":[{\"ab\"  :1},{\"x\":[],\"ab\"  :2}],\"a\":{}}"),
        "respells every record of a collection");
  check(!strcmp(respelt("[{\"long\":1}]", "long", "same"), "[{\"same\":1}]"),
        "needs no gap for a name of the same length");
  check(stays("[{\"x\":\"long\"}]"), "leaves values alone");
  check(stays("[{\"x\\\"long\":1}]"), "leaves a longer name with a quote in it alone");
  check(turns("[{\"x\":\"\\\\\",\"long\":1}]", "[{\"x\":\"\\\\\",\"ab\"  :1}]"),
        "sees that a string ends behind two backslashes");
  check(turns("[{\"long\":1,\"ab\":2},{\"long\":3}]", "[{\"long\":1,\"ab\":2},{\"ab\"  :3}]"),
        "leaves a record with both spellings to whoever can choose");
  check(stays("[{\"x\":{\"long\":1}},{\"x\":[{\"long\":1}]}]"), "leaves nested objects alone");
  check(stays("{\"items\":[{\"x\":{\"long\":1},\"y\":[[{\"long\":1}]]}]}"),
        "leaves nested objects of a collection alone");
  check(stays("{\"x\":[{\"long\":1}],\"a\":{\"items\":[{\"long\":1}]}}"),
        "leaves other arrays alone");
  check(stays("{\"long\":1}"), "leaves a lone object alone");
  check(!strcmp(respelt("[{\"a\":1}]", "a", "longer"), "[{\"a\":1}]"), "never grows the text");
  check(stays("[{\"long\":\"x") && stays("[{\"long") && stays("]]}}{[") && stays(""),
        "goes nowhere beyond a broken text");
}

static void sees_the_byte_order_mark(void) {
  check(jsontext_bom("\xEF\xBB\xBF{}", 5) == 3, "finds the mark");
  check(jsontext_bom("{}", 2) == 0 && jsontext_bom("\xEF\xBB", 2) == 0, "finds none where none is");
}

int main(void) {
  counts_numbers_and_nulls();
  misses_none_at_any_place();
  respells_names_of_records_only();
  sees_the_byte_order_mark();
  return check_result("jsontext");
}
