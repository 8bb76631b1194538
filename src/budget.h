/* A budget in bytes for the bodies of many responses, and the share of each. A share begins as an
 * estimate when its request is sent, so that no more requests are sent than there is room for their
 * responses. The estimate follows the size of the last bodies. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#pragma GCC visibility push(hidden)

struct budget {
  size_t limit; /* bytes; 0: there is no limit, and nothing is counted */
  size_t used;  /* of all shares */
  size_t complete; /* of those whose body is complete: nobody has taken it yet */
  size_t expected; /* bytes of the next body */
};

struct share {
  size_t bytes; /* of the budget */
  size_t body;  /* bytes of the body so far */
  bool is_complete;
};

void budget_init(struct budget *b, size_t limit);

/* Whether there is room for one more response. There is none while many complete bodies wait: then
 * they come faster than they are read. One response alone always has room. */
bool budget_has_room(const struct budget *b);

/* Begins a share: what is expected, or what is left. */
void budget_begin(struct budget *b, struct share *s);

/* Tells that a body is to grow to so many bytes. Returns false, and changes nothing, if that exceeds
 * the limit. */
bool budget_grow(struct budget *b, struct share *s, size_t body);

/* The same beyond the limit. */
void budget_exceed(struct budget *b, struct share *s, size_t body);

/* Extends the share of a body that could not grow, by what is expected of the rest of the body.
 * Returns false, and changes nothing, if that exceeds the limit. */
bool budget_extend(struct budget *b, struct share *s);

/* The body is complete: its share is its size from now on. The next estimate goes by it. */
void budget_complete(struct budget *b, struct share *s);

/* Ends a share: the body is freed, or somebody else counts it. May be called twice. */
void budget_end(struct budget *b, struct share *s);

#pragma GCC visibility pop
