-- How much a list may hold, and how long reading it may take.
local core = require "pcapi.core"
local fake = require "spec.support.fake_transport"
local pages = require "spec.support.pages"

local page, requests = pages.page, pages.requests

describe("a list", function()
  describe("is refused before it fills the memory:", function()
    local MEGABYTES = 1024 -- of what collectgarbage counts

    local function refused(body, options, more)
      local client = fake.client({ { body = body }, more }, options)
      collectgarbage()
      local before = collectgarbage "count"
      local records, err = client.security:partner_requests()
      assert.is_true(collectgarbage "count" - before < 4 * MEGABYTES)
      assert.is_nil(records)
      assert.equal("protocol", err.kind)
      assert.equal(200, err.status)
      assert.matches("Raise max_records", err.hint, 1, true)
      return err.message
    end

    local function items(count, item)
      return '{"items":[' .. (item .. ","):rep(count - 1) .. item .. "]}"
    end

    it("5 million records", function()
      local message = refused(items(5e6, "{}"))
      assert.equal("the response has more than 250000 records, the limit max_records", message)
    end)

    it("one record more than 250,000, and not one less", function()
      for _, item in ipairs { "{}", "null", "[]", "5" } do
        refused(items(250001, item))
        refused("[" .. items(250001, item):sub(11, -2))
      end
      local client = fake.client { { body = items(250000, "{}") } }
      assert.equal(250000, #assert(client.security:partner_requests()))
    end)

    for name, body in pairs {
      ["millions of members in one record"] = '[{"a":[' .. ("[],"):rep(4e6) .. "[]]}]",
      ["millions of members in none"] = '{"items":[{}],"x":{"y":{' .. ('"":1,'):rep(4e6)
        .. '"b":2}}}',
    } do
      -- lua-cjson shows only the last one of members of the same name
      local is_counted = core.json == "reader" or name ~= "millions of members in none"
      it(name, is_counted and function()
        assert.matches("^the response has more .* 250000 records.*, the limit max_records$",
          refused(body))
      end or function() end)
    end

    for what, body in pairs { ["nested"] = ("["):rep(5e6), ["not JSON"] = "[" .. (","):rep(5e6) } do
      it("a text of one character that is repeated: " .. what, function()
        local client = fake.client { { body = body } }
        collectgarbage()
        local before = collectgarbage "count"
        local records, err = client.security:partner_requests()
        assert.is_true(collectgarbage "count" - before < 30 * MEGABYTES)
        assert.is_nil(records)
        assert.matches(what, err.message, 1, true)
      end)
    end

    it("more records than max_records, over all pages", function()
      local function linked(count)
        return items(count, "{}"):sub(1, -2) .. ',"continuationToken":"t"}'
      end
      refused(items(4, "{}"), { max_records = 3 })
      refused(linked(2), { max_records = 3 }, { body = items(2, "{}") })
      refused(linked(2), { max_records = 3 },
        { body = items(1, '{"a":[' .. ("1,"):rep(40) .. "2]}") })
      local client = fake.client({ { body = linked(2) }, { body = items(1, "{}") } },
        { max_records = 3 })
      assert.equal(3, #assert(client.security:partner_requests()))
    end)

    it("but not for a text that looks like many values", function()
      local name = ("[,{"):rep(1e5)
      local client = fake.client({ { body = '[{"upn":"' .. name .. '"}]' } }, { max_records = 1 })
      assert.equal(name, assert(client.security:partner_requests())[1].upn)
    end)

    it("a body of 64 MiB, or max_body of the client", function()
      local _, _, transport = requests { page "a" }
      assert.equal(64 * 1024 * 1024, transport.sent[1].max_body)
      _, _, transport = requests({ page "a" }, { max_body = 100e6 })
      assert.equal(100e6, transport.sent[1].max_body)
    end)

    it("a later page larger than max_body, with what to do about it", function()
      local client = fake.client { { body = '{"items":[{}],"continuationToken":"t"}' },
                                   { kind = "protocol",
                                     message = "the response is larger than max_body" } }
      local records, err = client.security:partner_requests()
      assert.is_nil(records)
      assert.same({ 2, "Raise max_body if you expect so much" }, { err.page, err.hint })
      assert.matches("the response is larger than 64 MiB", err.message, 1, true)
    end)

    it("but a failure is returned as what it is", function()
      local _, err = requests({ { status = 403, body = items(5e6, "{}") } })
      assert.equal("forbidden", err.kind)
      local body = '{"code":"900328","items":' .. items(40000, "{}"):sub(10)
      _, err = requests({ { status = 403, body = body } })
      assert.is_nil(err.code) -- it was not decoded
    end)
  end)

  describe("ends with an error after the deadline", function()
    -- Each look at the clock takes a second.
    local function late(body, seconds, breathe)
      local client, transport = fake.client({ { body = body } }, { timeout = seconds })
      transport.breathe = breathe
      transport.now = function(self)
        self.time = self.time + 1
        return self.time
      end
      local records, err = client.security:partner_requests()
      return records, err, transport
    end

    local MANY = "[" .. ('{"upn":"a","x":[1]},'):rep(150000) .. "{}]" -- 600,000 values, 3 MB
    local TWICE = "[" .. ('{"UPN":"a","Upn":"b"},'):rep(3000) .. "{}]"

    for name, case in pairs {
      ["while it is decoded"] = { MANY, 8 },
      ["while it is decoded and other tasks run"] = { MANY, 40, function() end },
      ["while its records are normalised"] = { TWICE, 15 },
    } do
      it(name, function()
        local records, err, transport = late(case[1], case[2], case[3])
        assert.is_nil(records)
        assert.equal("timeout", err.kind)
        assert.equal("timed out while reading the response", err.message)
        assert.is_string(err.request_id)
        assert.equal(1, #transport.sent)
        assert.equal(case[1]:sub(-4) and select(2, case[1]:gsub("},", "")) + 1,
          #assert(late(case[1], 10000, case[3])))
      end)
    end
  end)
end)
