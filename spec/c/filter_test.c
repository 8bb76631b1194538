#include "filter.h"
#include "check.h"

#include <string.h>

static struct filter_text text_of(const char *text) {
  return (struct filter_text){text, strlen(text)};
}

static bool matches(const char *pattern, const char *text) {
  return filter_matches(text_of(pattern), text_of(text));
}

static void matches_patterns(void) {
  check(matches("kim@x", "KIM@X") && !matches("kim", "kim@x") && !matches("kim@x", "kim"),
        "a pattern without a star is the whole text, in any case");
  check(matches("*", "") && matches("*", "a") && matches("**", "a"), "a star is any text");
  check(matches("*@x", "a@x") && !matches("*@x", "a@xy") && matches("*a", "aaa"), "at the beginning");
  check(matches("a*", "a") && matches("a*", "abc") && !matches("a*", "ba"), "at the end");
  check(matches("a*b*c", "a--b--c") && matches("a*b*c", "abc") && !matches("a*b*c", "acb"), "within");
  check(matches("*ab*ab", "abab") && !matches("*ab*ab", "ab"), "parts do not overlap");
  check(matches("", "") && !matches("", "a"), "an empty pattern is the empty text");
  check(!matches("a[b]", "ab") && matches("a[b]", "a[b]"), "other characters stand for themselves");
}

static bool is_time(const char *text, double expected) {
  double seconds = -1;
  const bool ok = filter_time(text_of(text), &seconds);
  if (!ok || seconds != expected)
    fprintf(stderr, "%s: %d %.9f\n", text, ok, seconds);
  return ok && seconds == expected;
}

static bool is_none(const char *text) {
  double seconds;
  return !filter_time(text_of(text), &seconds);
}

static void reads_times(void) {
  check(is_time("2024-02-03T07:08:09", 1706944089) && is_time("2024-02-03 07:08:09z", 1706944089),
        "times without a zone are UTC");
  check(is_time("2024-02-03", 1706918400) && is_time("2000-01-01", 946684800), "days");
  check(is_time("2024-02-29T00:00:00Z", 1709164800) && is_time("2024-03-01", 1709251200) &&
            is_time("2100-03-01", 4107542400),
        "leap days");
  check(is_time("2024-02-03T07:08:09.5Z", 1706944089.5) &&
            is_time("2024-02-03T07:08:09.1234567", 1706944089 + 0.123456),
        "fractions are cut to microseconds");
  check(is_time("2024-02-03T09:08:09+02:00", 1706944089) &&
            is_time("2024-02-03T05:08:09-0200", 1706944089),
        "zones");
  check(is_none("") && is_none("2024-02-3") && is_none("2024-02-30") && is_none("2024-13-01") &&
            is_none("2023-02-29") && is_none("1900-02-29"),
        "days that do not exist");
  check(is_none("2024-02-03T24:00:00") && is_none("2024-02-03T07:60:00") &&
            is_none("2024-02-03T07:08") && is_none("2024-02-03T07:08:09.") &&
            is_none("2024-02-03T07:08:09x") && is_none("2024-02-03T07:08:09+24:00") &&
            is_none("2024-02-03T07:08:09+0:00"),
        "what is no time");
  check(is_none("0001-01-01T00:00:00") && is_none("1999-12-31T23:59:59") && is_none("9999-12-31"),
        "times that mean no date");
}

int main(void) {
  matches_patterns();
  reads_times();
  check(filter_is_word(text_of("TRUE"), "true") && !filter_is_word(text_of("true "), "true"),
        "a word in any case");
  return check_result("filter");
}
