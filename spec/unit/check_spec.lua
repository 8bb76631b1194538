local check = require "pcapi.check"
local raises = require "spec.support.raises"

local SCHEMA = {
  token = "string|function", timeout = "seconds", max_body = "bytes", attempts = "count",
  verbose = "boolean", base_url = "string", id = "line",
}

-- As a function of the interface calls it: the blame goes to who called that.
local function callee(given)
  local checked = check.options(given, SCHEMA, "callee")
  return checked
end

describe("pcapi.check", function()
  it("returns the table of options", function()
    local given = { token = "x", verbose = false }
    assert.equal(given, callee(given))
  end)

  it("returns an empty table for nil", function()
    assert.same({}, callee(nil))
  end)

  it("accepts each of several types", function()
    assert.has_no.errors(function()
      callee { token = "x" }
      callee { token = print }
    end)
  end)

  it("accepts a text without control characters as a line", function()
    assert.has_no.errors(function() callee { id = "5f0b M\195\188nchen" } end)
  end)

  it("accepts positive numbers, also with a fraction, as seconds, bytes and counts", function()
    assert.has_no.errors(function()
      callee { timeout = 0.5, max_body = 1, attempts = 3 }
    end)
  end)

  it("raises an error at the caller's line if the options are not a table", function()
    raises(function() callee("x") end, "callee takes a table of options, not a string")
    raises(function() callee(false) end, "callee takes a table of options, not a boolean")
  end)

  for _, case in ipairs {
    { { token = 5 }, 'callee: option "token" must be string or function, not 5' },
    { { token = true }, 'option "token" must be string or function, not boolean' },
    { { timeout = 0 }, 'option "timeout" must be a positive number of seconds, not 0' },
    { { timeout = -1 }, "a positive number of seconds, not -1" },
    { { timeout = 0 / 0 }, "a positive number of seconds, not" },
    { { timeout = "5" }, "a positive number of seconds, not string" },
    { { max_body = 0 }, 'option "max_body" must be a positive number of bytes, not 0' },
    { { attempts = -2 }, 'option "attempts" must be a positive number, not -2' },
    { { id = "" }, 'option "id" must be one line of text, not string' },
    { { id = "a\nb" }, 'option "id" must be one line of text, not string' },
    { { id = "a\0b" }, 'option "id" must be one line of text, not string' },
    { { id = 5 }, 'option "id" must be one line of text, not 5' },
    { { verbose = "yes" }, 'option "verbose" must be boolean, not string' },
  } do
    it("says: " .. case[2], function()
      raises(function() callee(case[1]) end, case[2])
    end)
  end

  it("never shows a refused text, which may be a secret", function()
    local ok, message = pcall(callee, { timeout = "SECRET" })
    assert.is_false(ok)
    assert.is_nil(message:find("SECRET", 1, true))
  end)

  it("counts the level from the caller of check", function()
    local function outer(given)
      local function inner()
        local checked = check.options(given, SCHEMA, "outer", 3)
        return checked
      end
      local checked = inner()
      return checked
    end
    raises(function() outer { odd = 1 } end, "outer has no option")
  end)

  describe("a mistyped name", function()
    for name, meant in pairs {
      tiemout = "timeout", Timeout = "timeout", baseurl = "base_url", tokn = "token",
      maxBody = "max_body", attempt = "attempts",
    } do
      it(("such as %s gets the suggestion %s"):format(name, meant), function()
        raises(function() callee { [name] = "x" } end,
          ('callee has no option "%s"; did you mean "%s"?'):format(name, meant))
      end)
    end

    it("that resembles none gets the sorted list of all", function()
      raises(function() callee { zzzzzzzz = 1 } end,
        "; there are: attempts, base_url, id, max_body, timeout, token, verbose")
    end)

    it("may be a number", function()
      raises(function() callee { "positional" } end, 'callee has no option "1"')
    end)

    it("gets the same suggestion each time if two are equally near", function()
      assert.equal('; did you mean "aab"?', check.suggest("aaa", { aab = 1, aac = 1, aad = 1 }))
    end)
  end)
end)
