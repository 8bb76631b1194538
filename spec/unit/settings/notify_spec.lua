local folder = require "spec.support.folder"
local notify = require "pcapi.settings.notify"
local settings = require "spec.support.settings"

-- A type of channel with a secret, for these specs.
package.loaded["pcapi.notify.channels.slack"] = {
  settings = {
    { name = "url", is_secret = true, is_required = true, about = "Address", check = function(text)
      return text:find "^https://" and text or nil, "must be an address of https"
    end },
    { name = "link", about = "Report" },
  },
}

teardown(function()
  package.loaded["pcapi.notify.channels.slack"] = nil
  folder.remove()
end)

local function read(text, env, options)
  local place = folder.new()
  local path = folder.write(place .. "/config", text)
  env = env or {}
  env.HOME = "/home/kim"
  options = options or {}
  options.path, options.getenv = path, settings.env(env)
  local found, err = notify.read(options)
  local first = found and found.channels[1]
  err = err or first and first.problem
  local message = err and err.message:gsub(path:gsub("%p", "%%%0"), "config")
  return not err and found or nil, message, place
end

describe("a section [notify NAME]", function()
  it("is a channel, in the order of the file", function()
    local found, _, place = read("[notify b]\ntype = jsonl\npath = b.jsonl\n[notify a]\n"
      .. "type = jsonl\ngroup = tenant\npath = ~/a.jsonl\n")
    local first, second = found.channels[1], found.channels[2]
    assert.same({ "b", "jsonl", "run", "jsonl" }, { first.name, first.type, first.group,
                                                   first.settings.type })
    assert.same({ "a", "tenant", true }, { second.name, second.group, second.is_complete })
    assert.equal("/home/kim/a.jsonl", second.settings.path)
    assert.is_true(first.settings.path:find("/b.jsonl", 1, true) ~= nil, place)
    assert.same({}, found.routes)
  end)

  it("takes a secret from the file that it names, or from a variable, which wins", function()
    local secret = folder.write(folder.new() .. "/url", "https://x.example/s3cret\r\n")
    local text = "[notify my-ops]\ntype = slack\nurl_file = " .. secret .. "\n"
    assert.equal("https://x.example/s3cret", read(text).channels[1].settings.url)
    local found = read(text, { PCAPI_NOTIFY_MY_OPS_URL = "https://other.example/" })
    assert.equal("https://other.example/", found.channels[1].settings.url)
    assert.same({ setting = "[notify my-ops] url", value = "(not shown)",
                  from = "environment PCAPI_NOTIFY_MY_OPS_URL" }, found.channels[1].shown[3])
    assert.equal("https://x.example/s3cret", read("[notify ops]\ntype = slack\nurl_file = "
      .. secret).channels[1].settings.url)
  end)

  it("shows where a secret comes from without reading it, if only that is asked", function()
    local found = read("[notify ops]\ntype = slack\nurl_file = /missing\n", nil,
      { has_secrets = false })
    local row = found.channels[1].shown[3]
    assert.equal("(not shown)", row.value)
    assert.truthy(row.from:find "^file /missing, %[notify ops%] in .*config:3$")
  end)

  for _, case in ipairs {
    { "without a type", "[notify ops]\n", "config:1: [notify ops] needs type; it is one of mail, "
      .. "teams, slack, webhook, pagerduty, jsonl" },
    { "of an unknown type", "[notify ops]\ntype = fax\n", "[notify ops] type must be mail or teams "
      .. 'or slack or webhook or pagerduty or jsonl, not "fax" ([notify ops] in config:2)' },
    { "with an unknown setting", "[notify ops]\ntype = jsonl\npath = a\npaht = b\n",
      'config:4: unknown setting "paht" of [notify ops]; did you mean "path"?' },
    { "with a secret in the file", "[notify ops]\ntype = slack\nurl = https://s3cret.example/\n",
      "config:3: url of [notify ops] is a secret and must not be in this file; put it in a file of "
      .. "its own and set url_file, or set PCAPI_NOTIFY_OPS_URL" },
    { "without a secret", "[notify ops]\ntype = slack\n", "config:1: [notify ops] needs url; put "
      .. "it in a file and set url_file, or set PCAPI_NOTIFY_OPS_URL" },
    { "whose secret cannot be read", "[notify ops]\ntype = slack\nurl_file = /missing\n",
      "[notify ops] url_file: /missing cannot be read: No such file or directory ([notify ops] in "
      .. "config:3)" },
    { "without what its type needs", "[notify ops]\ntype = jsonl\n",
      "config:1: [notify ops] needs path" },
    { "with an unknown group", "[notify ops]\ntype = jsonl\npath = a\ngroup = user\n",
      '[notify ops] group must be run or tenant, not "user" ([notify ops] in config:4)' },
  } do
    it(case[1] .. " is refused, with its line and the cure", function()
      local found, message = read(case[2])
      assert.is_nil(found)
      assert.equal(case[3], message)
    end)
  end

  it("with a wrong secret is a channel all the same: what changed must be recorded", function()
    local path = folder.write(folder.new() .. "/config", "[notify ops]\ntype = slack\n")
    local found = assert(notify.read { path = path, getenv = settings.env() })
    assert.equal("config", found.channels[1].problem.kind)
    assert.equal("ops", found.channels[1].name)
  end)

  it("shows no secret that is wrong", function()
    local secret = folder.write(folder.new() .. "/url", "s3cret")
    local _, message = read("[notify ops]\ntype = slack\nurl_file = " .. secret)
    assert.truthy(message:find("[notify ops] url must be an address of https (file ", 1, true))
    assert.is_nil(message:find("s3cret", 1, true))
  end)
end)

describe("a section [route NAME]", function()
  local CHANNELS = "[notify ops]\ntype = jsonl\npath = a\n[notify boss]\ntype = jsonl\npath = b\n"

  it("names patterns and channels, in the order of the file", function()
    local routes = read(CHANNELS .. "[route z]\ntenant = Fabrikam, con*\nuser = Kim@*\n"
      .. "channels = ops, boss\ncontinue = yes\n[route a]\napplication = *sync*\n"
      .. "channels = ops\n").routes
    assert.same({ "z", "a" }, { routes[1].name, routes[2].name })
    assert.same({ "fabrikam", "con*" }, routes[1].tenant)
    assert.same({ "kim@*" }, routes[1].user)
    assert.same({ ops = true, boss = true }, routes[1].channels)
    assert.same({ true, false }, { routes[1].is_continued, routes[2].is_continued })
    assert.same({ "*sync*" }, routes[2].application)
    assert.is_nil(routes[2].tenant)
  end)

  for _, case in ipairs {
    { "without channels", "[route r]\ntenant = x\n", "config:7: [route r] needs channels" },
    { "with an unknown channel", "[route r]\nchannels = opss\n", 'config:8: channels of [route r] '
      .. 'names "opss", which has no section [notify opss]; did you mean "ops"?' },
    { "with an unknown setting", "[route r]\nchannels = ops\nusers = x\n",
      'config:9: unknown setting "users" of [route r]; did you mean "user"?' },
    { "with a wrong continue", "[route r]\nchannels = ops\ncontinue = true\n",
      '[route r] continue must be yes or no, not "true" ([route r] in config:9)' },
  } do
    it(case[1] .. " is refused, with its line and the cure", function()
      local found, message = read(CHANNELS .. case[2])
      assert.is_nil(found)
      assert.equal(case[3], message)
    end)
  end
end)
