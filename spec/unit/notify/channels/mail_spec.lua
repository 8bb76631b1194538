local channel_context = require "spec.support.channel_context"
local digests = require "spec.support.digests"
local mail = require "pcapi.notify.channels.mail"

local SETTINGS = { to = { "mfa@fabrikam.example" }, from = "pcapi@fabrikam.example" }

local function mail_of(digest, settings)
  local messages = mail.messages(digest, settings or SETTINGS)
  assert.equal(1, #messages)
  assert.equal(digest.id, messages[1].id)
  return messages[1].body
end

-- The headers, unfolded, by name.
local function headers_of(text)
  local headers = {}
  for line in (text:match "^(.-\n)\n"):gsub("\n ", " "):gmatch "([^\n]*)\n" do
    local name, value = line:match "^([%w-]+): (.*)$"
    assert.is_nil(headers[name], line)
    headers[name] = value
  end
  return headers
end

describe("a mail", function()
  it("is from pcapi to the recipients, with the title as subject", function()
    assert.same({
      From = "pcapi@fabrikam.example", To = "mfa@fabrikam.example",
      Subject = "fabrikam: 1 new user without MFA", Date = "Sat, 28 Nov 2026 06:00:04 +0000",
      ["Message-ID"] = "<" .. digests.one().id .. "@fabrikam.example>",
      ["Auto-Submitted"] = "auto-generated", ["X-Pcapi-Dedup"] = digests.one().id,
      ["X-Pcapi-Kind"] = "changes", ["MIME-Version"] = "1.0",
      ["Content-Type"] = 'multipart/alternative; boundary="=_pcapi_' .. ("0"):rep(40) .. '"',
    }, headers_of(mail_of(digests.one())))
  end)

  it("is in the thread of the first one", function()
    local digest, first = digests.one(), "<" .. ("a"):rep(64) .. "@fabrikam.example>"
    digest.thread = ("a"):rep(64)
    local headers = headers_of(mail_of(digest))
    assert.same({ first, first }, { headers["In-Reply-To"], headers.References })
    digest.thread = digest.id -- the first one itself
    assert.is_nil(headers_of(mail_of(digest))["In-Reply-To"])
  end)

  it("has the text first, then HTML", function()
    local text = mail_of(digests.one())
    local plain = text:find("Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: "
      .. "quoted-printable\n\nfabrikam: 1 new user without MFA\n", 1, true)
    assert.is_true(plain < text:find("Content-Type: text/html; charset=utf-8", 1, true))
    assert.truthy(text:find "\n%-%-=_pcapi_0+%-%-\n$")
  end)

  it("is the same bytes each time", function()
    assert.equal(mail_of(digests.events()), mail_of(digests.events()))
  end)

  it("is ASCII in short lines without a carriage return, whatever the names", function()
    local names = { "kim", unpack and unpack(digests.HOSTILE) or table.unpack(digests.HOSTILE) }
    for _, name in ipairs(names) do
      local text = mail_of(digests.hostile(name))
      assert.is_nil(text:find "[^\n\32-\126]", name)
      local headers, body = text:match "^(.-\n)\n(.*)$"
      for line in body:gmatch "([^\n]*)\n" do
        assert.is_true(#line <= 76, line)
        assert.is_nil(line:find "^%.", line)
        assert.is_nil(line:find "[ \t]$", line)
      end
      for line in headers:gmatch "([^\n]*)\n" do
        assert.is_true(#line <= 78 or line:find "^[%w-]+: <?0000" ~= nil, line)
      end
      headers_of(text) -- each once, and no other
    end
  end)

  it("shows 100 users, and counts the others", function()
    local text = mail_of(digests.large(10000, 1)):gsub("=\n", "")
    assert.equal(200, select(2, text:gsub("user1%d+@", ""))) -- in both parts
    assert.truthy(text:find("\nand 9900 more\n", 1, true))
  end)

  it("has as many recipients in a line as there is room for", function()
    local to = {}
    for i = 1, 9 do
      to[i] = ("recipient%d@fabrikam.example"):format(i)
    end
    local text = mail_of(digests.one(), { to = to, from = "pcapi@fabrikam.example" })
    assert.equal(table.concat(to, ", "), headers_of(text).To)
    for line in text:gmatch "[^\n]+" do
      assert.is_true(#line <= 78 or line:find("000000", 1, true) ~= nil, line)
    end
  end)
end)

describe("the settings of a mail", function()
  local function check(name, text)
    return channel_context.check_of(mail, name)(text)
  end

  it("are addresses, which cannot be taken for headers or options", function()
    assert.same({ "a@x.example", "b@y.example" }, check("to", "a@x.example, b@y.example"))
    assert.same({ "a@x.example", "b@y.example" }, check("to", "a@x.example;b@y.example"))
    for _, text in ipairs { "", ",", "kim", "kim@", "@x", "-t@x.example", "a@x.example\nBcc: b@c",
                            "Kim <kim@x.example>", "a b@x.example", "ü@x.example" } do
      assert.is_nil(check("to", text))
      assert.is_nil(check("from", text))
    end
  end)

  it("may name another sendmail by an absolute path", function()
    assert.equal("/usr/bin/msmtp", check("sendmail", "/usr/bin/msmtp"))
    assert.is_nil(check("sendmail", "msmtp"))
  end)
end)

describe("sendmail", function()
  local function deliver(status, output, settings)
    local ran
    local context = { run = function(argv, input)
      ran = { argv, input }
      return status, output
    end }
    local message = mail.messages(digests.one(), SETTINGS)[1]
    local ok, err = mail.deliver(message, settings or SETTINGS, context)
    assert.equal(message.body, ran[2])
    return ok, err, ran[1]
  end

  it("gets the whole mail", function()
    local ok, _, argv = deliver(0, "")
    assert.is_true(ok)
    assert.same({ "/usr/sbin/sendmail", "-t", "-oi" }, argv)
    ok, _, argv = deliver(0, "", { sendmail = "/usr/bin/msmtp" })
    assert.is_true(ok)
    assert.equal("/usr/bin/msmtp", argv[1])
  end)

  it("fails with its status and what it writes", function()
    local ok, err = deliver(75, "sendmail: cannot\nconnect\n")
    assert.is_nil(ok)
    assert.same({ "server", "/usr/sbin/sendmail ended with status 75: sendmail: cannot connect" },
      { err.kind, err.message })
    assert.is_nil(err.is_final)
    assert.is_true(select(2, deliver(65, "")).is_final)
    assert.equal("config", select(2, deliver(78, "")).kind)
    assert.truthy(select(2, deliver(127, "")).hint:find("Install", 1, true))
  end)
end)
