#include "budget.h"
#include "check.h"

#define KIB ((size_t)1024)
#define MIB (KIB * KIB)

static void counts_what_is_expected(void) {
  struct budget b;
  struct share first = {0};
  struct share second = {0};
  budget_init(&b, 10 * MIB);
  check(budget_has_room(&b), "an empty budget has room");
  budget_begin(&b, &first);
  check(first.bytes == MIB && b.used == MIB, "the first guess is 1 MiB");
  check(budget_grow(&b, &first, 100 * KIB) && b.used == MIB, "bytes within a share cost nothing");
  check(budget_grow(&b, &first, 3 * MIB) && b.used == 3 * MIB, "a share grows with its body");
  budget_complete(&b, &first);
  check(b.used == 3 * MIB && b.expected > MIB, "a larger body raises the estimate");
  budget_begin(&b, &second);
  const size_t expected = b.expected;
  check(b.used == 3 * MIB + expected, "which the next share begins with");
  budget_grow(&b, &second, 10);
  budget_complete(&b, &second);
  check(b.used == 3 * MIB + 10, "a share ends as large as its body");
  check(b.expected < expected && b.expected > MIB, "a smaller body lowers the estimate slowly");
  budget_end(&b, &first);
  budget_end(&b, &first);
  check(b.used == 10, "a share may be ended twice");
  budget_begin(&b, &second);
  check(b.used == b.expected, "a share may begin again");
  budget_end(&b, &second);
  check(b.used == 0, "nothing is left in the end");
}

static void follows_the_sizes(void) {
  struct budget b;
  struct share s = {0};
  budget_init(&b, 100 * MIB);
  for (int i = 0; i < 200; i++) {
    budget_begin(&b, &s);
    budget_grow(&b, &s, 5000);
    budget_complete(&b, &s);
  }
  check(b.expected > 4000 && b.expected < 10 * KIB, "the estimate follows small bodies");
  for (int i = 0; i < 10; i++) {
    budget_begin(&b, &s);
    budget_grow(&b, &s, 4 * MIB);
    budget_complete(&b, &s);
  }
  check(b.expected > 3 * MIB && b.expected <= 4 * MIB, "and fast large ones");
}

static void has_a_limit(void) {
  struct budget b;
  struct share first = {0};
  struct share second = {0};
  struct share third = {0};
  budget_init(&b, 3 * MIB / 2);
  budget_begin(&b, &first);
  check(!budget_has_room(&b), "there is no room for less than what is expected");
  budget_begin(&b, &second);
  budget_begin(&b, &third);
  check(second.bytes == MIB / 2 && third.bytes == 0, "a share begins with what is left");
  check(!budget_grow(&b, &third, 1) && third.body == 0, "no share grows beyond the limit");
  check(!budget_extend(&b, &third), "nor is it extended");
  budget_exceed(&b, &first, 5 * MIB);
  check(b.used == 5 * MIB + MIB / 2, "but for one that is allowed to");
  check(!budget_grow(&b, &second, MIB), "then the others do not grow");
  check(budget_grow(&b, &second, 9), "except within their shares");
  budget_end(&b, &first);
  check(b.used == MIB / 2 && budget_extend(&b, &third), "until there is room");
  check(third.bytes >= 128 * KIB && b.used == MIB / 2 + third.bytes, "which they take at once");
  budget_end(&b, &second);
  budget_end(&b, &third);
  check(b.used == 0 && budget_has_room(&b), "one response has room, whatever is expected");
}

static void has_no_room_while_bodies_wait(void) {
  struct budget b;
  struct share first = {0};
  struct share second = {0};
  budget_init(&b, 40 * MIB);
  budget_begin(&b, &first);
  budget_grow(&b, &first, 11 * MIB);
  budget_begin(&b, &second);
  budget_grow(&b, &second, 3 * MIB);
  check(budget_has_room(&b), "bodies that arrive leave room");
  budget_complete(&b, &first);
  check(!budget_has_room(&b), "a quarter of the limit in complete bodies leaves none");
  budget_end(&b, &first);
  budget_complete(&b, &second);
  check(budget_has_room(&b), "until they are taken");
  budget_begin(&b, &second);
  check(b.complete == 0 && budget_has_room(&b), "a share that begins again is not complete");
}

static void extends_by_the_rest(void) {
  struct budget b;
  struct share s = {0};
  budget_init(&b, 10 * MIB);
  s.body = 300 * KIB;
  check(budget_extend(&b, &s) && s.bytes == 724 * KIB, "a share is extended by what is expected");
  s.body = MIB;
  check(budget_extend(&b, &s) && s.bytes == (724 + 128) * KIB, "but by no less than a slice");
}

static void counts_nothing_without_a_limit(void) {
  struct budget b;
  struct share s = {0};
  budget_init(&b, 0);
  budget_begin(&b, &s);
  check(budget_grow(&b, &s, 1000 * MIB) && budget_has_room(&b), "without a limit all have room");
  budget_complete(&b, &s);
  check(b.used == 0 && s.bytes == 0, "and nothing is counted");
  budget_end(&b, &s);
  check(b.used == 0, "to the end");
}

int main(void) {
  counts_what_is_expected();
  follows_the_sizes();
  has_a_limit();
  has_no_room_while_bodies_wait();
  extends_by_the_rest();
  counts_nothing_without_a_limit();
  return check_result("budget");
}
