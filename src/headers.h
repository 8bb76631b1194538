/* The header lines of a request, as the list that libcurl takes. All lines are in one block, which
 * the next request reuses: libcurl's own lists cost two allocations a line. Uses buf and libcurl's
 * type of a list; knows no Lua. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <curl/curl.h>

#include "buf.h"

#pragma GCC visibility push(hidden)

enum headers_code {
  HEADERS_OK,
  HEADERS_INVALID, /* a line holds a line break or a control character */
  HEADERS_TOO_LARGE,
  HEADERS_NO_MEMORY
};

/* A line that each request gets, unless it has its own of that name. */
struct headers_default {
  char *line; /* NULL: none; it lives as long as the headers */
  bool is_replaced;
  struct curl_slist node;
};

#define HEADERS_DEFAULTS 2

struct headers {
  struct buf text;          /* the lines, each ended by a zero byte */
  struct curl_slist *nodes; /* made of them by headers_list() */
  size_t count, room;       /* of nodes */
  struct headers_default defaults[HEADERS_DEFAULTS];
};

/* Makes an empty list; allocates nothing. The caller then sets the lines of the defaults. */
void headers_init(struct headers *h);

/* Adds a copy of the line "Name: value". After a failure the other lines stay. */
enum headers_code headers_add(struct headers *h, const char *line);

/* Returns the list of all lines, which is valid until h is changed. NULL: no memory, or no line. */
struct curl_slist *headers_list(struct headers *h);

/* Removes the lines that were added; keeps their memory for reuse. */
void headers_clear(struct headers *h);

void headers_free(struct headers *h);

/* Returns the message for a code; NULL for HEADERS_OK. */
const char *headers_message(enum headers_code code);

#pragma GCC visibility pop
