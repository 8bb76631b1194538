local formats = require "pcapi.format"
local raised_by = require "spec.support.raised_by"

-- Registers a format under a name that no other spec has, as formats cannot be removed.
local last = 0
local function register(format)
  last = last + 1
  local name = "spec-" .. last
  formats.register(name, format)
  return name, formats.get(name)
end

-- Returns the texts that a writer of the format writes for two batches, one per call.
local function written(format, options)
  local texts = {}
  local writer = format.open(function(text)
    texts[#texts + 1] = text
    return true
  end, options)
  writer:rows { { n = 1 }, { n = 2 } }
  writer:rows { { n = 3 } }
  writer:close()
  return texts
end

local function count_lines(list, options)
  return ("%d%s\n"):format(#list, options and options.unit or "")
end

describe("the formats", function()
  it("have names, the built-in ones first", function()
    local names = formats.names()
    assert.same({ "table", "json", "jsonl", "csv" }, { names[1], names[2], names[3], names[4] })
    names[1] = "changed"
    assert.equal("table", formats.names()[1])
  end)

  it("are found by their names, with both functions", function()
    for _, name in ipairs { "table", "json", "jsonl", "csv" } do
      local format = formats.get(name)
      assert.equal(require("pcapi.format." .. name), format)
      assert.is_function(format.encode)
      assert.is_function(format.open)
    end
  end)

  it("say which one needs all records, and which one is for people", function()
    for _, name in ipairs { "table", "json", "jsonl", "csv" } do
      local format = formats.get(name)
      assert.equal(name == "table" or nil, format.needs_all)
      assert.equal(name == "table" or nil, format.for_people)
    end
  end)

  it("are named by the message for an unknown one", function()
    for _, name in ipairs { "xml", "init", "writer", "json_value", "../cli/exit", "" } do
      local format, message = formats.get(name)
      assert.is_nil(format)
      assert.matches(("there is no format '%s'; there are: table, json, jsonl, csv"):format(name),
        message, 1, true)
    end
    assert.matches("there is no format 'nil'", select(2, formats.get(nil)), 1, true)
  end)

  it("can be reached as pcapi.format", function()
    assert.equal(formats, require("pcapi").format)
  end)
end)

describe("a registered format", function()
  it("has a name among the others, behind the built-in ones", function()
    local name = register { encode = count_lines }
    local names = formats.names()
    assert.equal(name, names[#names])
    assert.matches(name, select(2, formats.get "xml"), 1, true)
  end)

  it("with encode alone has a writer that collects all records", function()
    local _, format = register { encode = count_lines }
    assert.same({ "3 users\n" }, written(format, { unit = " users" }))
    assert.is_true(format.needs_all)
    local writer = format.open(function() return nil, "disk full" end)
    assert.is_true(writer:rows { {} })
    assert.same({ nil, "disk full" }, { writer:close() })
  end)

  it("with open alone has an encode that uses it", function()
    local _, format = register {
      open = function(write)
        local writer = {}
        function writer.rows(_, list)
          return write(#list .. ",")
        end
        function writer.close()
          return write "end"
        end
        return writer
      end,
    }
    assert.same({ "2,", "1,", "end" }, written(format))
    assert.is_false(format.needs_all)
    assert.equal("2,end", format.encode { {}, {} })
  end)

  it("with both has its own", function()
    local encode, open = function() end, function() end
    local _, format = register { encode = encode, open = open, needs_all = true,
                                 for_people = true }
    assert.same({ encode, open, true, true },
      { format.encode, format.open, format.needs_all, format.for_people })
  end)

  it("is refused at the caller's line if the name or the format is wrong", function()
    for message, case in pairs {
      ["there is a format 'csv' already"] = { "csv", { encode = count_lines } },
      ["takes a name of lower%-case letters"] = { "X.Y", { encode = count_lines } },
      ["takes a name of"] = { nil, { encode = count_lines } },
      ["the format 'spec%-wrong' needs a function encode or open"] = { "spec-wrong", {} },
      ["needs a function encode"] = { "spec-wrong", count_lines },
    } do
      assert.matches("registry_spec.lua:%d+: format.register.*" .. message, raised_by(function()
        formats.register(case[1], case[2])
      end))
    end
  end)
end)
