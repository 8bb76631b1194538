#include "lrecords.h"
#include "binding.h"

#include <math.h>
#include <string.h>

enum { ROLE_TIME = 1, ROLE_USER = 2, ROLE_APPLICATION = 4, ROLE_MFA = 8 };

/* The bytes of a string in the text. */
static struct filter_text text_at(const struct reader_slot *slot) {
  return (struct filter_text){slot->as.text, slot->size};
}

/* The text is valid for as long as the table holds it. */
static struct filter_text opt_text(lua_State *L, int t, const char *name) {
  struct filter_text text = {NULL, 0};
  lua_getfield(L, t, name);
  if (!lua_isnil(L, -1))
    text.at = luaL_checklstring(L, -1, &text.len);
  lua_pop(L, 1);
  return text;
}

static void check_criteria(lua_State *L, int t, struct lrecords_criteria *c) {
  luaL_checktype(L, t, LUA_TTABLE);
  c->since = binding_number(L, t, "since", -HUGE_VAL);
  c->has_since = c->since != -HUGE_VAL;
  c->slack = binding_number(L, t, "slack", 0);
  c->user = opt_text(L, t, "user");
  c->application = opt_text(L, t, "application");
  lua_getfield(L, t, "mfa_compliant");
  c->mfa = lua_isnil(L, -1) ? -1 : lua_toboolean(L, -1);
  lua_pop(L, 1);
  c->is_given = c->has_since || c->user.at || c->application.at || c->mfa >= 0;
}

static void check_description(lua_State *L, int t, struct lrecords *r) {
  luaL_checktype(L, t, LUA_TTABLE);
  const struct filter_text kinds = opt_text(L, t, "kinds");
  const struct filter_text roles = opt_text(L, t, "roles");
  if (!kinds.at || !roles.at || kinds.len != roles.len)
    luaL_error(L, "kinds and roles must be texts of the same length");
  r->kinds = kinds.at;
  r->roles = roles.at;
  r->columns = kinds.len;
}

void lrecords_begin(struct lrecords *r, const struct reader *reader, lua_State *L, int options) {
  lsink_begin(&r->sink, reader);
  r->sink.is_object[1] = true;
  r->is_open = r->is_too_long = r->is_wanted = r->criteria.is_given = false;
  r->depth = 0;
  r->total = 0;
  if (!options)
    return;
  r->most = binding_number(L, options, "records", HUGE_VAL);
  lua_getfield(L, options, "list");
  r->is_wanted = !lua_isnil(L, -1);
  if (r->is_wanted) {
    memset(r->field, 0, sizeof r->field);
    check_description(L, lua_gettop(L), r);
    lua_getfield(L, options, "criteria");
    if (!lua_isnil(L, -1))
      check_criteria(L, lua_gettop(L), &r->criteria);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
}

void lrecords_push_stack(lua_State *L, int options) {
  luaL_checkstack(L, LRECORDS_HEIGHT + 12, "too many values");
  const int base = lua_gettop(L) + 1;
  lua_settop(L, base + LRECORDS_HEIGHT - 1);
  if (options) {
    lua_getfield(L, options, "list");
    lua_replace(L, base + LRECORDS_SPEC);
    lua_getfield(L, options, "criteria");
    lua_replace(L, base + LRECORDS_CRITERIA);
  }
}

/* Whether the array at a slot is the list of records: the first one that is the outermost value, or a
 * member of it with one of the names that the caller wants. */
static bool is_list(struct lrecords *r, const struct reader_slot *slot) {
  struct lsink *s = &r->sink;
  lua_State *L = s->L;
  if (!r->is_wanted || r->depth > 0 || slot->kind != READER_ARRAY || s->depth > 1)
    return false;
  if (s->depth == 0)
    return true;
  if (!s->is_object[1] || slot->key == READER_NO_KEY)
    return false;
  lua_getfield(L, s->base + LRECORDS_SPEC, "items");
  lsink_push_raw(s, slot->key);
  lua_rawget(L, -2);
  const bool is_one = lua_toboolean(L, -1);
  lua_pop(L, 2);
  return is_one;
}

/* Remembers the array on top of the stack, which was just opened, as the list. */
static void open_list(struct lrecords *r) {
  lua_State *L = r->sink.L;
  r->depth = r->sink.depth;
  r->is_open = true;
  lua_pushvalue(L, -1);
  lua_replace(L, r->sink.base + LRECORDS_LIST);
}

/* Adds the element or member at slot i to the innermost open container. Returns the next slot. */
static size_t add_item(struct lrecords *r, size_t i) {
  struct lsink *s = &r->sink;
  const bool is_member = s->depth > 0 && s->is_object[s->depth];
  const struct reader_slot *value = lsink_slot(s, i + (lsink_slot(s, i)->kind == READER_NAME));
  if (value->kind == READER_OBJECT || value->kind == READER_ARRAY) {
    const bool is_records = is_list(r, value);
    if (is_records || value->as.close == 0 || (r->is_wanted && s->depth == 0)) {
      if (is_member)
        i = lsink_push_name(s, i);
      lsink_open(s, value);
      if (is_records)
        open_list(r);
      return i + 1;
    }
  }
  if (is_member)
    return lsink_set_member(s, i);
  i = lsink_push_value(s, i);
  lsink_store(s);
  return i;
}

/* Sets what a key means in a record, and the name that it has there. */
static const struct lrecords_field *find_field(struct lrecords *r, uint8_t key) {
  lua_State *L = r->sink.L;
  struct lrecords_field *f = &r->field[key];
  lua_getfield(L, r->sink.base + LRECORDS_SPEC, "numbers");
  lsink_push_raw(&r->sink, key);
  lua_gettable(L, -2); /* by its __index, whatever the case of the name */
  const lua_Integer number = lua_tointeger(L, -1); /* 0 for nil */
  if (number > 0 && (size_t)number <= r->columns) {
    f->kind = r->kinds[number - 1];
    f->roles = (uint8_t)r->roles[number - 1];
    f->column = (uint8_t)(number % 64);
    lua_getfield(L, r->sink.base + LRECORDS_SPEC, "columns");
    lua_rawgeti(L, -1, (int)number);
    lua_replace(L, r->sink.base + LRECORDS_NAMES + key);
    lua_pop(L, 1);
  }
  lua_pop(L, 2);
  f->is_known = true;
  return f;
}

static const struct lrecords_field *field_of(struct lrecords *r, const struct reader_slot *slot) {
  const struct lrecords_field *f = &r->field[slot->key];
  return f->is_known ? f : find_field(r, slot->key);
}

/* Marks the column of a field. Returns false if it was marked before: the record has two names for
 * it. From 64 columns on that can be wrong, which only costs time. */
static bool mark(uint64_t *seen, const struct lrecords_field *f) {
  const uint64_t bit = 1ULL << f->column;
  const bool is_new = !(*seen & bit);
  *seen |= bit;
  return is_new;
}

/* Reads the digits of a count. Returns false for any other text, and for a
 * count that is much too large. */
static bool count_of(struct filter_text text, int64_t *n) {
  const char *p = text.at;
  const char *end = p + text.len;
  const bool is_negative = p < end && *p == '-';
  p += is_negative;
  if (p == end)
    return false;
  for (*n = 0; p < end; p++) {
    if (*p < '0' || *p > '9' || *n > PCAPI_EXACT)
      return false;
    *n = *n * 10 + (*p - '0');
  }
  *n = is_negative ? -*n : *n;
  return true;
}

/* Pushes the count at a slot: an integer that a double holds exactly, also as text. Pushes nothing
 * for anything else. */
static bool push_count(lua_State *L, const struct reader_slot *slot) {
  int64_t n;
  if (slot->kind == READER_INTEGER) {
    n = slot->as.integer;
  } else if (slot->kind == READER_NUMBER) {
    if (floor(slot->as.number) != slot->as.number || fabs(slot->as.number) > (double)PCAPI_EXACT)
      return false;
    n = (int64_t)slot->as.number;
  } else if (slot->kind != READER_STRING || !count_of(text_at(slot), &n)) {
    return false;
  }
  if (n > PCAPI_EXACT || n < -PCAPI_EXACT)
    return false;
  lsink_push_integer(L, n);
  return true;
}

/* Returns 0 or 1 for the boolean at a slot, also as text; -1 for anything else. */
static int truth_of(const struct reader_slot *slot) {
  if (slot->kind == READER_TRUE || slot->kind == READER_FALSE)
    return slot->kind == READER_TRUE;
  if (slot->kind != READER_STRING)
    return -1;
  const struct filter_text text = text_at(slot);
  return filter_is_word(text, "true") ? 1 : filter_is_word(text, "false") ? 0 : -1;
}

/* Sets the described field at slot i in the record on top of the stack. Returns the slot after its
 * value. An empty text, and a count that is none, are left out. */
static size_t set_field(struct lrecords *r, size_t i, const struct lrecords_field *f) {
  lua_State *L = r->sink.L;
  const struct reader_slot *slot = lsink_slot(&r->sink, i);
  if (slot->kind == READER_STRING && slot->size == 0)
    return i + 1;
  lua_pushvalue(L, r->sink.base + LRECORDS_NAMES + slot->key);
  if (f->kind == 's' || (f->kind == 'b' && truth_of(slot) < 0)) {
    i = lsink_push_value(&r->sink, i);
  } else {
    i = lsink_after(&r->sink, i);
    if (f->kind == 'b') {
      lua_pushboolean(L, truth_of(slot));
    } else if (!push_count(L, slot)) {
      lua_pop(L, 1);
      return i;
    }
  }
  lua_rawset(L, -3);
  return i;
}

/* Pushes the record at slot i. Returns false and pushes nothing if it is unusual. */
static bool push_record(struct lrecords *r, size_t i) {
  const size_t close = lsink_slot(&r->sink, i)->as.close;
  uint64_t seen = 0;
  lua_createtable(r->sink.L, 0, (int)lsink_slot(&r->sink, i)->size);
  for (i++; i < close;) {
    const struct reader_slot *slot = lsink_slot(&r->sink, i);
    const struct lrecords_field *f = slot->kind == READER_NAME ? NULL : field_of(r, slot);
    bool is_usual = f != NULL;
    if (!is_usual) {
      /* a name that has an escape, or is long, or one of very many */
    } else if (!f->kind) {
      i = lsink_set_member(&r->sink, i);
    } else if (slot->kind == READER_NULL) {
      is_usual = !(seen & 1ULL << f->column);
      i++;
    } else {
      is_usual = mark(&seen, f) &&
                 (f->kind == 's' || slot->kind != READER_STRING || slot->is_plain);
      if (is_usual)
        i = set_field(r, i, f);
    }
    if (!is_usual) {
      lua_pop(r->sink.L, 1);
      return false;
    }
  }
  return true;
}

enum verdict { DROP, TAKE, UNSURE };

/* Whether a text at a slot matches a pattern. */
static bool matches(const struct reader_slot *slot, struct filter_text pattern) {
  return slot->kind == READER_STRING && slot->size > 0 &&
         filter_matches(pattern, text_at(slot));
}

/* Whether a time is not before the earliest. */
static enum verdict judge_time(const struct lrecords_criteria *c, const struct reader_slot *slot) {
  double at;
  if (slot->kind != READER_STRING ||
      !filter_time(text_at(slot), &at))
    return UNSURE;
  return at + c->slack > c->since || at == c->since ? TAKE : DROP;
}

/* Whether the record at slot i meets the criteria. */
static enum verdict judge(struct lrecords *r, size_t i) {
  const struct lrecords_criteria *c = &r->criteria;
  const size_t close = lsink_slot(&r->sink, i)->as.close;
  enum verdict verdict = c->has_since ? UNSURE : TAKE;
  bool is_user = !c->user.at;
  bool is_application = !c->application.at;
  bool is_compliant = c->mfa < 0;
  uint64_t seen = 0;
  for (i++; i < close; i = lsink_after(&r->sink, i)) {
    const struct reader_slot *slot = lsink_slot(&r->sink, i);
    if (slot->kind == READER_NAME)
      return UNSURE;
    const struct lrecords_field *f = field_of(r, slot);
    if (!f->roles)
      continue;
    if (!mark(&seen, f) || (slot->kind == READER_STRING && !slot->is_plain))
      return UNSURE;
    if (f->roles & ROLE_TIME && c->has_since)
      verdict = judge_time(c, slot);
    if (f->roles & ROLE_USER && c->user.at)
      is_user |= matches(slot, c->user);
    if (f->roles & ROLE_APPLICATION && c->application.at)
      is_application |= matches(slot, c->application);
    if (f->roles & ROLE_MFA && c->mfa >= 0)
      is_compliant = truth_of(slot) == c->mfa;
  }
  return is_user && is_application && is_compliant ? verdict : DROP;
}

/* Reports the next element of the list as unusual. */
static void report_odd(struct lrecords *r) {
  lua_State *L = r->sink.L;
  const int odd = r->sink.base + LRECORDS_ODD;
  if (lua_isnil(L, odd)) {
    lua_newtable(L);
    lua_replace(L, odd);
  }
  lua_pushinteger(L, r->sink.count[r->depth] + 1);
  lua_rawseti(L, odd, (int)lua_rawlen(L, odd) + 1);
}

/* Adds the element at slot i to the list, if it meets the criteria. Returns the next slot. */
static size_t add_record(struct lrecords *r, size_t i) {
  const struct reader_slot *slot = lsink_slot(&r->sink, i);
  const bool is_whole = slot->kind == READER_OBJECT && slot->as.close > 0;
  const size_t next = is_whole ? slot->as.close + 1 : 0;
  enum verdict verdict = UNSURE;
  r->total++;
  if (r->total > r->most) {
    r->is_too_long = true;
    return r->sink.reader->count;
  }
  if (is_whole)
    verdict = r->criteria.is_given ? judge(r, i) : TAKE;
  if (verdict == DROP)
    return next;
  if (is_whole && push_record(r, i)) {
    if (verdict == UNSURE)
      report_odd(r);
    lsink_store(&r->sink);
    return next;
  }
  report_odd(r);
  return add_item(r, i);
}

void lrecords_consume(struct lrecords *r) {
  struct lsink *s = &r->sink;
  for (size_t i = 0; i < s->reader->count;) {
    if (lsink_slot(s, i)->kind == READER_CLOSE) {
      r->is_open &= s->depth != r->depth;
      lsink_close(s);
      i++;
    } else if (r->is_open && s->depth == r->depth) {
      i = add_record(r, i);
    } else {
      i = add_item(r, i);
    }
  }
}
