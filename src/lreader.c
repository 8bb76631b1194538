/* JSON texts to their final Lua tables in one pass, by reader.h. A list of records is recognised
 * while it is read: its records get the documented names and types at once, and a record that does
 * not meet the criteria is never made.
 *
 * A record in a form that is not usual (two names of one field, more slots than a batch) is made as
 * it is, and its index is reported: Lua code normalises it. So this file needs no rule for conflicts. */
#include "lreader.h"
#include "binding.h"
#include "buf.h"
#include "filter.h"

#include <math.h>
#include <string.h>

/* The stack of a sink, from its base: the names of the reader's keys; the names of the same keys in
 * records; a value of each; what follows here; then the open containers, each above its name if it is a member. */
enum {
  RAW = 0,
  EXPOSED = READER_KEYS,
  AGAIN = 2 * READER_KEYS, /* the strings that are repeated values of the keys */
  SPEC = 3 * READER_KEYS,  /* the description of the list, or nil */
  LIST,                   /* the array of records, or nil */
  ODD,                    /* the array of the indices of unusual records, or nil */
  OPEN,
};

enum { ROLE_TIME = 1, ROLE_USER = 2, ROLE_APPLICATION = 4, ROLE_MFA = 8 };

/* What a key means in a record. */
struct field {
  bool is_known; /* whether the rest is set */
  char kind;     /* s, n or b; 0: the field is not described */
  uint8_t column;
  uint8_t roles;
};

/* The last string that was the value of a key, in the text. */
struct last {
  const char *text; /* NULL: there was none */
  uint32_t size;
  bool is_made; /* it came twice: its Lua string is on the stack, from AGAIN on */
};

/* The criteria of a list. A text is NULL if it is not given. */
struct criteria {
  bool is_given;
  bool has_since;
  double since;
  double slack;
  struct filter_text user;
  struct filter_text application;
  int mfa; /* 0 or 1; -1: not given */
};

struct sink {
  struct reader *reader;
  lua_State *L;
  int base;
  int depth; /* of open containers */
  int list_depth;    /* that of the list; 0: none was found yet */
  bool is_in_list;   /* it is open */
  bool has_spec;     /* lists are wanted */
  bool is_too_long;  /* the list has more than max_records elements */
  bool is_released;  /* the text cannot be read again */
  bool has_raw[READER_KEYS];
  bool is_object[READER_DEPTH + 1];
  int count[READER_DEPTH + 1]; /* elements of an open array */
  size_t max_values;
  double max_records;
  double total; /* elements of the list, whether they were made or not */
  struct criteria criteria;
  struct last last[READER_KEYS];
  struct field field[READER_KEYS];
};

static void sink_begin(struct sink *s, struct reader *r, bool has_spec) {
  s->reader = r;
  s->depth = s->list_depth = 0;
  s->has_spec = has_spec;
  s->is_in_list = s->is_too_long = s->is_released = false;
  s->is_object[1] = true;
  s->total = 0;
  memset(s->has_raw, 0, sizeof s->has_raw);
  memset(s->last, 0, sizeof s->last);
  if (has_spec)
    memset(s->field, 0, sizeof s->field);
}

static const struct reader_slot *slot_at(const struct sink *s, size_t i) {
  return &s->reader->slot[i];
}

static void push_text(lua_State *L, const struct reader_slot *slot) {
  char small[768];
  if (slot->is_plain) {
    lua_pushlstring(L, slot->as.text, slot->size);
  } else if (slot->size <= sizeof small / 3) {
    lua_pushlstring(L, small, reader_text(slot, small));
  } else {
    char *large = lua_newuserdata(L, 3 * (size_t)slot->size);
    lua_pushlstring(L, large, reader_text(slot, large));
    lua_remove(L, -2);
  }
}

/* Pushes the string at a slot. Records often repeat a value, such as the tenant: to compare the bytes
 * is cheaper than to look up the string that Lua has. */
static void push_string(struct sink *s, const struct reader_slot *slot) {
  lua_State *L = s->L;
  if (slot->key == READER_NO_KEY || !slot->is_plain) {
    push_text(L, slot);
    return;
  }
  struct last *last = &s->last[slot->key];
  const bool is_same = last->text && last->size == slot->size &&
                       memcmp(last->text, slot->as.text, slot->size) == 0;
  if (is_same && last->is_made) {
    lua_pushvalue(L, s->base + AGAIN + slot->key);
    return;
  }
  lua_pushlstring(L, slot->as.text, slot->size);
  last->text = slot->as.text;
  last->size = slot->size;
  last->is_made = is_same;
  if (is_same) {
    lua_pushvalue(L, -1);
    lua_replace(L, s->base + AGAIN + slot->key);
  }
}

static void push_number(lua_State *L, double n) {
  lua_pushnumber(L, (lua_Number)n);
  pcapi_make_integer(L);
}

static void push_integer(lua_State *L, int64_t n) {
#if LUA_VERSION_NUM >= 503
  lua_pushinteger(L, (lua_Integer)n);
#else
  lua_pushnumber(L, (lua_Number)n);
#endif
}

/* Pushes the name of a key as the text has it. */
static void push_raw(struct sink *s, uint8_t key) {
  lua_State *L = s->L;
  if (!s->has_raw[key]) {
    lua_pushlstring(L, s->reader->key[key].text, s->reader->key[key].len);
    lua_replace(L, s->base + RAW + key);
    s->has_raw[key] = true;
  }
  lua_pushvalue(L, s->base + RAW + key);
}

/* Pushes the name of the member at slot i. Returns the slot of its value. */
static size_t push_name(struct sink *s, size_t i) {
  if (slot_at(s, i)->kind == READER_NAME) {
    push_text(s->L, slot_at(s, i));
    return i + 1;
  }
  push_raw(s, slot_at(s, i)->key);
  return i;
}

/* Removes the member whose name is on top of the stack from the table below it; pops the name. */
static void remove_member(lua_State *L) {
  lua_pushvalue(L, -1);
  lua_rawget(L, -3);
  const bool is_missing = lua_isnil(L, -1);
  lua_pop(L, 1);
  lua_pushnil(L);
  if (is_missing) /* the usual case; Lua 5.1 would make room for it */
    lua_pop(L, 2);
  else
    lua_rawset(L, -3);
}

static size_t push_value(struct sink *s, size_t i);

/* Sets the member at slot i in the table on top of the stack. Returns the slot after its value. */
static size_t set_member(struct sink *s, size_t i) {
  i = push_name(s, i);
  if (slot_at(s, i)->kind == READER_NULL) {
    remove_member(s->L);
    return i + 1;
  }
  i = push_value(s, i);
  lua_rawset(s->L, -3);
  return i;
}

/* Pushes the table of the container at slot i, which is complete in this batch. */
static size_t push_container(struct sink *s, size_t i) {
  lua_State *L = s->L;
  const struct reader_slot *slot = slot_at(s, i);
  const bool is_object = slot->kind == READER_OBJECT;
  luaL_checkstack(L, 6, "JSON nested too deep");
  lua_createtable(L, is_object ? 0 : (int)slot->size, is_object ? (int)slot->size : 0);
  int n = 0;
  for (i++; slot_at(s, i)->kind != READER_CLOSE;) {
    if (is_object) {
      i = set_member(s, i);
    } else {
      i = push_value(s, i);
      lua_rawseti(L, -2, ++n);
    }
  }
  return i + 1;
}

/* Pushes the value at slot i. Returns the slot after it. The recursion is at most READER_DEPTH
 * deep. */
static size_t push_value(struct sink *s, size_t i) {
  const struct reader_slot *slot = slot_at(s, i);
  switch (slot->kind) {
  case READER_STRING:
    push_string(s, slot);
    break;
  case READER_INTEGER:
    push_integer(s->L, slot->as.integer);
    break;
  case READER_NUMBER:
    push_number(s->L, slot->as.number);
    break;
  case READER_NULL:
    lua_pushlightuserdata(s->L, NULL);
    break;
  case READER_TRUE:
  case READER_FALSE:
    lua_pushboolean(s->L, slot->kind == READER_TRUE);
    break;
  default:
    return push_container(s, i);
  }
  return i + 1;
}

/* Stores the value on top of the stack in the innermost open container, below whose name it lies if
 * that is an object. At depth 0 it stays. */
static void store(struct sink *s) {
  if (s->depth > 0 && s->is_object[s->depth])
    lua_rawset(s->L, -3);
  else if (s->depth > 0)
    lua_rawseti(s->L, -2, ++s->count[s->depth]);
}

/* Whether the array at a slot is the list of records: the first one that is the outermost value, or a
 * member of it with one of the names that the caller wants. */
static bool is_list(struct sink *s, const struct reader_slot *slot) {
  lua_State *L = s->L;
  if (!s->has_spec || s->list_depth > 0 || slot->kind != READER_ARRAY || s->depth > 1)
    return false;
  if (s->depth == 1) {
    if (!s->is_object[1] || slot->key == READER_NO_KEY)
      return false;
    lua_getfield(L, s->base + SPEC, "items");
    push_raw(s, slot->key);
    lua_rawget(L, -2);
    const bool is_wanted = lua_toboolean(L, -1);
    lua_pop(L, 2);
    if (!is_wanted)
      return false;
  }
  return true;
}

/* Opens the container at a slot, above its name if it is a member. Its contents come later. */
static void open_container(struct sink *s, const struct reader_slot *slot, bool is_records) {
  lua_State *L = s->L;
  const bool is_object = slot->kind == READER_OBJECT;
  luaL_checkstack(L, 6, "JSON nested too deep");
  lua_createtable(L, is_object ? 0 : (int)slot->size, is_object ? (int)slot->size : 0);
  s->depth++;
  s->is_object[s->depth] = is_object;
  s->count[s->depth] = 0;
  if (is_records) {
    s->list_depth = s->depth;
    s->is_in_list = true;
    lua_pushvalue(L, -1);
    lua_replace(L, s->base + LIST);
  }
}

/* Adds the element or member at slot i to the innermost open container. Returns the next slot. */
static size_t add_item(struct sink *s, size_t i) {
  const bool is_member = s->depth > 0 && s->is_object[s->depth];
  const struct reader_slot *value = slot_at(s, i + (slot_at(s, i)->kind == READER_NAME));
  if (value->kind == READER_OBJECT || value->kind == READER_ARRAY) {
    const bool is_records = is_list(s, value);
    if (is_records || value->as.close == 0 || (s->has_spec && s->depth == 0)) {
      if (is_member)
        i = push_name(s, i);
      open_container(s, value, is_records);
      return i + 1;
    }
  }
  if (is_member)
    return set_member(s, i);
  i = push_value(s, i);
  store(s);
  return i;
}

/* Sets what a key means in a record, and the name that it has there. */
static const struct field *find_field(struct sink *s, uint8_t key) {
  lua_State *L = s->L;
  struct field *f = &s->field[key];
  lua_getfield(L, s->base + SPEC, "names");
  push_raw(s, key);
  lua_gettable(L, -2); /* by its __index, whatever its case */
  lua_pushvalue(L, -1);
  lua_replace(L, s->base + EXPOSED + key);
  lua_getfield(L, s->base + SPEC, "columns");
  lua_pushvalue(L, -2);
  lua_rawget(L, -2);
  const lua_Integer column = lua_tointeger(L, -1); /* from 1; 0 for nil */
  lua_getfield(L, s->base + SPEC, "kinds");
  f->kind = (char)(column > 0 ? lua_tostring(L, -1)[column - 1] : 0);
  f->column = (uint8_t)(column % 64);
  lua_getfield(L, s->base + SPEC, "roles");
  lua_pushvalue(L, -5);
  lua_rawget(L, -2);
  f->roles = (uint8_t)lua_tointeger(L, -1);
  lua_pop(L, 7);
  f->is_known = true;
  return f;
}

static const struct field *field_of(struct sink *s, const struct reader_slot *slot) {
  const struct field *f = &s->field[slot->key];
  return f->is_known ? f : find_field(s, slot->key);
}

/* Marks the column of a field. Returns false if it was marked before: the record has two names for
 * it. From 64 columns on that can be wrong, which only costs time. */
static bool mark(uint64_t *seen, const struct field *f) {
  const uint64_t bit = 1ULL << f->column;
  const bool is_new = !(*seen & bit);
  *seen |= bit;
  return is_new;
}

/* Pushes the count at a slot: an integer that a double holds exactly, also as text. Pushes nothing
 * for anything else. */
static bool push_count(lua_State *L, const struct reader_slot *slot) {
  int64_t n = 0;
  if (slot->kind == READER_INTEGER) {
    n = slot->as.integer;
  } else if (slot->kind == READER_NUMBER) {
    if (floor(slot->as.number) != slot->as.number || fabs(slot->as.number) > (double)PCAPI_EXACT)
      return false;
    n = (int64_t)slot->as.number;
  } else if (slot->kind == READER_STRING) {
    const char *p = slot->as.text;
    const char *end = p + slot->size;
    const bool is_negative = p < end && *p == '-';
    p += is_negative;
    if (p == end)
      return false;
    for (; p < end; p++) {
      if (*p < '0' || *p > '9' || n > PCAPI_EXACT)
        return false;
      n = n * 10 + (*p - '0');
    }
    n = is_negative ? -n : n;
  } else {
    return false;
  }
  if (n > PCAPI_EXACT || n < -PCAPI_EXACT)
    return false;
  push_integer(L, n);
  return true;
}

/* Returns 0 or 1 for the boolean at a slot, also as text; -1 for anything else. */
static int truth_of(const struct reader_slot *slot) {
  if (slot->kind == READER_TRUE || slot->kind == READER_FALSE)
    return slot->kind == READER_TRUE;
  if (slot->kind != READER_STRING)
    return -1;
  const struct filter_text text = {slot->as.text, slot->size};
  return filter_is_word(text, "true") ? 1 : filter_is_word(text, "false") ? 0 : -1;
}

static size_t after(const struct sink *s, size_t i) {
  const struct reader_slot *slot = slot_at(s, i);
  const bool is_container = slot->kind == READER_OBJECT || slot->kind == READER_ARRAY;
  return is_container ? slot->as.close + 1 : i + 1;
}

/* Sets the described field at slot i in the record on top of the stack. Returns the slot after its
 * value. An empty text, and a count that is none, are left out. */
static size_t set_field(struct sink *s, size_t i, const struct field *f) {
  lua_State *L = s->L;
  const struct reader_slot *slot = slot_at(s, i);
  if (slot->kind == READER_STRING && slot->size == 0)
    return i + 1;
  lua_pushvalue(L, s->base + EXPOSED + slot->key);
  if (f->kind == 's' || (f->kind == 'b' && truth_of(slot) < 0)) {
    i = push_value(s, i);
  } else {
    i = after(s, i);
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
static bool push_record(struct sink *s, size_t i) {
  const size_t close = slot_at(s, i)->as.close;
  uint64_t seen = 0;
  lua_createtable(s->L, 0, (int)slot_at(s, i)->size);
  for (i++; i < close;) {
    const struct reader_slot *slot = slot_at(s, i);
    const struct field *f = slot->kind == READER_NAME ? NULL : field_of(s, slot);
    bool is_usual = f != NULL;
    if (!is_usual) {
      /* a name that has an escape, or is long, or one of very many */
    } else if (!f->kind) {
      i = set_member(s, i);
    } else if (slot->kind == READER_NULL) {
      is_usual = !(seen & 1ULL << f->column);
      i++;
    } else {
      is_usual = mark(&seen, f) &&
                 (f->kind == 's' || slot->kind != READER_STRING || slot->is_plain);
      if (is_usual)
        i = set_field(s, i, f);
    }
    if (!is_usual) {
      lua_pop(s->L, 1);
      return false;
    }
  }
  return true;
}

enum verdict { DROP, TAKE, UNSURE };

/* Whether a text at a slot matches a pattern. */
static bool matches(const struct reader_slot *slot, struct filter_text pattern) {
  return slot->kind == READER_STRING && slot->size > 0 &&
         filter_matches(pattern, (struct filter_text){slot->as.text, slot->size});
}

/* Whether a time is not before the earliest. */
static enum verdict judge_time(const struct criteria *c, const struct reader_slot *slot) {
  double at;
  if (slot->kind != READER_STRING ||
      !filter_time((struct filter_text){slot->as.text, slot->size}, &at))
    return UNSURE;
  return at + c->slack > c->since || at == c->since ? TAKE : DROP;
}

/* Whether the record at slot i meets the criteria. */
static enum verdict judge(struct sink *s, size_t i) {
  const struct criteria *c = &s->criteria;
  const size_t close = slot_at(s, i)->as.close;
  enum verdict verdict = c->has_since ? UNSURE : TAKE;
  bool is_user = !c->user.at;
  bool is_application = !c->application.at;
  bool is_compliant = c->mfa < 0;
  uint64_t seen = 0;
  for (i++; i < close; i = after(s, i)) {
    const struct reader_slot *slot = slot_at(s, i);
    if (slot->kind == READER_NAME)
      return UNSURE;
    const struct field *f = field_of(s, slot);
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
static void report_odd(struct sink *s) {
  lua_State *L = s->L;
  const int odd = s->base + ODD;
  if (lua_isnil(L, odd)) {
    lua_newtable(L);
    lua_replace(L, odd);
  }
  lua_pushinteger(L, s->count[s->list_depth] + 1);
  lua_rawseti(L, odd, (int)lua_rawlen(L, odd) + 1);
}

/* Adds the element at slot i to the list, if it meets the criteria. Returns the next slot. */
static size_t add_record(struct sink *s, size_t i) {
  const struct reader_slot *slot = slot_at(s, i);
  const bool is_whole = slot->kind == READER_OBJECT && slot->as.close > 0;
  const size_t next = is_whole ? slot->as.close + 1 : 0;
  enum verdict verdict = UNSURE;
  s->total++;
  if (s->total > s->max_records) {
    s->is_too_long = true;
    return s->reader->count;
  }
  if (is_whole)
    verdict = s->criteria.is_given ? judge(s, i) : TAKE;
  if (verdict == DROP)
    return next;
  if (is_whole && push_record(s, i)) {
    if (verdict == UNSURE)
      report_odd(s);
    store(s);
    return next;
  }
  report_odd(s);
  return add_item(s, i);
}

static void close_container(struct sink *s) {
  s->is_in_list &= s->depth != s->list_depth;
  s->depth--;
  store(s);
}

/* Makes what the slots of a batch say. */
static void consume(struct sink *s) {
  for (size_t i = 0; i < s->reader->count;) {
    if (slot_at(s, i)->kind == READER_CLOSE) {
      close_container(s);
      i++;
    } else if (s->is_in_list && s->depth == s->list_depth) {
      i = add_record(s, i);
    } else {
      i = add_item(s, i);
    }
  }
}

/* Makes the collector do the work for the tables of so many bytes of text before they are made, and
 * not while: it would mark them again and again, though all of them are needed. The older Lua cannot
 * do this without a pause for the whole work. */
static void collect_before(lua_State *L, size_t bytes) {
#if LUA_VERSION_NUM >= 503
  const int kilobytes = (int)(bytes / 400); /* tables take two and a half times the text */
  if (kilobytes > 0 && lua_gc(L, LUA_GCISRUNNING, 0) == 1) {
    lua_gc(L, LUA_GCSTEP, kilobytes);
    lua_gc(L, LUA_GCSTEP, -kilobytes);
  }
#else
  (void)L, (void)bytes;
#endif
}

/* Reads on until the text ends, or `bytes` of it are read. Its value is then on top of the stack. */
static enum reader_code run(struct sink *s, size_t bytes) {
  const char *start = s->reader->at;
  const size_t left = (size_t)(s->reader->end - start);
  enum reader_code code;
  collect_before(s->L, left < bytes ? left : bytes);
  do {
    code = reader_read(s->reader);
    if (code <= READER_END)
      consume(s);
  } while (code == READER_MORE && !s->is_too_long && (size_t)(s->reader->at - start) < bytes);
  return code;
}

/* Makes room for a sink above the values on the stack. */
static void push_stack(struct sink *s, lua_State *L) {
  luaL_checkstack(L, OPEN + 12, "too many values");
  s->L = L;
  s->base = lua_gettop(L) + 1;
  lua_settop(L, s->base + OPEN - 1);
}

/* Reads the whole text of a sink. Pushes the value, LIST and ODD. spec: the index of the description
 * of the list; 0: none. */
static void read_whole(lua_State *L, struct sink *s, int spec) {
  push_stack(s, L);
  if (spec) {
    lua_pushvalue(L, spec);
    lua_replace(L, s->base + SPEC);
  }
  run(s, SIZE_MAX);
  lua_pushvalue(L, s->base + LIST);
  lua_pushvalue(L, s->base + ODD);
}

enum reader_code lreader_read(lua_State *L, int index, size_t *at) {
  size_t len;
  const char *text = lua_tolstring(L, index, &len);
  struct reader r;
  struct sink s;
  reader_begin(&r, text, len, SIZE_MAX);
  sink_begin(&s, &r, false);
  read_whole(L, &s, 0);
  lua_pop(L, 2);
  if (r.code == READER_END)
    lua_replace(L, s.base);
  lua_settop(L, s.base - (r.code != READER_END));
  *at = (size_t)(r.at - text);
  return r.code;
}

/* Returns the text at an index: a string, or a buffer of the core. */
static const char *check_text(lua_State *L, int index, size_t *len) {
  if (lua_type(L, index) == LUA_TSTRING)
    return lua_tolstring(L, index, len);
  const struct buf *b = lbuf_check(L, index);
  *len = b->len;
  return b->len > 0 ? b->data : "";
}

static double opt_number(lua_State *L, int t, const char *name, double otherwise) {
  lua_getfield(L, t, name);
  const double n = lua_isnil(L, -1) ? otherwise : (double)luaL_checknumber(L, -1);
  lua_pop(L, 1);
  return n;
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

static void check_criteria(lua_State *L, int spec, struct criteria *c) {
  c->since = opt_number(L, spec, "since", -HUGE_VAL);
  c->has_since = c->since != -HUGE_VAL;
  c->slack = opt_number(L, spec, "slack", 0);
  c->user = opt_text(L, spec, "user");
  c->application = opt_text(L, spec, "application");
  lua_getfield(L, spec, "mfa_compliant");
  c->mfa = lua_isnil(L, -1) ? -1 : lua_toboolean(L, -1);
  lua_pop(L, 1);
  c->is_given = c->has_since || c->user.at || c->application.at || c->mfa >= 0;
}

/* Prepares a sink from the text at 1 and the options at 2. Leaves the description of the list, or
 * nil, at 3. */
static void check_sink(lua_State *L, struct sink *s, struct reader *r) {
  size_t len;
  const char *text = check_text(L, 1, &len);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  const double values = opt_number(L, 2, "values", HUGE_VAL);
  s->max_records = opt_number(L, 2, "records", HUGE_VAL);
  lua_getfield(L, 2, "list");
  const bool has_spec = !lua_isnil(L, 3);
  s->max_values = values < (double)SIZE_MAX ? (size_t)(values > 0 ? values : 0) : SIZE_MAX;
  reader_begin(r, text, len, s->max_values);
  sink_begin(s, r, has_spec);
  if (has_spec) {
    luaL_checktype(L, 3, LUA_TTABLE);
    check_criteria(L, 3, &s->criteria);
  }
}

/* Collects what was made of a text that has too many values: it may be much. */
static void collect_after(lua_State *L, const struct sink *s) {
  if (s->is_too_long || s->reader->code == READER_VALUES)
    lua_gc(L, LUA_GCCOLLECT, 0);
}

/* Pushes nil, a message, the place from 1, and for a failure that lua-cjson cannot judge a word. */
static int push_failure(lua_State *L, const struct sink *s) {
  static const char *const words[] = {
      [READER_DEEP] = "deep",     [READER_INFINITE] = "infinite",
      [READER_VALUES] = "values", [READER_LARGE] = "large",
  };
  const enum reader_code code = s->is_too_long ? READER_VALUES : s->reader->code;
  lua_pushnil(L);
  lua_pushstring(L, reader_message(code));
  lua_pushinteger(L, (lua_Integer)(s->reader->at - s->reader->text) + 1);
  const char *word = s->is_too_long ? "records" : words[code];
  lua_pushstring(L, word || !s->is_released ? word : "released"); /* nil for NULL */
  return 4;
}

/* Replaces LIST and ODD on top of the stack by a table of what was found about the list; by nil if
 * none was wanted. */
static void push_facts(lua_State *L, const struct sink *s) {
  if (!s->has_spec) {
    lua_pop(L, 1);
    return; /* LIST is nil */
  }
  lua_createtable(L, 0, 6);
  lua_insert(L, -3);
  lua_setfield(L, -3, "odd");
  lua_setfield(L, -2, "list");
  lua_pushboolean(L, !s->is_object[1]);
  lua_setfield(L, -2, "is_array");
  lua_pushboolean(L, s->is_released);
  lua_setfield(L, -2, "is_released");
  lua_pushnumber(L, (lua_Number)s->total);
  lua_setfield(L, -2, "total");
  lua_pushnumber(L, (lua_Number)(s->max_values - s->reader->values_left));
  lua_setfield(L, -2, "values");
}

/* From this length on, the bytes of a buffer are released as they are read: they and their tables
 * would be in memory at once. */
#define RELEASED ((size_t)8 * 1024 * 1024)

struct reading {
  struct sink sink;
  struct reader reader;
  struct buf *released; /* the buffer whose bytes are released; NULL: none */
  int height; /* values of the stack that are stored */
  bool is_over;
};

/* Upvalues of the function that reader() returns. */
enum { TEXT = 1, READING, STORED };

/* Whether a slot of the stack, counted from 0, is that of a key that was not met yet. */
static bool is_unused(const struct reading *g, int i) {
  return i < SPEC && i % READER_KEYS >= g->reader.keys;
}

/* Pushes what is stored in the table at 2, from index 3 on. */
static void restore_stack(lua_State *L, const struct reading *g) {
  luaL_checkstack(L, g->height + 12, "too many values");
  for (int i = 0; i < g->height; i++)
    if (is_unused(g, i))
      lua_pushnil(L);
    else
      lua_rawgeti(L, 2, i + 1);
}

/* Stores the stack from index 3 on in the table at 2. */
static void save_stack(lua_State *L, struct reading *g) {
  g->height = lua_gettop(L) - 2;
  for (int i = 0; i < g->height; i++) {
    if (is_unused(g, i))
      continue;
    lua_pushvalue(L, i + 3);
    lua_rawseti(L, 2, i + 1);
  }
}

/* Returns what read() returns, for the value, LIST and ODD on top of the stack. */
static int push_results(lua_State *L, const struct sink *s) {
  if (s->reader->code != READER_END || s->is_too_long) {
    lua_settop(L, 0); /* drop what was made */
    collect_after(L, s);
    return push_failure(L, s);
  }
  if (lua_type(L, -3) == LUA_TLIGHTUSERDATA) {
    lua_pushnil(L);
    lua_replace(L, -4);
  }
  push_facts(L, s);
  return 2;
}

/* read(text, options) -> value, facts; or nil, message, offset in bytes from 1, word */
static int lreader_whole(lua_State *L) {
  struct reader r;
  struct sink s;
  check_sink(L, &s, &r);
  read_whole(L, &s, 3);
  return push_results(L, &s);
}

/* The function that reader() returns: reads on for about so many bytes. Returns true while more is
 * left; then false and what read() returns. */
static int lreader_next(lua_State *L) {
  struct reading *g = lua_touserdata(L, lua_upvalueindex(READING));
  const lua_Integer bytes = luaL_checkinteger(L, 1);
  luaL_argcheck(L, bytes > 0, 1, "must be a positive number of bytes");
  if (g->is_over)
    return luaL_error(L, "the text was read to its end");
  g->is_over = true; /* also after an error */
  lua_settop(L, 1);
  lua_pushvalue(L, lua_upvalueindex(STORED));
  restore_stack(L, g);
  g->sink.L = L;
  g->sink.base = 3;
  if (run(&g->sink, (size_t)bytes) == READER_MORE && !g->sink.is_too_long) {
    save_stack(L, g);
    if (g->released)
      buf_release(g->released, (size_t)(g->reader.at - g->reader.text));
    g->is_over = false;
    lua_pushboolean(L, 1);
    return 1;
  }
  lua_pushnil(L); /* drop what is stored */
  lua_replace(L, lua_upvalueindex(STORED));
  lua_pushvalue(L, 3 + LIST);
  lua_pushvalue(L, 3 + ODD);
  const int results = push_results(L, &g->sink);
  lua_pushboolean(L, 0);
  lua_insert(L, -1 - results);
  return results + 1;
}

/* reader(text, options) -> a function that reads like read(), in steps. */
static int lreader_start(lua_State *L) {
  struct reader r;
  struct sink s;
  check_sink(L, &s, &r); /* before there is a large userdata */
  lua_pushvalue(L, 1);
  struct reading *g = lua_newuserdata(L, sizeof *g);
  g->reader = r;
  g->sink = s;
  g->sink.reader = &g->reader;
  g->released = lua_type(L, 1) == LUA_TUSERDATA && r.end - r.text >= (ptrdiff_t)RELEASED
                    ? lbuf_check(L, 1)
                    : NULL;
  g->sink.is_released = g->released != NULL;
  g->height = OPEN;
  g->is_over = false;
  lua_createtable(L, OPEN, 0);
  lua_pushvalue(L, 3);
  lua_rawseti(L, -2, SPEC + 1);
  lua_pushcclosure(L, lreader_next, STORED);
  return 1;
}

void lreader_open(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"read", lreader_whole}, {"reader", lreader_start}, {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
}
