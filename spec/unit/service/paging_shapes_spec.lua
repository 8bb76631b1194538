-- Which responses are lists of records, and how their records are normalised.
local core = require "pcapi.core"
local fake = require "spec.support.fake_transport"
local collection = require "pcapi.service.collection"
local security = require "pcapi.service.resources.security"
local pages = require "spec.support.pages"

local json, requests = pages.json, pages.requests

local BOM = "\239\187\191"

local function records_of(text, resource)
  return collection.records({ json = core.decode(text), body = text },
    resource or security.partner_requests)
end

describe("a response", function()
  describe("is a list of records if it is", function()
    for name, text in pairs {
      ["a collection"] = '{"totalCount":1,"items":[{"requestId":"r"}],"attributes":{}}',
      ["a collection in PascalCase"] = '{"TotalCount":1,"Items":[{"RequestId":"r"}]}',
      ["a bare array"] = '[{"requestId":"r"}]',
      ["a bare array behind white space"] = ' \r\n[{"requestId":"r"}]',
      ["a bare array behind a byte order mark"] = BOM .. '[{"requestId":"r"}]',
      ["a lone record"] = '{"requestId":"r","upn":null}',
      ["a lone record in PascalCase"] = '{"RequestId":"r"}',
    } do
      it(name, function()
        assert.same({ { requestId = "r" } }, records_of(text))
      end)
    end

    for _, text in ipairs { "[]", " [ ] ", BOM .. "[]", '{"items":[]}',
                            '{"totalCount":0,"items":[]}', '{"totalCount":0,"items":null}' } do
      it(("empty, as %q"):format(text), function()
        assert.same({}, records_of(text))
      end)
    end

    it("a lone record that is known by an alias alone", function()
      assert.same({ { ipAddress = "192.0.2.7" } }, records_of '{"sourceIpAddress":"192.0.2.7"}')
    end)
  end)

  describe("is an error if it is", function()
    for text, why in pairs {
      ["{}"] = "neither a list of records nor a record",
      ['{"totalCount":1}'] = "neither a list of records nor a record",
      ['{"odd":[{"requestId":"r"}]}'] = "neither a list of records nor a record",
      ['{"items":"x"}'] = "neither a list of records nor a record",
      ['{"items":5}'] = "neither a list of records nor a record",
      ['{"items":{"requestId":"r"}}'] = "neither a list of records nor a record",
      ["[null]"] = "no record of the list is an object",
      ['["x"]'] = "no record of the list is an object",
      ['{"totalCount":2,"items":[5,["a"],null]}'] = "no record of the list is an object",
      ["5"] = "a single value", ['"text"'] = "a single value", ["true"] = "a single value",
      ["false"] = "a single value",
    } do
      it(text .. ", with the message: " .. why, function()
        local records, err, transport = requests { { body = text } }
        assert.is_nil(records)
        assert.equal("protocol", err.kind)
        assert.equal(200, err.status)
        assert.matches(why, err.message, 1, true)
        assert.is_string(err.request_id)
        assert.equal(1, #transport.sent)
      end)
    end

    for _, body in ipairs { "", "null", "<html>x</html>", '{"items":[' } do
      it(("%q, which is not JSON"):format(body), function()
        local records, err = requests { { body = body } }
        assert.is_nil(records)
        assert.equal("protocol", err.kind)
        assert.matches("not JSON", err.message, 1, true)
      end)
    end
  end)
end)

describe("the records", function()
  it("of the request log have one name for the address, no empty text and booleans", function()
    local records = requests { json { items = {
      { sourceIpAddress = "192.0.2.7", correlationId = "", mfaCompliant = "False" },
      { ipAddress = "192.0.2.8", UPN = "kim", mfaCompliant = true },
    } } }
    assert.same({ ipAddress = "192.0.2.7", mfaCompliant = false }, records[1])
    assert.same({ ipAddress = "192.0.2.8", upn = "kim", mfaCompliant = true }, records[2])
  end)

  it("of users have one name for the time, whatever its name in the response", function()
    for _, name in ipairs {
      "lastNonMfaCompliantLoginDateTime", "LastNonMfaCompliantLoginDateTime",
      "lastNonMfaCompliantRequestDateTime", "LastNonMfaCompliantRequestDateTime",
    } do
      local client = fake.client { json { items = { { [name] = "2024-02-03T07:08:09.123" } } } }
      assert.same({ lastNonMfaCompliantLoginDateTime = "2024-02-03T07:08:09.123" },
        client.security:non_mfa_principals()[1])
    end
  end)

  it("of adoption have numbers for counts, and the day unchanged", function()
    local client = fake.client { json { {
      loginDate = "2024-02-03", mfaCompliantRequestCount = "3", TotalRequestCount = 9,
      applicationName = "",
    } } }
    local row = client.security:application_mfa_adoption_status()[1]
    assert.same({ loginDate = "2024-02-03", mfaCompliantRequestCount = 3,
                  totalRequestCount = 9 }, row)
  end)

  describe("have one address, whatever its names and their order,", function()
    local PAD = ('{"requestId":"r","x":"%s"},'):format(("y"):rep(200)):rep(300)
    for text, expected in pairs {
      ['"ipAddress" :"own","sourceIpAddress":"other"'] = "own",
      ['"sourceIpAddress":"other","ipAddress" :"own"'] = "own",
      ['"sourceIpAddress"\n:"other","ipAddress"\t : "own"'] = "own",
      ['"\\u0069pAddress":"own","sourceIpAddress":"other"'] = "own",
      ['"source\\u0049pAddress":"other"'] = "other",
      ['"sourceIpAddress" : "other"'] = "other", ['"SourceIpAddress":"other"'] = "other",
      ['"IpAddress":"pascal"'] = "pascal", ['"ipAddress":"","sourceIpAddress":"other"'] = "other",
      ['"ipAddress":null,"SourceIPAddress":"other"'] = "other",
      ['"IpAddress":"pascal","sourceIpAddress":"other"'] = "other",
      ['"sourceIpAddress":"other","IpAddress":"pascal"'] = "other",
      ['"sourceIpAddress":"","IpAddress":"pascal"'] = "pascal",
      ['"x":{"ipAddress":"nested"},"sourceIpAddress":"other"'] = "other",
    } do
      it("from " .. text, function()
        for _, breathe in ipairs { false, function() end } do
          for _, pad in ipairs { "", PAD } do
            for _, list in ipairs { "[%s{%s}]", '{"items":[%s{%s}]}',
                                    '{"\\u0069tems" :[%s{%s}]}' } do
              local client, transport = fake.client { { body = list:format(pad, text) } }
              transport.breathe = breathe or nil
              local records = assert(client.security:partner_requests())
              assert.equal(expected, records[#records].ipAddress)
            end
          end
        end
      end)
    end
  end)
end)
