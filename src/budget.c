#include "budget.h"

#define FIRST_GUESS ((size_t)1024 * 1024) /* bytes of a body, before one has come */
#define LEAST ((size_t)128 * 1024)        /* bytes by which a share is extended */
#define BACKLOG 4                         /* the part of the limit for complete bodies */

/* With each body the estimate moves by this part of the difference: fast to a larger one, slowly to
 * a smaller one, as the short responses of a sign-in come between those of lists. */
#define RISE 4
#define FALL 32

void budget_init(struct budget *b, size_t limit) {
  *b = (struct budget){.limit = limit, .expected = FIRST_GUESS};
}

static bool fits(const struct budget *b, size_t more) {
  return b->used < b->limit && more <= b->limit - b->used;
}

bool budget_has_room(const struct budget *b) {
  return b->limit == 0 || b->used == 0 ||
         (b->complete < b->limit / BACKLOG && fits(b, b->expected));
}

/* Changes the size of a share. */
static void set(struct budget *b, struct share *s, size_t bytes) {
  b->used = b->used - s->bytes + bytes;
  s->bytes = bytes;
}

void budget_begin(struct budget *b, struct share *s) {
  budget_end(b, s);
  if (b->used < b->limit)
    set(b, s, b->expected < b->limit - b->used ? b->expected : b->limit - b->used);
}

bool budget_grow(struct budget *b, struct share *s, size_t body) {
  if (b->limit > 0 && body > s->bytes && !fits(b, body - s->bytes))
    return false;
  budget_exceed(b, s, body);
  return true;
}

void budget_exceed(struct budget *b, struct share *s, size_t body) {
  s->body = body;
  if (b->limit > 0 && body > s->bytes)
    set(b, s, body);
}

bool budget_extend(struct budget *b, struct share *s) {
  const size_t rest = b->expected > s->body ? b->expected - s->body : 0;
  const size_t more = rest > LEAST ? rest : LEAST;
  if (!fits(b, more))
    return false;
  set(b, s, s->bytes + more);
  return true;
}

void budget_complete(struct budget *b, struct share *s) {
  if (b->limit == 0)
    return;
  set(b, s, s->body);
  s->is_complete = true;
  b->complete += s->bytes;
  if (s->body > b->expected)
    b->expected += (s->body - b->expected) / RISE;
  else
    b->expected -= (b->expected - s->body) / FALL;
}

void budget_end(struct budget *b, struct share *s) {
  if (s->is_complete)
    b->complete -= s->bytes;
  s->is_complete = false;
  set(b, s, 0);
  s->body = 0;
}
