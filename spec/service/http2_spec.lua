--- Servers that misuse frames of HTTP/2 (RFC 9113).
local core = require "pcapi.core"
local pcapi = require "pcapi"
local raw = require "spec.support.raw"
local sandbox = require "spec.support.sandbox"

local DATA, HEADERS, PRIORITY, RST, SETTINGS, PING, GOAWAY, WINDOW, CONTINUATION =
  0, 1, 2, 3, 4, 6, 7, 8, 9
local END_STREAM, END_HEADERS = 1, 4

local function bytes_of(number, count)
  local bytes = {}
  for i = count, 1, -1 do
    bytes[i] = number % 256
    number = math.floor(number / 256)
  end
  return string.char((table.unpack or unpack)(bytes)) -- luacheck: ignore 113
end

-- The client's first request is stream 1.
local function frame(kind, flags, payload, stream)
  return bytes_of(#payload, 3) .. string.char(kind, flags) .. bytes_of(stream or 1, 4) .. payload
end

-- A length in HPACK with a prefix of seven bits (RFC 7541 §5.1).
local function length_of(text)
  local left = #text - 127
  if left < 0 then
    return string.char(#text)
  end
  local coded = "\127"
  while left >= 128 do
    coded = coded .. string.char(left % 128 + 128)
    left = math.floor(left / 128)
  end
  return coded .. string.char(left)
end

local function field(name, value)
  return "\0" .. length_of(name) .. name .. length_of(value) .. value
end

local PIECE = 16000

local function head(fields)
  local block = field(":status", "200") .. (fields or "")
  local frames = {}
  for first = 1, #block, PIECE do
    local kind = first == 1 and HEADERS or CONTINUATION
    local ends = first + PIECE > #block and END_HEADERS or 0
    frames[#frames + 1] = frame(kind, ends,
      block:sub(first, first + PIECE - 1))
  end
  return table.concat(frames)
end

local BEGIN = frame(SETTINGS, 0, "", 0) .. frame(SETTINGS, 1, "", 0)
local OK = BEGIN .. head() .. frame(DATA, END_STREAM, "ok")

describe("over HTTP/2", function()
  local server
  setup(function() server = raw.start() end)
  teardown(raw.stop_all)

  local function fetch(options)
    options = options or {}
    options.ca_file, options.timeout = sandbox.ca_file, options.timeout or 2
    return pcapi.fetch(server.http2 .. "/", options)
  end

  local function play(...)
    server:play { { { ... } }, { { OK } } }
  end

  it("a response is read", function()
    play(OK)
    local response = assert(fetch())
    assert.equal(2, response.version)
    assert.equal("ok", response.body)
  end)

  it("trailers are ignored", function()
    play(BEGIN .. head() .. frame(DATA, 0, "ok")
      .. frame(HEADERS, END_STREAM + END_HEADERS, field("x-a", "1")))
    local response = assert(fetch())
    assert.equal("ok", response.body)
    assert.is_nil(response.headers["x-a"])
  end)

  for _, size in ipairs { 10000, 17000, 30000, 60000 } do
    it(("%d bytes of headers are read"):format(size), function()
      play(BEGIN .. head(field("x-a", ("a"):rep(size))) .. frame(DATA, END_STREAM, "ok"))
      local response = assert(fetch())
      assert.equal("ok", response.body)
      assert.equal(size, #response.headers["x-a"])
    end)
  end

  it("25 headers of 1 KB are read", function()
    local fields = {}
    for i = 1, 25 do
      fields[i] = field("x-" .. i, ("a"):rep(1000))
    end
    play(BEGIN .. head(table.concat(fields)) .. frame(DATA, END_STREAM, "ok"))
    assert.equal("ok", assert(fetch()).body)
  end)

  for name, flood in pairs {
    ["empty frames of a body"] = frame(DATA, 0, ""),
    ["frames of padding"] = frame(DATA, 8, "\255" .. ("\0"):rep(255)),
    ["windows of its stream"] = frame(WINDOW, 0, bytes_of(1, 4)),
    ["priorities"] = frame(PRIORITY, 0, "\0\0\0\0\1"),
    ["frames of unknown kinds"] = frame(99, 0, "x", 0),
    ["goodbyes"] = frame(GOAWAY, 0, bytes_of(1, 4) .. bytes_of(0, 4), 0),
    ["pings"] = frame(PING, 0, "12345678", 0),
    ["interim responses"] = frame(HEADERS, END_HEADERS, field(":status", "103")),
  } do
    -- Endless in practice: without a limit of libcurl it would take minutes.
    local steps = { flood:rep(math.ceil(PIECE / #flood)), times = 1000000 }

    it("a flood of " .. name .. " ends within the timeout", function()
      play(BEGIN .. (name:find "body" and head() or ""), steps)
      local started = core.now()
      local response, err = fetch()
      assert.is_nil(response)
      assert.truthy(err.kind == "network" or err.kind == "protocol" or err.kind == "timeout",
        tostring(err))
      assert.is_true(core.now() - started < 3)
      assert.equal("ok", assert(fetch()).body)
    end)

    it("a flood of " .. name .. " does not stop the other tasks of a loop", function()
      play(BEGIN .. (name:find "body" and head() or ""), steps)
      local loop, longest, ended = assert(pcapi.concurrent.new {}), 0, false
      local transport = require("pcapi.http.curl").new {}
      loop:run {
        function() fetch() ended = true end,
        function()
          local last = core.now()
          repeat
            transport:sleep(0.01)
            longest, last = math.max(longest, core.now() - last), core.now()
          until ended
        end,
      }
      loop:close()
      assert.is_true(longest < 2, longest)
    end)
  end

  it("a connection is not reused after a response that was refused", function()
    play(BEGIN .. head(), { frame(DATA, 0, ("x"):rep(PIECE)), times = 1000000 })
    local response, err = fetch { max_body = 100000 }
    assert.is_nil(response)
    assert.equal("protocol", err.kind)
    assert.equal("ok", assert(fetch()).body)
    assert.equal(2, server:seen().connections)
  end)

  it("a connection is not reused after a response with too large a Content-Length", function()
    play(BEGIN .. head(field("content-length", "200000")), { silent = true })
    local response, err = fetch { max_body = 100000 }
    assert.is_nil(response)
    assert.equal("protocol", err.kind)
    assert.equal("ok", assert(fetch()).body)
  end)

  it("a stream that is reset inside a body of known length is a network error", function()
    play(BEGIN .. head(field("content-length", "10")) .. frame(DATA, 0, "ok"), { wait = 100 },
      frame(RST, 0, bytes_of(0, 4)))
    local response, err = fetch()
    assert.is_nil(response)
    assert.equal("network", err.kind)
  end)
end)
