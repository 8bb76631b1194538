--- The headers of a response over libcurl, which are made when they are first used.
local core = require "pcapi.core"
local gzip = require "spec.support.gzip"
local pcapi = require "pcapi"
local raw = require "spec.support.raw"

local BOM = "\239\187\191"

local server
setup(function() server = raw.start() end)
teardown(raw.stop_all)

-- Fetches a response that has these lines in its head.
local function fetch(lines, body)
  body = body or ""
  server:play { { { ("HTTP/1.1 200  Fine \r\n%sContent-Length: %d\r\n\r\n%s")
    :format(lines, #body, body) } } }
  return assert(pcapi.fetch(server.http .. "/", { allow_http = true }))
end

local LINES = "Date: today\r\nX-Twice: 1\r\nx-list:  a \r\n\tb\r\n c\r\nX-Twice:2\r\nEmpty:\r\n"
local ALL = { date = "today", ["x-twice"] = "1, 2", ["x-list"] = "a b c", empty = "",
              ["content-length"] = "0" }

describe("the headers of a response", function()
  it("are a plain table", function()
    local headers = fetch(LINES).headers
    assert.same(ALL, headers)
    assert.is_nil(getmetatable(headers))
    local count = 0
    for name, value in pairs(headers) do
      assert.equal(ALL[name], value)
      count = count + 1
    end
    assert.equal(5, count)
  end)

  it("are made once, so they may be changed", function()
    local response = fetch(LINES)
    assert.is_nil(rawget(response, "headers"))
    response.headers.date = "tomorrow"
    assert.equal("tomorrow", response.headers.date)
    assert.equal("tomorrow", (core.header(response, "date")))
    assert.equal(response.headers, rawget(response, "headers"))
  end)

  it("may be replaced before they are used", function()
    local response = fetch(LINES)
    response.headers = { mine = "1" }
    assert.same({ mine = "1" }, response.headers)
    assert.same({ "1" }, { core.header(response, "mine", "date") })
  end)

  it("are the only field that appears late", function()
    local response = fetch(LINES)
    local names = {}
    for name in pairs(response) do
      names[#names + 1] = name
    end
    table.sort(names)
    assert.same({ "body", "reason", "status", "version" }, names)
    for _, other in ipairs { "Headers", "json", 1, true } do
      assert.is_nil(response[other])
    end
    assert.equal("Fine", response.reason)
  end)

  it("are read one by one without making the table", function()
    local response = fetch(LINES)
    assert.same({ n = 6, "a b c", "1, 2", nil, "", "today", "0" }, { n = 6, core.header(response,
      "x-list", "x-twice", "none", "empty", "date", "content-length") })
    assert.equal(0, select("#", core.header(response)))
    assert.is_nil((core.header(response, "x-list ")))
    assert.is_nil(rawget(response, "headers"))
  end)
end)

describe("core.header", function()
  it("reads the response of any transport", function()
    local response = { headers = { date = "today" } }
    assert.same({ n = 2, "today", nil }, { n = 2, core.header(response, "date", "none") })
    assert.same({ "today" }, { core.header(setmetatable({}, { __index = response }), "date") })
  end)

  it("raises an error without a response or with a name that is no string", function()
    assert.has_error(function() core.header() end)
    assert.has_error(function() core.header("x", "date") end)
    assert.has_error(function() core.header({ headers = {} }, {}) end)
    assert.has_error(function()
      core.header({ headers = {} }, "1", "2", "3", "4", "5", "6", "7", "8", "9")
    end)
  end)
end)

describe("a byte order mark", function()
  for kind, expected in pairs {
    ["Content-Type: application/json; charset=utf-8\r\n"] = "{}",
    ["content-type: application/problem+json\r\n"] = "{}",
    ["Content-Type: text/plain\r\n"] = BOM .. "{}", [""] = BOM .. "{}",
  } do
    it(("is %s with %q"):format(expected == "{}" and "removed" or "kept", kind), function()
      assert.equal(expected, fetch(kind, BOM .. "{}").body)
      assert.equal("", fetch(kind, "").body)
    end)

    it(("is treated in the same way if it is compressed, with %q"):format(kind), function()
      local body = gzip.gzip(BOM .. "{}")
      assert.equal(expected, fetch(kind .. "Content-Encoding: gzip\r\n", body).body)
      body = gzip.gzip "{}"
      assert.equal("{}", fetch(kind .. "Content-Encoding: gzip\r\n", body).body)
    end)
  end

  it("alone leaves an empty body", function()
    assert.equal("", fetch("Content-Type: text/json\r\n", BOM).body)
  end)
end)
