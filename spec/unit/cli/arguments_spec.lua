--- What command lines mean. Their errors are in spec/service/cli_usage_spec.lua.
local arguments = require "pcapi.cli.arguments"

local function parse(...)
  return arguments.parse { ... }
end

describe("a command line", function()
  it("names the command, and the subcommand", function()
    assert.equal("non-mfa", parse("non-mfa").command)
    local args = parse("config", "show")
    assert.same({ "config", "show" }, { args.command, args.config_command })
  end)

  it("has the values of options by their names, and defaults of the others", function()
    local args = parse("non-mfa", "--client-id", "5f0b3c1e-0000-4000-8000-000000000000",
      "--columns", "upn,tenantId", "--since=24h")
    assert.equal("5f0b3c1e-0000-4000-8000-000000000000", args.client_id)
    assert.same({ "upn", "tenantId" }, args.columns)
    assert.same({ "24h", "table", "auto" }, { args.since, args.output, args.color })
    assert.is_nil(args.user)
    assert.equal("/etc/pcapi", parse("--config", "/etc/pcapi", "status").config_file)
  end)

  it("may have options of all commands before and after the command", function()
    for _, words in ipairs { { "--profile", "a", "-q", "status" },
                             { "status", "-q", "--profile=a" },
                             { "-q", "status", "--profile", "a" } } do
      local args = arguments.parse(words)
      assert.same({ "status", "a", true }, { args.command, args.profile, args.quiet })
    end
  end)

  it("may join short options, and a value to the last one", function()
    for _, words in ipairs { { "-q", "-o", "csv" }, { "-qo", "csv" }, { "-qocsv" } } do
      local args = parse("non-mfa", words[1], words[2], words[3])
      assert.same({ true, "csv" }, { args.quiet, args.output })
    end
  end)

  it("may have a value that is empty, a dash, or begins with a dash behind =", function()
    assert.equal("", parse("--prefix", "", "non-mfa").prefix)
    assert.equal("-", parse("non-mfa", "--tenants", "-").tenants)
    assert.equal("--x", parse("non-mfa", "--user=--x").user)
    assert.equal("a=b", parse("non-mfa", "--user=a=b").user)
  end)

  it("may end its options by --", function()
    assert.same({ "non-mfa", "--since", "" },
      parse("completion", "bash", "--", "non-mfa", "--since", "").words)
  end)

  it("counts the last value of an option that is given twice", function()
    assert.equal("b", parse("--profile", "a", "status", "--profile", "b").profile)
  end)

  it("accepts a tenant by GUID or domain", function()
    for _, tenant in ipairs { "5F0B3C1E-0000-4000-8000-00000000000a", "fabrikam.onmicrosoft.com",
                              "a.b-c.example" } do
      assert.equal(tenant, parse("--tenant", tenant, "status").tenant)
    end
  end)
end)

describe("the parser", function()
  it("loads only the command that is used, and no help", function()
    local before = {}
    for name, module in pairs(package.loaded) do
      if name:find "^pcapi%.cli%.commands%." or name:find "^pcapi%.cli%.%l+$" then
        before[name], package.loaded[name] = module, nil
      end
    end
    require("pcapi.cli.arguments").parse { "status", "--json" }
    local loaded = {}
    for name in pairs(package.loaded) do
      loaded[#loaded + 1] = name:match "^pcapi%.cli%.commands%.(.*)$"
      assert.is_nil(name:match "^pcapi%.cli%.(help)$" or name:match "^pcapi%.cli%.(pages)$")
    end
    for name, module in pairs(before) do
      package.loaded[name] = module
    end
    assert.same({ "status" }, loaded)
  end)
end)
