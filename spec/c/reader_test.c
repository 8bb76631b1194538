#include "reader.h"
#include "check.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>

static struct reader r;

/* Reads a whole text, which is copied so that a sanitizer sees a read beyond its end. Returns its
 * last code; *slots: how many there were in all batches. */
static enum reader_code read_all(const char *text, size_t len, size_t max_values, size_t *slots) {
  char *copy = malloc(len + (len == 0));
  memcpy(copy, text, len);
  enum reader_code code;
  *slots = 0;
  reader_begin(&r, copy, len, max_values);
  do {
    code = reader_read(&r);
    *slots += r.count;
  } while (code == READER_MORE);
  r.at = text + (r.at - copy);
  free(copy);
  return code;
}

static bool gives(const char *text, enum reader_code expected, size_t at) {
  size_t slots;
  const enum reader_code code = read_all(text, strlen(text), SIZE_MAX, &slots);
  const size_t place = (size_t)(r.at - text);
  if (code != expected || place != at)
    fprintf(stderr, "%s: %d at %zu\n", text, (int)code, place);
  return code == expected && place == at;
}

static void refuses_with_the_place(void) {
  check(gives("", READER_CUT, 0) && gives(" ", READER_CUT, 1), "an empty text is cut");
  check(gives("[1,2", READER_CUT, 4) && gives("[\"a", READER_CUT, 3), "a cut text ends too early");
  check(gives("[1,]", READER_REFUSED, 3) && gives("[1 2]", READER_REFUSED, 3), "commas");
  check(gives("{\"a\" 1}", READER_REFUSED, 5) && gives("{a:1}", READER_REFUSED, 1), "members");
  check(gives("[01]", READER_REFUSED, 2) && gives("[1.]", READER_REFUSED, 3), "numbers");
  check(gives("[1e]", READER_REFUSED, 3) && gives("[-]", READER_REFUSED, 2), "digits that lack");
  check(gives("[1e999]", READER_INFINITE, 1), "a number beyond a double");
  check(gives("[\"\n\"]", READER_REFUSED, 2), "control characters");
  check(gives("[\"\\x\"]", READER_REFUSED, 2) && gives("[\"\\u12g4\"]", READER_REFUSED, 2), "escapes");
  check(gives("[nul]", READER_REFUSED, 1) && gives("[1}", READER_REFUSED, 2), "words and brackets");
  check(gives("1 2", READER_REFUSED, 2) && gives("[]]", READER_REFUSED, 2), "what follows the text");
  check(gives("\xEF\xBB\xBF[1]", READER_END, 6), "a byte order mark is skipped");
}

static void keeps_its_ceilings(void) {
  char deep[2 * READER_DEPTH + 3];
  size_t slots;
  memset(deep, '[', READER_DEPTH + 1);
  check(read_all(deep, READER_DEPTH + 1, SIZE_MAX, &slots) == READER_DEEP &&
            r.at == deep + READER_DEPTH,
        "a container that is one too deep is refused at its bracket");
  memset(deep + READER_DEPTH, ']', READER_DEPTH);
  check(read_all(deep, 2 * READER_DEPTH, SIZE_MAX, &slots) == READER_END, "the deepest is accepted");
  check(read_all("[1,2]", 5, 3, &slots) == READER_END, "as many values as allowed");
  check(read_all("[1,2]", 5, 2, &slots) == READER_VALUES && r.values_left == 0,
        "one value more is refused");
  check(read_all("1", 1, 0, &slots) == READER_VALUES, "none may be allowed");
  check(reader_read(&r) == READER_VALUES && r.count == 0, "a failure stays");
}

static double number_of(const char *text) {
  size_t slots;
  if (read_all(text, strlen(text), SIZE_MAX, &slots) != READER_END || slots != 1)
    return 0.12345;
  return r.slot[0].kind == READER_INTEGER ? (double)r.slot[0].as.integer : r.slot[0].as.number;
}

static bool is_integer(const char *text, int64_t expected) {
  number_of(text);
  return r.slot[0].kind == READER_INTEGER && r.slot[0].as.integer == expected;
}

static void reads_numbers(void) {
  check(is_integer("0", 0) && is_integer("-7", -7), "integers");
  check(is_integer("9223372036854775807", INT64_MAX) && is_integer("-9223372036854775808", INT64_MIN),
        "integers of 64 bits");
  check(number_of("9223372036854775808") == 9223372036854775808.0 &&
            r.slot[0].kind == READER_NUMBER,
        "larger ones are doubles");
  check(number_of("-0") == 0 && r.slot[0].kind == READER_NUMBER && 1 / r.slot[0].as.number < 0,
        "minus zero keeps its sign");
  check(number_of("0.1") == 0.1 && number_of("-2.5e-3") == -2.5e-3, "short decimals");
  check(number_of("1e23") == 1e23 && number_of("9007199254740993.0") == 9007199254740992.0,
        "decimals that need more care");
  check(number_of("4.9e-324") == 4.9e-324 && number_of("1e-400") == 0, "very small ones");
  check(number_of("1.7976931348623157e308") == 1.7976931348623157e308, "the largest");
  check(number_of("0e999999999999999999999") == 0, "a zero with any exponent");
}

/* 2^-1 + 2^-54 lies in the middle of two doubles; a digit far behind decides. */
static void rounds_long_numbers(void) {
  static const char middle[] = "0.500000000000000055511151231257827021181583404541015625";
  char text[2000];
  const double low = number_of(middle);
  memset(text, '0', sizeof text);
  memcpy(text, middle, sizeof middle - 1);
  text[sizeof text - 2] = '1';
  text[sizeof text - 1] = '\0';
  check(low == 0.5, "a number in the middle is rounded to even");
  check(number_of(text) > low, "a digit after two thousand others counts");
  memset(text, '1', sizeof text - 1);
  memcpy(text + 1700, "e-1699", 7);
  check(number_of(text) == 1.1111111111111112, "many digits before an exponent");
}

/* Splits nothing that is small, wherever a batch ends. */
static void fills_batches(void) {
  char text[40000];
  bool is_whole = true;
  for (size_t before = 0; before < 300; before++) {
    size_t len = 0;
    text[len++] = '[';
    for (size_t i = 0; i < before; i++) {
      memcpy(text + len, "1,", 2);
      len += 2;
    }
    for (size_t i = 0; i < 200; i++) {
      memcpy(text + len, "{\"a\":[1,null],\"b\":\"x\"},", 23);
      len += 23;
    }
    text[len - 1] = ']';
    reader_begin(&r, text, len, SIZE_MAX);
    enum reader_code code;
    size_t slots = 0;
    do {
      code = reader_read(&r);
      for (size_t i = 0; i < r.count; i++)
        if (r.slot[i].kind == READER_OBJECT)
          is_whole &= r.slot[i].as.close == i + 6 && r.slot[i].size == 2;
      slots += r.count;
    } while (code == READER_MORE);
    is_whole &= code == READER_END && slots == 2 + before + 200 * 7;
  }
  check(is_whole, "a small container is in one batch, with its members counted");
}

static bool decodes(const char *string, const char *expected) {
  char text[100];
  char out[300];
  size_t slots;
  const size_t len = (size_t)snprintf(text, sizeof text, "\"%s\"", string);
  if (read_all(text, len, SIZE_MAX, &slots) != READER_END)
    return false;
  r.slot[0].as.text = text + 1;
  const size_t n = reader_text(&r.slot[0], out);
  return n == strlen(expected) && memcmp(out, expected, n) == 0;
}

#define ODD "\xEF\xBF\xBD"

static void makes_text(void) {
  check(decodes("a\\n\\\"\\/\\\\\\u00fC", "a\n\"/\\\xC3\xBC"), "escapes");
  check(decodes("\\ud83d\\ude00", "\xF0\x9F\x98\x80"), "pairs of surrogates");
  check(decodes("\\ud83d\\u0041\\udc00", ODD "A" ODD), "unpaired surrogates");
  check(decodes("\xC3\xBC\xE2\x82\xAC", "\xC3\xBC\xE2\x82\xAC"), "UTF-8");
  check(decodes("\xC0\x80\xE2\x82\xED\xA0\x80\xFF", ODD ODD ODD ODD ODD ODD ODD), "invalid UTF-8");
}

static void remembers_names(void) {
  static const char text[] = "[{\"a\":1,\"b\":2},{\"b\":3,\"a\":4},{\"\\u0061\":5,\"a\":6}]";
  size_t slots;
  check(read_all(text, sizeof text - 1, SIZE_MAX, &slots) == READER_END && r.keys == 2,
        "a name is remembered once");
  check(r.slot[2].key == r.slot[7].key && r.slot[3].key == r.slot[6].key, "whatever its order");
  check(r.slot[10].kind == READER_NAME && r.slot[11].key == READER_NO_KEY, "but not with escapes");
}

int main(void) {
  refuses_with_the_place();
  keeps_its_ceilings();
  reads_numbers();
  rounds_long_numbers();
  if (setlocale(LC_ALL, "de_DE.UTF-8")) {
    reads_numbers(); /* with a decimal comma */
    rounds_long_numbers();
  }
  fills_batches();
  makes_text();
  remembers_names();
  return check_result("reader");
}
