# make demo and make test install what is missing (Debian), then build and run.
# The rockspec is what installs pcapi; this file serves work on it.

LUA      ?= lua5.4
CC       ?= cc
CFLAGS   ?= -O2 -g
WARNINGS := -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror

# one .so per ABI; LuaJIT has the one of 5.1
ABI      := $(shell $(LUA) -e 'print((_VERSION:gsub("Lua ", "")))' 2>/dev/null)
LUA_INC  ?= $(firstword $(wildcard /usr/include/lua$(ABI)) $(if $(filter 5.1,$(ABI)),/usr/include/luajit-2.1))
CORE     := build/$(ABI)/pcapi/core.so
SOURCES  := $(sort $(wildcard src/*.c))
HEADERS  := $(wildcard src/*.h)

export LUA_PATH  := $(CURDIR)/lua/?.lua;$(CURDIR)/lua/?/init.lua;$(CURDIR)/?.lua;;
export LUA_CPATH := $(CURDIR)/build/$(ABI)/?.so;;
export PATH      := $(CURDIR)/bin:$(PATH)

build: $(CORE)

$(CORE): $(SOURCES) $(HEADERS)
	@mkdir -p $(@D)
	$(CC) -std=gnu11 $(CFLAGS) $(WARNINGS) -fPIC -fvisibility=hidden -shared \
	  -I$(LUA_INC) $(SOURCES) -o $@ -lcurl

clean:
	rm -rf build

.PHONY: build clean
