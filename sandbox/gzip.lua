--- Compresses a text once and caches the result. nginx would compress each response again.
local cache = require "sandbox.cache"
local ffi = require "ffi"

local M = {}

ffi.cdef [[
  typedef struct {
    const char *next_in; unsigned avail_in; unsigned long total_in;
    char *next_out; unsigned avail_out; unsigned long total_out;
    const char *msg; void *state, *zalloc, *zfree, *opaque;
    int data_type; unsigned long adler, reserved;
  } sandbox_z_stream;
  int deflateInit2_(sandbox_z_stream *, int level, int method, int window_bits, int memory_level,
                    int strategy, const char *version, int size);
  unsigned long deflateBound(sandbox_z_stream *, unsigned long);
  int deflate(sandbox_z_stream *, int flush);
  int deflateEnd(sandbox_z_stream *);
]]
local zlib = ffi.load "libz.so.1"

local FASTEST, DEFLATED, GZIP_WINDOW, MEMORY, DEFAULT, FINISH, STREAM_END = 1, 8, 31, 8, 0, 4, 1
local LEAST, MOST = 1024, 8 * 1024 * 1024 -- more would block the worker too long
local MEGABYTE = 1024 * 1024

local function compress(text)
  local stream = ffi.new "sandbox_z_stream"
  local status = zlib.deflateInit2_(stream, FASTEST, DEFLATED, GZIP_WINDOW, MEMORY, DEFAULT,
                                    "1.2", ffi.sizeof(stream))
  assert(status == 0, "sandbox: zlib does not start")
  local room = zlib.deflateBound(stream, #text)
  local out = ffi.new("char[?]", room)
  stream.next_in, stream.avail_in = text, #text
  stream.next_out, stream.avail_out = out, room
  status = zlib.deflate(stream, FINISH)
  local packed = ffi.string(out, room - stream.avail_out)
  zlib.deflateEnd(stream)
  assert(status == STREAM_END, "sandbox: zlib does not end")
  return packed
end

local stored = cache.new(64 * MEGABYTE)

--- Compresses a text.
-- @tparam string text
-- @treturn ?string nil if the text is too small or too large
function M.of(text)
  if #text >= LEAST and #text <= MOST then
    return stored:get(text) or stored:put(text, compress(text), #text)
  end
end

return M
