/* The header lines of a request. */
#include "headers.h"
#include "check.h"
#include "fail_alloc.h"

#include <stdio.h>
#include <string.h>

static char accept_text[] = "Accept: any";
static char agent[] = "User-Agent: us";

static void begin(struct headers *h) {
  headers_init(h);
  h->defaults[0].line = accept_text;
  h->defaults[1].line = agent;
}

/* Whether the list has these lines, each ended by "\n" in the text. */
static bool lists(struct headers *h, const char *text) {
  char all[1024] = "";
  for (const struct curl_slist *l = headers_list(h); l; l = l->next) {
    strcat(all, l->data);
    strcat(all, "\n");
  }
  return strcmp(all, text) == 0;
}

static void lists_lines(void) {
  struct headers h;
  begin(&h);
  check(lists(&h, "Accept: any\nUser-Agent: us\n"), "the defaults are listed without other lines");
  headers_add(&h, "A: 1");
  headers_add(&h, "B: \xc3\xa4\t2 and a text that is longer than eight bytes");
  check(lists(&h, "A: 1\nB: \xc3\xa4\t2 and a text that is longer than eight bytes\n"
                  "Accept: any\nUser-Agent: us\n"),
        "lines come in their order, before the defaults");
  headers_clear(&h);
  headers_add(&h, "user-AGENT: mine");
  headers_add(&h, "Accepted: 1");
  check(lists(&h, "user-AGENT: mine\nAccepted: 1\nAccept: any\n"),
        "a line replaces the default of the same name, in any case");
  headers_clear(&h);
  headers_add(&h, "Accept");
  headers_add(&h, "");
  check(lists(&h, "Accept\n\nAccept: any\nUser-Agent: us\n"), "a line without a colon has no name");
  headers_clear(&h);
  check(lists(&h, "Accept: any\nUser-Agent: us\n"), "clearing removes lines");
  h.defaults[1].line = NULL;
  headers_add(&h, "User-Agent: mine");
  check(lists(&h, "User-Agent: mine\nAccept: any\n"), "a default may be missing");
  headers_free(&h);
  check(headers_list(&h) == NULL, "a freed list is empty");
  headers_free(&h);
}

static void refuses_control_characters(void) {
  struct headers h;
  begin(&h);
  char line[32];
  for (int at = 0; at < 20; at++)
    for (int c = 1; c < 256; c++) {
      strcpy(line, "Name: 0123456789 abcdefgh");
      line[at] = (char)c;
      const bool is_control = (c < 32 && c != '\t') || c == 127;
      const enum headers_code code = headers_add(&h, line);
      if (code != (is_control ? HEADERS_INVALID : HEADERS_OK))
        check(false, "a control character is refused wherever it is, and no other character");
      headers_clear(&h);
    }
  headers_add(&h, "A: 1");
  check(headers_add(&h, "B: 1\r\nC: 2") == HEADERS_INVALID, "a line break is refused");
  check(lists(&h, "A: 1\nAccept: any\nUser-Agent: us\n"), "the other lines stay");
  check(headers_message(HEADERS_OK) == NULL && headers_message(HEADERS_INVALID) != NULL &&
            headers_message(HEADERS_TOO_LARGE) != NULL && headers_message(HEADERS_NO_MEMORY),
        "each refusal has a message");
  headers_free(&h);
}

static void has_a_limit(void) {
  static char long_line[1 << 16];
  struct headers h;
  begin(&h);
  memset(long_line, 'a', sizeof long_line - 1);
  int lines = 0;
  while (lines < 100 && headers_add(&h, long_line) == HEADERS_OK)
    lines++;
  check(lines == 16 && headers_add(&h, long_line) == HEADERS_TOO_LARGE,
        "all lines together have at most 1 MiB");
  headers_free(&h);
}

static void survives_lack_of_memory(void) {
  struct headers h;
  begin(&h);
  fail_alloc_at(1);
  check(headers_add(&h, "A: 1") == HEADERS_NO_MEMORY, "it reports lack of memory for a line");
  fail_alloc_at(0);
  check(headers_add(&h, "A: 1") == HEADERS_OK, "and goes on afterwards");
  fail_alloc_at(1);
  check(headers_list(&h) == NULL, "it reports lack of memory for the list");
  fail_alloc_at(0);
  check(lists(&h, "A: 1\nAccept: any\nUser-Agent: us\n"), "and goes on afterwards");
  headers_free(&h);
}

int main(void) {
  lists_lines();
  refuses_control_characters();
  has_a_limit();
  survives_lack_of_memory();
  return check_result("headers");
}
