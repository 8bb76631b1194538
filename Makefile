# The targets install the Debian packages that they need.

LUA      ?= lua5.4
LUAS     ?= lua5.4 luajit
CC       ?= cc
CFLAGS   ?= -O2 -g
PREFIX   ?= /usr/local
DESTDIR  ?=
WARNINGS := -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror

# one .so per ABI; LuaJIT uses that of Lua 5.1
ABI      := $(subst luajit,5.1,$(LUA:lua5%=5%))
LUA_INC  ?= $(firstword $(wildcard /usr/include/lua$(ABI)) /usr/include/luajit-2.1)
# epoll, or what macOS and the BSDs have: poll() and the like, see src/platform.h
SYSTEM   := $(shell uname -s)
EVENTS   ?= $(if $(filter Linux,$(SYSTEM)),epoll,poll)
$(if $(filter-out epoll poll,$(EVENTS)),$(error EVENTS is epoll or poll, not $(EVENTS)))
OUT      ?= build
CORE     := $(OUT)/$(ABI)/pcapi/core.so
REDIRECT := $(OUT)/$(ABI)/pcapi/redirect.so
SQLITE   := $(OUT)/$(ABI)/pcapi/sqlite.so
SOURCES  := $(sort $(wildcard src/*.c))
HEADERS  := $(wildcard src/*.h)
LIBS     := -lcurl -lssl -lcrypto -lz -lm
REDIRECT_SOURCES := $(sort $(wildcard src/redirect/*.c)) src/platform.c
SQLITE_SOURCES := $(sort $(wildcard src/sqlite/*.c)) src/buf.c src/file.c src/platform.c
SQLITE_HEADERS := $(wildcard src/sqlite/*.h)
COMPILE   = $(CC) -std=gnu11 $(CFLAGS) $(WARNINGS) -Isrc -I$(LUA_INC) \
            $(if $(filter poll,$(EVENTS)),-DPCAPI_PORTABLE)
# a module finds Lua's functions in the program that loads it
SHARED   := -fPIC -fvisibility=hidden \
            $(if $(filter Darwin,$(SYSTEM)),-bundle -undefined dynamic_lookup,-shared)

export LUA EVENTS
export LUA_PATH  := $(CURDIR)/lua/?.lua;$(CURDIR)/lua/?/init.lua;$(CURDIR)/?.lua;;
export LUA_CPATH := $(CURDIR)/$(OUT)/$(ABI)/?.so;;
export PATH      := $(CURDIR)/bin:$(PATH)

BUILD_NEEDS   := gcc make libc6-dev ca-certificates lua5.4 liblua5.4-dev libcurl4-openssl-dev \
                 libssl-dev libmicrohttpd-dev libsqlite3-dev zlib1g-dev \
                 lua-cjson lua-argparse
SANDBOX_NEEDS := nginx libnginx-mod-http-lua openssl curl
MAN_NEEDS     := scdoc
BENCH_NEEDS   := lua-curl lua-http lua-sec lua-socket luajit2 python3-requests python3-aiohttp \
                 python3-ujson golang-go nodejs curl jq bsdextrautils
TEST_NEEDS    := lua-busted luajit2 libluajit2-5.1-dev luarocks binutils bsdutils procps \
                 lua-luv lua-cqueues lua-luaossl redis-server lua-nginx-redis tinyproxy locales \
                 zsh fish scdoc mandoc man-db faketime jq systemd msmtp libxml2-utils time \
                 prometheus prometheus-node-exporter postgresql pkg-config strace

all:
	@dev/need $(BUILD_NEEDS) $(MAN_NEEDS)
	@$(MAKE) --no-print-directory build man
	@echo "pcapi: built. Next: make demo, or sudo make install"

build: $(CORE) $(REDIRECT) $(SQLITE)
	@:

$(CORE): $(SOURCES) $(HEADERS)
	@mkdir -p $(@D)
	$(COMPILE) $(SHARED) $(SOURCES) -o $@ $(LDFLAGS) $(LIBS)

$(REDIRECT): $(REDIRECT_SOURCES) $(wildcard src/redirect/*.h) src/binding.h src/compat.h src/platform.h
	@mkdir -p $(@D)
	$(COMPILE) $(SHARED) $(REDIRECT_SOURCES) -o $@ $(LDFLAGS) -lmicrohttpd

$(SQLITE): $(SQLITE_SOURCES) $(HEADERS) $(SQLITE_HEADERS)
	@mkdir -p $(@D)
	$(COMPILE) $(SHARED) $(SQLITE_SOURCES) -o $@ $(LDFLAGS) -lsqlite3

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

# Runs the specs on every Lua in LUAS, the specs of nginx from outside, the specs of the client in a
# worker of nginx, and the tests of the C code, side by side, since most of them wait. build/test has
# the totals.
SUITES := $(LUAS:%=%-service) $(LUAS:%=%-unit) documents nginx in-nginx c
test: test-needs
	@rm -rf build/test && mkdir -p build/test
	@$(MAKE) --no-print-directory -k $(if $(findstring jobserver,$(MAKEFLAGS)),,-j4) \
	  $(SUITES:%=suite-%); lua5.4 dev/suite sum build/test $(SUITES)

# The specs of code in nginx, of the project's files, of PostgreSQL, and those that run the commands
# of documents and help, need one Lua.
NGINX_SPECS    := spec/service/nginx
DOCUMENT_SPECS := spec/project $(addprefix spec/service/,$(addsuffix _spec.lua,cli_examples \
                  documented_commands manual postgres postgres_feed postgres_kill readme \
                  troubleshooting))
SUITE_documents = SPECS='$(DOCUMENT_SPECS)' test-lua
SUITE_nginx     = SPECS='$(NGINX_SPECS)' test-lua
SUITE_in-nginx  = test-in-nginx
SUITE_c         = test-c
SPECS_unit     := spec/unit spec/sandbox
SPECS_service  := $(filter-out $(NGINX_SPECS) $(DOCUMENT_SPECS),$(wildcard spec/service/*))
suite-%:
	@lua5.4 dev/suite run build/test $* dev/again $(MAKE) --no-print-directory -s $(or $(SUITE_$*),\
	  LUA=$(firstword $(subst -, ,$*)) SPECS='$(SPECS_$(lastword $(subst -, ,$*)))' test-lua)

test-needs:
	@dev/need $(BUILD_NEEDS) $(SANDBOX_NEEDS) $(TEST_NEEDS)
	@dev/npm spec/oidc spec/notify spec/release
	@for lua in $(LUAS) luajit; do $(MAKE) --no-print-directory -s LUA=$$lua build || exit 1; done

# RUN is a prefix of the interpreter's command: valgrind, or a sanitizer's preload.
BUSTED ?= dev/busted
test-lua: build
	@dev/npm spec/oidc spec/notify spec/release
	@echo "specs on $(LUA)$(BUSTED:dev/busted%=%)"
	@sandbox/run $(RUN) $(LUA) $(BUSTED) $(SPECS)

# Runs the specs of the client in a worker of nginx. Left out are specs of pcapi.concurrent and of
# the transport over libcurl (load, concurrent, transport), and specs that start other processes:
# whole files, and the specs with these names (dots stand for spaces). A worker loads neither the
# command nor a history.
IN_NGINX     := $(filter-out $(addprefix spec/unit/,cli history notify sqlite),$(wildcard spec/unit/*)) \
                $(addprefix spec/service/,$(addsuffix _spec.lua,audience calls openid \
                request secrets sign_in))
NOT_IN_NGINX := many.processes a.command.shows.no.secret
test-in-nginx: test-needs
	@$(MAKE) --no-print-directory LUA=luajit BUSTED=dev/busted-in-nginx test-lua \
	  SPECS='$(or $(SPECS),$(IN_NGINX) $(NOT_IN_NGINX:%=--filter-out=%))'

# Tests what README.md says about demo and install, on a bare Debian 12, in a chroot. Needs root.
test-bare: test-bare-root test-bare-user
test-bare-%:
	@dev/need debootstrap debian-archive-keyring iproute2
	@dev/bare-debian $*

# Builds the Debian packages into build/deb, and tests them, in a chroot. Needs root.
deb test-deb: deb-needs
deb-needs:
	@dev/need debootstrap debian-archive-keyring iproute2

deb:
	@dev/debian-packages build

test-deb: deb
	@dev/debian-packages test

# Tests the page of examples/nginx and the report in a browser, and takes their pictures.
page-needs:
	@dev/need $(PAGE_NEEDS) chromium fonts-dejavu-core
	@dev/npm spec/oidc spec/browser examples/nginx
	@$(MAKE) --no-print-directory -s build
	@$(MAKE) --no-print-directory -s LUA=luajit build

test-page: page-needs
	@sandbox/run dev/node --test --test-reporter=spec spec/browser/*.test.mjs

screenshot: page-needs
	@sandbox/run dev/node spec/browser/screenshot.mjs docs/nginx-page.png
	@dev/node spec/browser/report_screenshot.mjs docs/report.png

C_TESTS := $(patsubst %,$(OUT)/spec/%_test,buf budget reader filter rows crypto certificate platform \
                inflate head headers events sockets file failure pool http binding sqlite)
WRAP    := -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=mmap,--wrap=mremap
$(OUT)/spec/file_test: WRAP += -Wl,--wrap=chmod,--wrap=fchmod,--wrap=fdopendir,--wrap=flock \
  -Wl,--wrap=fstat,--wrap=fstatat,--wrap=fsync,--wrap=linkat,--wrap=mkdir,--wrap=open \
  -Wl,--wrap=openat,--wrap=read,--wrap=readdir,--wrap=renameat,--wrap=sync,--wrap=unlinkat \
  -Wl,--wrap=write

$(OUT)/spec/sqlite_test: WRAP += -Wl,--wrap=statfs

# The tests share the objects of our code; --wrap works when they are linked.
$(OUT)/object/%.o: src/%.c $(HEADERS) $(SQLITE_HEADERS)
	@mkdir -p $(@D)
	$(COMPILE) -c $< -o $@

OBJECTS        := $(SOURCES:src/%.c=$(OUT)/object/%.o)
SQLITE_OBJECTS := $(SQLITE_SOURCES:src/%.c=$(OUT)/object/%.o)
TEST_FILES     := spec/c/fail_alloc.c spec/c/fail_alloc.h spec/c/check.h

$(OUT)/spec/%_test: spec/c/%_test.c $(TEST_FILES) $(OBJECTS)
	@mkdir -p $(@D)
	$(COMPILE) -Ispec/c $< spec/c/fail_alloc.c $(OBJECTS) -o $@ $(WRAP) $(LIBS) -llua5.4

$(OUT)/spec/sqlite_test: spec/c/sqlite_test.c $(TEST_FILES) $(SQLITE_OBJECTS)
	@mkdir -p $(@D)
	$(COMPILE) -Ispec/c $< spec/c/fail_alloc.c $(SQLITE_OBJECTS) -o $@ $(WRAP) -lsqlite3 -lcurl -llua5.4

test-c: $(C_TESTS)
	@sandbox/run sh -ec 'for test in $(C_TESTS); do $(RUN) $$test; done'

# Tests the library in this process. Other specs start the command or examples.
LIBRARY_SPECS := spec/unit $(addprefix spec/service/,$(addsuffix _spec.lua,audience calls \
                 concurrent request load memory redirect sign_in transport))
test-library:
	@$(MAKE) --no-print-directory SPECS='$(or $(SPECS),$(LIBRARY_SPECS))' test-lua

# The specs that use our C code.
C_SPECS := $(addprefix spec/unit/,auth concurrent core format http service sqlite \
           history/store_spec.lua) $(filter-out spec/unit,$(LIBRARY_SPECS))

# The specs that read JSON, with lua-cjson in place of the core's reader.
CJSON_SPECS := $(addprefix spec/unit/,auth core format http service) \
               $(addprefix spec/service/,$(addsuffix _spec.lua,audience calls cli cli_tenants hostile request))
test-cjson:
	@PCAPI_JSON=cjson $(MAKE) --no-print-directory SPECS='$(or $(SPECS),$(CJSON_SPECS))' test-lua

# The library as macOS and the BSDs have it, with poll(), on every Lua in LUAS; and the tests of the
# C that differs. In build/poll. make long runs all specs, on each Lua.
POLL       := EVENTS=poll OUT=build/poll
POLL_SPECS := $(filter-out spec/unit,$(LIBRARY_SPECS)) $(addprefix spec/service/,$(addsuffix \
              _spec.lua,connection cli_tenants examples hostile http2 silence tls))
POLL_C     := buf crypto platform events sockets file pool http binding
test-poll: test-needs
	@for lua in $(LUAS); do $(MAKE) --no-print-directory -s $(POLL) LUA=$$lua build || exit 1; done
	@$(MAKE) --no-print-directory -s -k -Otarget $(if $(findstring jobserver,$(MAKEFLAGS)),,-j3) \
	  $(LUAS:%=poll-%) poll-c

poll-c:
	@$(MAKE) --no-print-directory -s $(POLL) C_TESTS='$(POLL_C:%=build/poll/spec/%_test)' test-c

poll-%:
	@$(MAKE) --no-print-directory -s $(POLL) LUA=$* SPECS='$(or $(SPECS),spec/unit/concurrent spec/unit/http $(POLL_SPECS))' test-lua

# Runs the specs that use our C code under AddressSanitizer and UndefinedBehaviorSanitizer. EVERY=1
# makes each allocation of binding_test fail; by default every fifth does.
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=undefined
sanitize:
	@$(MAKE) --no-print-directory OUT=build/sanitize CFLAGS='-O1 -g $(SANITIZE)' \
	  RUN='env EVERY=$(or $(EVERY),5)' test-c
	@$(MAKE) --no-print-directory OUT=build/sanitize CFLAGS='-O1 -g $(SANITIZE)' \
	  RUN='env LD_PRELOAD=$(shell $(CC) -print-file-name=libasan.so)' SPECS='$(or $(SPECS),$(C_SPECS))' test-lua

# Runs the specs that use our C code in their own process under valgrind. The tests of OpenSSL and
# SQLite with failing allocations are left out: they take minutes there, and the sanitizers run them.
VALGRIND_SPECS := spec/unit/core spec/unit/sqlite spec/unit/service/record_spec.lua spec/unit/auth \
                  $(addprefix spec/service/,$(addsuffix _spec.lua,calls request \
                  transport redirect))
valgrind: build
	@dev/need valgrind libc6-dbg
	@$(MAKE) --no-print-directory -j2 -Otarget test-lua test-c SPECS='$(or $(SPECS),$(VALGRIND_SPECS))' \
	  C_TESTS='$(filter-out %/crypto_test %/sqlite_test,$(C_TESTS))' \
	  RUN='env EVERY=40 valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite'

lint:
	@dev/need $(BUILD_NEEDS) lua-check clang clang-tidy libluajit2-5.1-dev
	luacheck -q lua spec sandbox examples bin/pcapi dev/busted dev/busted-in-nginx \
	  dev/busted_in_worker.lua dev/busted_output.lua dev/coverage dev/install dev/line_counter.lua dev/release \
	  dev/sbom dev/suite bench bench/run bench/nginx/run bench/nginx/page
	@for cc in gcc clang; do for build in 'LUA=lua5.4' 'LUA=luajit' 'LUA=lua5.4 EVENTS=poll'; do \
	  $(MAKE) --no-print-directory -B -s CC=$$cc $$build OUT=build/lint-$$cc build || exit 1; \
	  done; done
	@printf '%s\n' $(sort $(SOURCES) $(REDIRECT_SOURCES) $(SQLITE_SOURCES)) | xargs -P2 -I{} \
	  clang-tidy --quiet --warnings-as-errors='*' {} -- -std=gnu11 -I$(LUA_INC)
	clang-tidy --quiet --warnings-as-errors='*' src/events_poll.c src/platform.c src/sockets.c \
	  -- -std=gnu11 -DPCAPI_PORTABLE

# Runs the fuzzers: libFuzzer with AddressSanitizer and UndefinedBehaviorSanitizer (spec/fuzz/*.c),
# and generators in Lua. FUZZERS= selects some of them. SECONDS= is the time of each. COUNT= ends a
# generator after this number of cases. SEED= repeats a run of a generator.
SECONDS    ?= 30
GENERATORS := http1 url responses texts lists formats
FUZZERS    ?= $(patsubst spec/fuzz/%.c,%,$(wildcard spec/fuzz/*.c)) $(GENERATORS)
FUZZ_NEEDS := clang libclang-rt-dev
FUZZ_OUT   := build/fuzz/bin
FUZZ_LUA   := build/fuzz/lua/curl_url.so build/fuzz/lua/json_texts.so
FUZZ_COMPILE = clang -std=gnu11 -O1 -g $(WARNINGS) -fno-omit-frame-pointer \
  -fno-sanitize-recover=undefined -DREADER_BATCH=16 -Isrc -Ispec/fuzz -I/usr/include/lua5.4
FUZZ_OBJECTS := $(sort $(patsubst src/%.c,build/fuzz/object/%.o,$(SOURCES) $(REDIRECT_SOURCES)))

build/fuzz/object/%.o: src/%.c $(HEADERS) $(wildcard src/redirect/*.h)
	@mkdir -p $(@D)
	$(FUZZ_COMPILE) -fsanitize=fuzzer-no-link,address,undefined -c $< -o $@

$(FUZZ_OUT)/%: spec/fuzz/%.c spec/fuzz/fuzz.h spec/fuzz/helper/json_texts.c $(FUZZ_OBJECTS)
	@mkdir -p $(@D)
	$(FUZZ_COMPILE) -fsanitize=fuzzer,address,undefined $< $(FUZZ_OBJECTS) -o $@ $(LIBS) \
	  -lmicrohttpd -llua5.4

build/fuzz/lua/%.so: spec/fuzz/helper/%.c
	@mkdir -p $(@D)
	$(COMPILE) -fPIC -shared $< -o $@ -lcurl

FUZZ_ENVIRONMENT := env 'LUA_CPATH=$(LUA_CPATH)$(CURDIR)/build/fuzz/lua/?.so;;' \
  COUNT=$(COUNT) SEED=$(SEED)
fuzz: build $(FUZZ_LUA)
	@dev/need $(BUILD_NEEDS) $(SANDBOX_NEEDS) $(TEST_NEEDS) $(FUZZ_NEEDS)
	@$(MAKE) --no-print-directory -s -j2 \
	  $(patsubst %,$(FUZZ_OUT)/%,$(filter-out $(GENERATORS),$(FUZZERS)))
	@sandbox/run $(FUZZ_ENVIRONMENT) spec/fuzz/run $(SECONDS) $(FUZZERS)

# Repeats one input of a fuzzer. Each finding prints the command.
fuzz-one:
	@$(FUZZ_ENVIRONMENT) $(ONE)

# Kills a process at this number of moments: while it renews its token, runs watch, delivers notices,
# and loads into PostgreSQL.
KILLS      ?= 1000
KILL_SPECS := $(addprefix spec/service/,$(addsuffix _spec.lua,sign_in watch_kill notify_kill \
              postgres_kill))
kill:
	@KILLS=$(KILLS) $(MAKE) --no-print-directory test-lua SPECS='$(KILL_SPECS)'

# Compares the history with a model over this number of random months. SEED= is the first of them.
MONTHS ?= 10000
months:
	@MONTHS=$(MONTHS) SEED=$(SEED) $(MAKE) --no-print-directory test-lua \
	  SPECS=spec/unit/history/months_spec.lua

# Specs that would only repeat covered lines are left out.
COVERAGE_SPECS := spec/unit $(addprefix spec/service/,$(addsuffix _spec.lua,audience calls cli \
                  cli_streams cli_tenants cli_usage concurrent config_show doctor \
                  redirect request sign_in sign_in_command stored_sign_in transport))
coverage:
	@dev/need $(BUILD_NEEDS) $(SANDBOX_NEEDS) $(TEST_NEEDS)
	@rm -rf build/coverage && mkdir -p build/coverage/lua
	@$(MAKE) --no-print-directory OUT=build/coverage CFLAGS='-O0 -g --coverage' \
	  SPECS='$(COVERAGE_SPECS)' \
	  RUN='env PCAPI_COVERAGE=$(CURDIR)/build/coverage/lua LUA_INIT=require\"dev.line_counter\"' \
	  test-lua test-c
	@$(LUA) dev/coverage build/coverage

# Measures pcapi, as make install installs it, and those of its peers that can be installed. Each
# peer finds the system's CAs itself.
DEFAULT_CAS := env -u SSL_CERT_FILE -u SSL_CERT_DIR -u CURL_CA_BUNDLE -u REQUESTS_CA_BUNDLE
BENCHED     := $(CURDIR)/build/bench/installed
BENCHED_LUA := $(BENCHED)/share/lua/$(ABI)
bench: build
	@dev/need $(BUILD_NEEDS) $(SANDBOX_NEEDS)
	@for package in $(BENCH_NEEDS); do dev/need $$package || true; done
	@PREFIX=$(BENCHED) ABI=$(ABI) OUT=$(OUT) lua5.4 dev/install command >/dev/null
	@LUA_PATH='$(BENCHED_LUA)/?.lua;$(BENCHED_LUA)/?/init.lua;$(CURDIR)/?.lua;;' $(DEFAULT_CAS) \
	  sandbox/run bench/run

# The measured nginx has CPU 0. The sandbox and the client that sends requests share the other CPU.
bench-nginx:
	@dev/need $(BUILD_NEEDS) $(SANDBOX_NEEDS) libluajit2-5.1-dev util-linux
	@$(MAKE) --no-print-directory -s LUA=luajit build
	@taskset -c 1 sandbox/run bench/nginx/run

# Whether nginx serves other requests while the page of 10,000 users is asked for.
bench-page:
	@dev/need $(BUILD_NEEDS) $(SANDBOX_NEEDS) libluajit2-5.1-dev util-linux
	@$(MAKE) --no-print-directory -s build
	@$(MAKE) --no-print-directory -s LUA=luajit build
	@taskset -c 1 sandbox/run sh -c \
	  'PCAPI_TOKEN=$$(lua5.4 sandbox/token.lua scenario=full) exec lua5.4 bench/nginx/page'

soak: build
	@dev/need $(BUILD_NEEDS) $(SANDBOX_NEEDS)
	@sandbox/run $(LUA) bench/soak.lua $(SOAK)

# Runs the tests that take hours: each fuzzer for ten minutes, each generator with a million cases,
# the failing allocations under sanitizers, the kills, the months of the history, the soak test, a
# load of 10 million rows into PostgreSQL, a history of 100 million, and machines that share sign-ins.
# CI runs a sample.
long:
	@$(MAKE) --no-print-directory sanitize EVERY=1
	@$(MAKE) --no-print-directory fuzz SECONDS=600 COUNT=1000000
	@$(MAKE) --no-print-directory kill
	@$(MAKE) --no-print-directory months
	@$(MAKE) --no-print-directory test-poll LUAS='lua5.4 luajit lua5.1 lua5.2 lua5.3' \
	  SPECS='spec/unit $(POLL_SPECS)'
	@$(MAKE) --no-print-directory soak
	@$(MAKE) --no-print-directory load
	@$(MAKE) --no-print-directory volume
	@$(MAKE) --no-print-directory round
	@$(MAKE) --no-print-directory share

load: build
	@dev/need $(BUILD_NEEDS) $(SANDBOX_NEEDS) postgresql
	@sandbox/run $(LUA) bench/history/load.lua $(or $(ROWS),10000000)

build/bench/measure: bench/measure.c
	@mkdir -p $(@D)
	@$(CC) -O2 $< -o $@

volume: build build/bench/measure
	@dev/need $(BUILD_NEEDS) $(SANDBOX_NEEDS)
	@sandbox/run $(LUA) bench/history/volume.lua $(or $(ROWS),100000000)

round: build build/bench/measure
	@dev/need $(BUILD_NEEDS) $(SANDBOX_NEEDS)
	@sandbox/run $(LUA) bench/history/round.lua $(or $(TENANTS),1000)

# Two machines that share a folder of sign-ins, on each of these file systems. Needs root.
SHARE_NEEDS := glusterfs-server glusterfs-client attr sshfs openssh-sftp-server user-mode-linux \
               nfs-kernel-server kmod iproute2 util-linux
share: build
	@dev/need $(BUILD_NEEDS) $(SANDBOX_NEEDS) $(SHARE_NEEDS)
	@bench/share/run $(or $(KINDS),local gluster nfs sshfs)

waiting: build
	@dev/need $(BUILD_NEEDS) $(SANDBOX_NEEDS)
	@sandbox/run $(LUA) bench/waiting.lua

# The function reference in doc/. A warning is an error.
docs:
	@dev/need lua-ldoc lua-discount
	ldoc -q --fatalwarnings .

# The LuaCATS definitions of types/, for editors. CI fails if they differ from the doc comments.
types:
	@dev/need lua-ldoc lua-discount
	@rm -rf types
	TYPES=types ldoc -q --filter dev.luacats.write .

# The man pages. Without scdoc, there are none.
MAN := build/man
man: $(MAN)/made
	@:

$(MAN)/made: $(wildcard dev/manpages) $(shell find lua -name '*.lua')
	@dev/need $(MAN_NEEDS)
	@$(MAKE) --no-print-directory -s build
	@rm -rf $(MAN) && mkdir -p $(MAN)
	@! [ -e dev/manpages ] || $(LUA) dev/manpages $(MAN)
	@! command -v scdoc >/dev/null || for page in $(MAN)/*.scd; do \
	  ! [ -e "$$page" ] || scdoc <"$$page" >"$${page%.scd}" || exit 1; done
	@touch $@

# Gives what root has built to the owner of this folder.
GIVE_BACK = [ "$$(id -u)" != 0 ] || chown -hR --reference=. build

# dev/install says what goes where.
install install-nginx install-openresty uninstall: export PREFIX := $(PREFIX)
install install-nginx install-openresty uninstall: export DESTDIR := $(DESTDIR)
install: export ABI := $(ABI)
install: export OUT := $(OUT)
install: export MAN := $(MAN)
install:
	@dev/need $(BUILD_NEEDS) $(MAN_NEEDS)
	@$(MAKE) --no-print-directory -s build man
	@$(GIVE_BACK)
	@lua5.4 dev/install command

# Installs pcapi for LuaJIT, where nginx finds it. OpenResty brings its own nginx.
install-nginx install-openresty: export ABI := 5.1
install-nginx install-openresty:
	@dev/need $(if $(filter install-nginx,$@),$(PAGE_NEEDS),$(BUILD_NEEDS) libluajit2-5.1-dev)
	@$(MAKE) --no-print-directory -s LUA=luajit build
	@$(GIVE_BACK)
	@lua5.4 dev/install nginx

uninstall:
	@dev/need lua5.4
	@lua5.4 dev/install nothing

# Tests the container file: its steps, and its command on a read-only root, in a chroot. Needs root.
test-container:
	@dev/need $(SANDBOX_NEEDS) debootstrap debian-archive-keyring jq
	@sandbox/run dev/try-container

# Follows the installation of docs/nginx.md with Debian's nginx, in a chroot. Needs root.
test-nginx-install:
	@dev/need $(SANDBOX_NEEDS) debootstrap debian-archive-keyring iproute2
	@dev/try-nginx

# The files of a release, in build/release: a source archive, which has the same bytes each time, its
# rockspec, an SBOM, and SHA256SUMS. Version, changelog and rockspec must agree, and all changes be
# committed. DRAFT=yes makes a draft in build/draft, before the changelog has a date.
RELEASE_NEEDS := git gzip coreutils pkg-config luarocks
release:
	@dev/need $(BUILD_NEEDS) $(RELEASE_NEEDS)
	@lua5.4 dev/release $(if $(DRAFT),build/draft draft,build/release)

clean:
	rm -rf build doc

.PHONY: all build demo nginx-demo test test-bare deb deb-needs test-deb test-page page-needs screenshot test-needs test-library test-cjson test-poll test-lua test-in-nginx test-c sanitize valgrind lint fuzz fuzz-one long kill months coverage bench bench-nginx bench-page soak load volume round share waiting docs types man install install-nginx uninstall release test-container install-openresty test-nginx-install clean
