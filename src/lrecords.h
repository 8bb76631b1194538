/* A list of records is recognised while its text is read. Its records get the documented names and
 * types at once, and a record that does not meet the criteria is never made.
 *
 * A record in a form that is not usual (two names of one field, more slots than a batch) is made as
 * it is, and its index is reported: Lua code normalises it. So there is no rule for conflicts here. */
#pragma once

#include "filter.h"
#include "lsink.h"

#pragma GCC visibility push(hidden)

/* The places on the stack of a sink for records, below the open containers. */
enum {
  LRECORDS_NAMES = LSINK_OWNER,              /* the names of the keys in records */
  LRECORDS_SPEC = LSINK_OWNER + READER_KEYS, /* the description of the list, or nil */
  LRECORDS_CRITERIA,                         /* a table, or nil */
  LRECORDS_LIST,                             /* the array of records, or nil */
  LRECORDS_ODD, /* the array of the indices of unusual records, or nil */
  LRECORDS_HEIGHT,
};

/* The meaning of a key in a record. */
struct lrecords_field {
  bool is_known; /* whether the rest is set */
  char kind;     /* s, n or b; 0: the field is not described */
  uint8_t column;
  uint8_t roles; /* what the criteria use it for */
};

/* The criteria of a list. A text is NULL if it is not given. */
struct lrecords_criteria {
  bool is_given;
  bool has_since;
  double since;
  double slack;
  struct filter_text user;
  struct filter_text application;
  int mfa; /* 0 or 1; -1: not given */
};

struct lrecords {
  struct lsink sink;
  bool is_wanted; /* there is a description */
  bool is_open;
  bool is_too_long; /* the list has more than `most` elements */
  int depth;        /* that of the list; 0: none was found yet */
  double most;
  double total; /* elements of the list, whether they were made or not */
  const char *kinds; /* of the description */
  const char *roles;
  size_t columns;
  struct lrecords_criteria criteria;
  struct lrecords_field field[READER_KEYS];
};

/* Prepares for the text of a reader. options: the index of a table; 0: a list is read as any other
 * value. The table has
 *
 * - list: the description of the list, or nil: a table with
 *   - items: a set of the names of the member that holds the list
 *   - columns: an array of the documented names of fields
 *   - numbers: any spelling of a field to its number in columns, by __index where needed
 *   - kinds: a text, a character for each column: s text, n count, b boolean
 *   - roles: a text, a byte for each column, the sum of what the criteria use it for: 1 time, 2 user,
 *     4 application, 8 MFA
 * - records: how many elements the list may have; nil: any number
 * - criteria: a table, or nil for none: since, slack (seconds), user, application (patterns in lower
 *   case), mfa_compliant; each may be nil
 *
 * It must not be changed until the text is read. */
void lrecords_begin(struct lrecords *r, const struct reader *reader, lua_State *L, int options);

/* Pushes an empty stack for the sink, from its base to LRECORDS_HEIGHT. options: as above. */
void lrecords_push_stack(lua_State *L, int options);

/* Makes what the slots of a batch say. */
void lrecords_consume(struct lrecords *r);

#pragma GCC visibility pop
