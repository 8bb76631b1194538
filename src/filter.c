#include "filter.h"

#include <string.h>

static char lower(char c) {
  return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

/* Whether text begins with the literal. */
static bool begins(const char *text, const char *literal, size_t len) {
  for (size_t i = 0; i < len; i++)
    if (lower(text[i]) != lower(literal[i]))
      return false;
  return true;
}

/* Each "*" matches as little as possible: if a match exists, one exists so. Takes at most the
 * product of both lengths. */
bool filter_matches(struct filter_text pattern, struct filter_text text) {
  const char *end = pattern.at + pattern.len;
  bool is_open = false; /* a "*" came before */
  for (const char *p = pattern.at;; p++) {
    const char *star = memchr(p, '*', (size_t)(end - p));
    const size_t len = (size_t)((star ? star : end) - p);
    if (len > text.len)
      return false;
    size_t skip = 0;
    if (!star && is_open)
      skip = text.len - len; /* the last part ends the text */
    while (!begins(text.at + skip, p, len))
      if (!is_open || !star || ++skip > text.len - len)
        return false;
    text.at += skip + len;
    text.len -= skip + len;
    if (!star)
      return text.len == 0;
    is_open = true;
    p = star;
  }
}

bool filter_is_word(struct filter_text text, const char *word) {
  return text.len == strlen(word) && begins(text.at, word, text.len);
}

/* Reads a number of n digits at p. Returns -1 if they are not all digits. */
static int digits(const char *p, int n) {
  int value = 0;
  for (int i = 0; i < n; i++) {
    if (p[i] < '0' || p[i] > '9')
      return -1;
    value = value * 10 + (p[i] - '0');
  }
  return value;
}

/* Days from 1970-01-01; -1 for a day that does not exist or is before. */
static long day_of(const char *p) {
  static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};
  const int year = digits(p, 4);
  const int month = digits(p + 5, 2);
  const int day = digits(p + 8, 2);
  if (year < 1970 || month < 1 || month > 12 || day < 1 || p[4] != '-' || p[7] != '-')
    return -1;
  const bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
  if (day > before[month] - before[month - 1] + (is_leap && month == 2))
    return -1;
  const long past = year - 1;
  return (past * 365 + past / 4 - past / 100 + past / 400) - 719162 + before[month - 1] +
         (is_leap && month > 2) + day - 1;
}

/* Seconds of the time of day hh:mm:ss at p; -1 if it is none. A leap second is left to pcapi.time. */
static long seconds_of(const char *p) {
  const int hour = digits(p, 2);
  const int minute = digits(p + 3, 2);
  const int second = digits(p + 6, 2);
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59 ||
      p[2] != ':' || p[5] != ':')
    return -1;
  return hour * 3600L + minute * 60L + second;
}

/* Reads the fraction at p, cut to six digits. Returns its end. */
static const char *fraction_of(const char *p, const char *end, double *fraction) {
  static const double powers[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6};
  int n = 0;
  int value = 0;
  for (; p < end && *p >= '0' && *p <= '9'; p++)
    if (n < 6) {
      value = value * 10 + (*p - '0');
      n++;
    }
  *fraction = value / powers[n];
  return p;
}

/* Reads the zone that ends a time. Returns false if it is none. */
static bool zone_of(const char *p, const char *end, long *seconds) {
  *seconds = 0;
  if (p == end || (end - p == 1 && lower(*p) == 'z'))
    return true;
  const bool has_colon = end - p == 6 && p[3] == ':';
  if ((*p != '+' && *p != '-') || (end - p != 5 && !has_colon))
    return false;
  const int hour = digits(p + 1, 2);
  const int minute = digits(p + 3 + has_colon, 2);
  *seconds = (hour * 3600L + minute * 60L) * (*p == '-' ? -1 : 1);
  return hour >= 0 && hour <= 23 && minute >= 0 && minute <= 59;
}

bool filter_time(struct filter_text text, double *seconds) {
  const char *p = text.at;
  const char *end = p + text.len;
  const long day = text.len < 10 ? -1 : day_of(p);
  double fraction = 0;
  long time = 0;
  long zone = 0;
  if (day < 0)
    return false;
  if (text.len > 10) {
    time = text.len < 19 || (lower(p[10]) != 't' && p[10] != ' ') ? -1 : seconds_of(p + 11);
    p += 19;
    if (time < 0)
      return false;
    if (end - p > 1 && *p == '.' && p[1] >= '0' && p[1] <= '9')
      p = fraction_of(p + 1, end, &fraction);
    if (!zone_of(p, end, &zone))
      return false;
  }
  const double whole = (double)(day * 86400L + time - zone);
  *seconds = whole + fraction;
  if (*seconds >= whole + 1) /* cut, never rounded up */
    *seconds = whole + 0.999;
  return *seconds >= 946684800 && *seconds < 253370764800; /* 2000-01-01, 9999-01-01 */
}
