# make demo and make test install what is missing (Debian), then build and run.
# The rockspec is what installs pcapi; this file serves work on it.

LUA      ?= lua5.4
LUAS     ?= lua5.4 luajit
CC       ?= cc
CFLAGS   ?= -O2 -g
PREFIX   ?= /usr/local
WARNINGS := -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror

# one .so per ABI; LuaJIT has the one of 5.1
ABI      := $(subst luajit,5.1,$(LUA:lua5%=5%))
LUA_INC  ?= $(firstword $(wildcard /usr/include/lua$(ABI)) /usr/include/luajit-2.1)
OUT      ?= build
CORE     := $(OUT)/$(ABI)/pcapi/core.so
REDIRECT := $(OUT)/$(ABI)/pcapi/redirect.so
SOURCES  := $(sort $(wildcard src/*.c))
HEADERS  := $(wildcard src/*.h)
LIBS     := -lcurl -lssl -lcrypto -lz
REDIRECT_SOURCES := $(sort $(wildcard src/redirect/*.c))
COMPILE   = $(CC) -std=gnu11 $(CFLAGS) $(WARNINGS) -Isrc -I$(LUA_INC)

export LUA
export LUA_PATH  := $(CURDIR)/lua/?.lua;$(CURDIR)/lua/?/init.lua;$(CURDIR)/?.lua;;
export LUA_CPATH := $(CURDIR)/$(OUT)/$(ABI)/?.so;;
export PATH      := $(CURDIR)/bin:$(PATH)

BUILD_NEEDS   := gcc make libc6-dev ca-certificates lua5.4 liblua5.4-dev libcurl4-openssl-dev \
                 libssl-dev libmicrohttpd-dev zlib1g-dev \
                 lua-cjson lua-argparse
SANDBOX_NEEDS := nginx libnginx-mod-http-lua openssl curl
BENCH_NEEDS   := lua-curl lua-http lua-sec lua-socket luajit2 python3-requests python3-aiohttp \
                 python3-ujson golang-go nodejs
TEST_NEEDS    := lua-busted luajit2 libluajit2-5.1-dev luarocks binutils bsdutils procps \
                 lua-luv lua-cqueues lua-luaossl redis-server lua-nginx-redis tinyproxy locales

build: $(CORE) $(REDIRECT)

$(CORE): $(SOURCES) $(HEADERS)
	@mkdir -p $(@D)
	$(COMPILE) -fPIC -fvisibility=hidden -shared $(SOURCES) -o $@ $(LIBS)

$(REDIRECT): $(REDIRECT_SOURCES) $(wildcard src/redirect/*.h) src/compat.h
	@mkdir -p $(@D)
	$(COMPILE) -fPIC -fvisibility=hidden -shared $(REDIRECT_SOURCES) -o $@ -lmicrohttpd

demo:
	@dev/need $(BUILD_NEEDS) $(SANDBOX_NEEDS)
	@$(MAKE) --no-print-directory -s build
	@sandbox/run bin/pcapi non-mfa

PAGE_NEEDS := $(BUILD_NEEDS) $(SANDBOX_NEEDS) libluajit2-5.1-dev
nginx-demo:
	@dev/need $(PAGE_NEEDS)
	@dev/npm examples/nginx
	@$(MAKE) --no-print-directory -s LUA=luajit build
	@sandbox/run examples/nginx/run

# Specs on every Lua of LUAS, those of nginx from outside, those of the client within it, and
# the parts of C that know no Lua; side by side with -j.
test: $(LUAS:%=test-on-%) test-nginx test-in-nginx test-of-c

test-needs:
	@dev/need $(BUILD_NEEDS) $(SANDBOX_NEEDS) $(TEST_NEEDS)
	@dev/npm spec/oidc
	@for lua in $(LUAS) luajit; do $(MAKE) --no-print-directory -s LUA=$$lua build || exit 1; done

# What runs in nginx is the same whichever Lua looks on.
LOOK_ON := spec/service/nginx
test-on-%: test-needs
	@$(MAKE) --no-print-directory LUA=$* test-lua \
	  SPECS='$(filter-out $(LOOK_ON),$(wildcard spec/unit spec/project spec/sandbox spec/service/*))'

test-nginx: test-needs
	@$(MAKE) --no-print-directory SPECS='$(LOOK_ON)' test-lua

test-of-c: test-needs
	@$(MAKE) --no-print-directory test-c

# RUN stands in front of the interpreter: a sanitizer's preload, valgrind
BUSTED ?= dev/busted
test-lua: build
	@dev/npm spec/oidc
	@echo "specs on $(LUA)$(BUSTED:dev/busted%=%)"
	@sandbox/run $(RUN) $(LUA) $(BUSTED) $(SPECS)

# The specs of the client, run by a worker of nginx. Not there: what pcapi.concurrent and the
# transport over libcurl do (load, concurrent, transport), and what other processes do, be it
# in a file of its own or by these names, whose spaces are dots.
IN_NGINX     := spec/unit $(addprefix spec/service/,$(addsuffix _spec.lua,audience calls openid \
                request secrets sign_in))
NOT_IN_NGINX := many.processes a.command.shows.no.secret
test-in-nginx: test-needs
	@$(MAKE) --no-print-directory LUA=luajit BUSTED=dev/busted-in-nginx test-lua \
	  SPECS='$(or $(SPECS),$(IN_NGINX) $(NOT_IN_NGINX:%=--filter-out=%))'

# The page of examples/nginx in a real browser.
page-needs:
	@dev/need $(PAGE_NEEDS) chromium fonts-dejavu-core
	@dev/npm spec/oidc spec/browser examples/nginx
	@$(MAKE) --no-print-directory -s build
	@$(MAKE) --no-print-directory -s LUA=luajit build

test-page: page-needs
	@sandbox/run dev/node --test --test-reporter=spec spec/browser/*.test.mjs

screenshot: page-needs
	@sandbox/run dev/node spec/browser/screenshot.mjs docs/nginx-page.png

C_TESTS := $(OUT)/spec/buf_test $(OUT)/spec/jsontext_test $(OUT)/spec/crypto_test \
           $(OUT)/spec/inflate_test $(OUT)/spec/head_test $(OUT)/spec/sockets_test \
           $(OUT)/spec/file_test $(OUT)/spec/pool_test \
           $(OUT)/spec/http_test $(OUT)/spec/binding_test
WRAP    := -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc
$(OUT)/spec/file_test: WRAP += -Wl,--wrap=chmod,--wrap=fchmod,--wrap=fdopendir,--wrap=flock \
  -Wl,--wrap=fstat,--wrap=fstatat,--wrap=fsync,--wrap=mkdir,--wrap=open,--wrap=openat,--wrap=read \
  -Wl,--wrap=readdir,--wrap=renameat,--wrap=sync,--wrap=unlinkat,--wrap=write

$(OUT)/spec/%_test: spec/c/%_test.c spec/c/fail_alloc.c spec/c/fail_alloc.h spec/c/check.h \
                    $(SOURCES) $(HEADERS)
	@mkdir -p $(@D)
	$(COMPILE) -Ispec/c $< spec/c/fail_alloc.c $(SOURCES) -o $@ $(WRAP) $(LIBS) -llua5.4

test-c: $(C_TESTS)
	@sandbox/run sh -ec 'for test in $(C_TESTS); do $(RUN) $$test; done'

# The library; what other specs do, they do by processes of the command, or of examples.
LIBRARY_SPECS := spec/unit $(addprefix spec/service/,$(addsuffix _spec.lua,audience calls \
                 concurrent exchange load redirect sign_in transport))
test-library:
	@$(MAKE) --no-print-directory SPECS='$(LIBRARY_SPECS) spec/project' test-lua

# Its specs under AddressSanitizer and UndefinedBehaviorSanitizer, then under valgrind.
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=undefined
sanitize:
	@$(MAKE) --no-print-directory OUT=build/sanitize CFLAGS='-O1 -g $(SANITIZE)' test-c
	@$(MAKE) --no-print-directory OUT=build/sanitize CFLAGS='-O1 -g $(SANITIZE)' \
	  RUN='env LD_PRELOAD=$(shell $(CC) -print-file-name=libasan.so)' SPECS='$(LIBRARY_SPECS)' test-lua

# The specs that work by our C in their own process; but not the test of OpenSSL with failing
# allocations: it takes minutes there, and the sanitizers have it.
VALGRIND_SPECS := spec/unit/core spec/unit/service/record_spec.lua spec/unit/auth \
                  $(addprefix spec/service/,$(addsuffix _spec.lua,calls exchange \
                  transport redirect))
valgrind:
	@dev/need valgrind libc6-dbg
	@$(MAKE) --no-print-directory test-lua test-c SPECS='$(VALGRIND_SPECS)' \
	  C_TESTS='$(filter-out %/crypto_test,$(C_TESTS))' \
	  RUN='valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite'

lint:
	@dev/need $(BUILD_NEEDS) lua-check clang clang-tidy libluajit2-5.1-dev
	luacheck -q lua spec sandbox examples bin/pcapi dev/busted dev/busted-in-nginx \
	  dev/busted_in_worker.lua dev/coverage dev/line_counter.lua \
	  bench bench/run bench/nginx/run
	@for cc in gcc clang; do for lua in lua5.4 luajit; do \
	  $(MAKE) --no-print-directory -B -s CC=$$cc LUA=$$lua OUT=build/lint-$$cc || exit 1; done; done
	clang-tidy --quiet --warnings-as-errors='*' $(SOURCES) $(REDIRECT_SOURCES) -- -std=gnu11 -I$(LUA_INC)

# The product attacks itself: libFuzzer with AddressSanitizer and UndefinedBehaviorSanitizer
# (spec/fuzz/*.c), and generators in Lua. FUZZERS= chooses, SECONDS= is the time of each; a
# generator ends after COUNT= cases where that is given, and repeats a run by SEED=.
SECONDS    ?= 30
GENERATORS := http1 url answers
FUZZERS    ?= $(patsubst spec/fuzz/%.c,%,$(wildcard spec/fuzz/*.c)) $(GENERATORS)
FUZZ_NEEDS := clang libclang-rt-dev
FUZZ_OUT   := build/fuzz/bin
CURL_URL   := build/fuzz/lua/curl_url.so
FUZZ_COMPILE = clang -std=gnu11 -O1 -g $(WARNINGS) -fno-omit-frame-pointer \
  -fno-sanitize-recover=undefined -Isrc -Ispec/fuzz -I/usr/include/lua5.4
FUZZ_OBJECTS := $(patsubst src/%.c,build/fuzz/object/%.o,$(SOURCES) $(REDIRECT_SOURCES))

build/fuzz/object/%.o: src/%.c $(HEADERS) $(wildcard src/redirect/*.h)
	@mkdir -p $(@D)
	$(FUZZ_COMPILE) -fsanitize=fuzzer-no-link,address,undefined -c $< -o $@

# headers.c has the static functions of lhttp.c in itself
$(FUZZ_OUT)/headers: FUZZ_OMIT := $(patsubst %,build/fuzz/object/%.o,lhttp pcapi_core)
$(FUZZ_OUT)/%: spec/fuzz/%.c spec/fuzz/fuzz.h $(FUZZ_OBJECTS)
	@mkdir -p $(@D)
	$(FUZZ_COMPILE) -fsanitize=fuzzer,address,undefined $< \
	  $(filter-out $(FUZZ_OMIT),$(FUZZ_OBJECTS)) -o $@ $(LIBS) -lmicrohttpd -llua5.4

$(CURL_URL): spec/fuzz/helper/curl_url.c
	@mkdir -p $(@D)
	$(COMPILE) -fPIC -shared $< -o $@ -lcurl

FUZZ_ENVIRONMENT := env 'LUA_CPATH=$(LUA_CPATH)$(CURDIR)/build/fuzz/lua/?.so;;' \
  COUNT=$(COUNT) SEED=$(SEED)
fuzz: build $(CURL_URL)
	@dev/need $(BUILD_NEEDS) $(SANDBOX_NEEDS) $(TEST_NEEDS) $(FUZZ_NEEDS)
	@$(MAKE) --no-print-directory -s -j2 \
	  $(patsubst %,$(FUZZ_OUT)/%,$(filter-out $(GENERATORS),$(FUZZERS)))
	@sandbox/run $(FUZZ_ENVIRONMENT) spec/fuzz/run $(SECONDS) $(FUZZERS)

# One input again, as a finding says.
fuzz-one:
	@$(FUZZ_ENVIRONMENT) $(ONE)

# A process that renews its token, killed at so many moments.
KILLS ?= 1000
kill:
	@KILLS=$(KILLS) $(MAKE) --no-print-directory test-lua SPECS=spec/service/sign_in_spec.lua

# Not those that only do more of the same.
COVERAGE_SPECS := spec/unit $(addprefix spec/service/,$(addsuffix _spec.lua,audience calls cli \
                  cli_mistakes cli_streams cli_tenants concurrent config_show doctor exchange \
                  redirect sign_in sign_in_command stored_sign_in transport))
coverage:
	@dev/need $(BUILD_NEEDS) $(SANDBOX_NEEDS) $(TEST_NEEDS)
	@rm -rf build/coverage && mkdir -p build/coverage/lua
	@$(MAKE) --no-print-directory OUT=build/coverage CFLAGS='-O0 -g --coverage' \
	  SPECS='$(COVERAGE_SPECS)' \
	  RUN='env PCAPI_COVERAGE=$(CURDIR)/build/coverage/lua LUA_INIT=require\"dev.line_counter\"' \
	  test-lua test-c
	@$(LUA) dev/coverage build/coverage

# Of the peers those are measured that can be had. Each finds the system's CAs by itself.
DEFAULT_CAS := env -u SSL_CERT_FILE -u SSL_CERT_DIR -u CURL_CA_BUNDLE -u REQUESTS_CA_BUNDLE
bench: build
	@dev/need $(BUILD_NEEDS) $(SANDBOX_NEEDS)
	@for package in $(BENCH_NEEDS); do dev/need $$package || true; done
	@$(DEFAULT_CAS) sandbox/run bench/run

# The nginx that is measured has CPU 0; the sandbox and who asks have the other one.
bench-nginx:
	@dev/need $(BUILD_NEEDS) $(SANDBOX_NEEDS) libluajit2-5.1-dev util-linux
	@$(MAKE) --no-print-directory -s LUA=luajit build
	@taskset -c 1 sandbox/run bench/nginx/run

soak: build
	@dev/need $(BUILD_NEEDS) $(SANDBOX_NEEDS)
	@sandbox/run $(LUA) bench/soak.lua $(SOAK)

# What takes hours: each fuzzer for ten minutes, a million of cases for each generator, kills, and
# the soak. CI runs a sample.
long:
	@$(MAKE) --no-print-directory fuzz SECONDS=600 COUNT=1000000
	@$(MAKE) --no-print-directory kill
	@$(MAKE) --no-print-directory soak

waiting: build
	@dev/need $(BUILD_NEEDS) $(SANDBOX_NEEDS)
	@sandbox/run $(LUA) bench/waiting.lua

docs:
	@dev/need lua-ldoc
	@ldoc -q .

install:
	@test -z "$(DESTDIR)" || { echo "pcapi: luarocks knows no DESTDIR; give PREFIX=FOLDER" >&2; exit 1; }
	@command -v luarocks >/dev/null || echo "pcapi: luarocks is installed now, and brings lua5.1 along:" \
	  "the machine's 'lua' may be Lua 5.1 then; run scripts by lua5.4, or choose by" \
	  "update-alternatives --config lua-interpreter"
	@dev/need $(BUILD_NEEDS) luarocks
	env -u LUA_PATH -u LUA_CPATH luarocks --lua-version 5.4 make --deps-mode=none --tree $(PREFIX)
	@rm -rf pcapi src/*.o src/redirect/*.o
	@echo "pcapi: installed; luarocks misses what Debian's own packages bring, and that is all right"
	@test $(PREFIX) = /usr/local || echo "pcapi: before using it: eval" \
	  "\"\$$(luarocks --lua-version 5.4 path --tree $(PREFIX))\""

# For LuaJIT, where nginx finds it. Not by luarocks, which would put its command in the place of
# that for Lua 5.4.
install-nginx:
	@dev/need $(PAGE_NEEDS)
	@$(MAKE) --no-print-directory -s LUA=luajit build
	cd lua && find pcapi -name '*.lua' -exec install -D -m 644 {} $(DESTDIR)$(PREFIX)/share/lua/5.1/{} \;
	install -D -m 755 build/5.1/pcapi/core.so $(DESTDIR)$(PREFIX)/lib/lua/5.1/pcapi/core.so
	@test $(PREFIX) = /usr/local || printf '%s\n' "pcapi: add to http { } of nginx.conf:" \
	  'lua_package_path "$(PREFIX)/share/lua/5.1/?.lua;$(PREFIX)/share/lua/5.1/?/init.lua;;";' \
	  'lua_package_cpath "$(PREFIX)/lib/lua/5.1/?.so;;";'

clean:
	rm -rf build doc

.PHONY: build demo nginx-demo test test-nginx test-page page-needs screenshot test-needs test-of-c test-library test-lua test-in-nginx test-c sanitize valgrind lint fuzz fuzz-one long kill coverage bench bench-nginx soak waiting docs install install-nginx clean
