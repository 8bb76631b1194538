local headers = require "pcapi.http.headers"

describe("pcapi.http.headers", function()
  describe("is_valid", function()
    it("accepts names and values of RFC 9110", function()
      for name, value in pairs {
        Accept = "application/json", ["X-Locale"] = "en US", ["!#$%&'*+-.^_`|~9"] = "x",
        Tab = "a\tb", Latin = "M\195\188nchen", ["MS-ContinuationToken"] = "a,b/c=",
      } do
        assert.is_true(headers.is_valid(name, value))
      end
    end)

    for _, name in ipairs { "", "a b", "a:b", "a\r\nEvil", "a\n", "a\0", "\195\188", "a/b", 5 } do
      it(("refuses the name %q"):format(tostring(name)), function()
        local ok, why = headers.is_valid(name, "x")
        assert.is_nil(ok)
        assert.matches("is not a header name", why, 1, true)
      end)
    end

    for _, byte in ipairs { 0, 10, 13 } do
      it(("refuses a value with byte %d and does not show it"):format(byte), function()
        local ok, why = headers.is_valid("X-Any", "SECRET" .. string.char(byte) .. "x: y")
        assert.is_nil(ok)
        assert.equal("header X-Any holds a line break or a zero byte", why)
      end)
    end

    it("refuses an empty value, which libcurl does not send", function()
      local ok, why = headers.is_valid("X-Any", "")
      assert.is_nil(ok)
      assert.equal("header X-Any needs a text that is not empty", why)
    end)

    it("refuses values and names that are not strings", function()
      assert.is_nil((headers.is_valid("X-Any", 5)))
      assert.is_nil((headers.is_valid("X-Any", nil)))
      assert.is_nil((headers.is_valid(nil, "x")))
    end)
  end)

  describe("lines", function()
    it("are sorted", function()
      local given, sorted = {}, {}
      for i = 1, 26 do
        local name = string.char(64 + i)
        given[name], sorted[i] = "x", name .. ": x"
      end
      assert.same(sorted, headers.lines(given))
    end)

    it("are empty without a header", function()
      assert.same({}, headers.lines())
      assert.same({}, headers.lines(nil, {}))
    end)

    it("have the value of the last table, whatever the case of the name", function()
      assert.same({ "ACCEPT: b" }, headers.lines({ Accept = "a" }, nil, { ACCEPT = "b" }))
    end)

    it("do not have a header that a later table sets to false", function()
      assert.same({ "B: 2" }, headers.lines({ A = "1", B = "2" }, { a = false }))
    end)

    it("have a header again that a still later table sets", function()
      assert.same({ "A: 3" }, headers.lines({ A = "1" }, { a = false }, { A = "3" }))
    end)
  end)

  describe("date", function()
    local NOW = 1706944089 -- 2024-02-03T07:08:09Z

    it("is the time of the header Date", function()
      assert.equal(0, headers.date("Thu, 01 Jan 1970 00:00:00 GMT", NOW))
      assert.is_nil(headers.date(nil, NOW))
    end)

    it("is nil for a time that no clock shows", function()
      for _, date in ipairs { "Fri, 31 Dec 9999 23:59:59 GMT", "Sat, 01 Jan 0000 00:00:00 GMT",
                              "Wed, 01 Jan 2500 00:00:00 GMT" } do
        assert.is_nil(headers.date(date, NOW), date)
      end
    end)
  end)
end)
