--- Names of well-known applications, and more from a file of the user. Pure.
--
-- The names are facts from these sources: merill/microsoft-info (MIT), secureworks/
-- family-of-client-ids-research (MIT), Gerenios/AADInternals, KelvinTegelaar/CIPP-API, and
-- microsoft/Partner-Center-PowerShell.
-- @module pcapi.history.applications
local identity = require "pcapi.history.identity"
local input = require "pcapi.input"

local M = {}

-- What each kind of application is: `portal` is used in a browser, `tool` by hand or in a script.
local WELL_KNOWN = {
  ["fa3d9a0c-3fb0-42cc-9193-47c7ecd2edbd"] = { "Microsoft Partner Center", "resource" },
  ["4990cffe-04e8-4e8b-808a-1175604b879f"] = { "Microsoft Partner (Dev Center)", "portal" },
  ["04b07795-8ddb-461a-bbee-02f9e1bf7b46"] = {
    "Azure CLI, or the default client of PartnerCenter PowerShell", "tool" },
  ["1950a258-227b-4e31-a9cf-717495945fc2"] = { "Azure PowerShell", "tool" },
  ["1b730954-1685-4b74-9bfd-dac224a7b894"] = { "Azure Active Directory PowerShell", "tool" },
  ["14d82eec-204b-4c2f-b7e8-296a70dab67e"] = {
    "Microsoft Graph Command Line Tools (Graph PowerShell)", "tool" },
  ["de8bc8b5-d9f9-48b1-a8ad-b748da725064"] = { "Graph Explorer", "tool" },
  ["a0c73c16-a7e3-4564-9a95-2bdf47383716"] = {
    "Exchange Online PowerShell (legacy), or the sign-in of the module PartnerCenter", "tool" },
  ["fb78d390-0c51-40cd-8e17-fdbfab77341b"] = { "Exchange REST API PowerShell", "tool" },
  -- a user of Office has no reason to call Partner Center by it
  ["d3590ed6-52b3-4102-aeff-aad2292ab01c"] = { "Microsoft Office, or AADInternals", "suspicious" },
  ["872cd9fa-d31f-45e0-9eab-6e460a02d1f1"] = { "Visual Studio", "tool" },
  ["aebc6443-996d-45c2-90f0-388ff96faa56"] = { "Visual Studio Code", "tool" },
  ["c44b4083-3bb0-49c1-b47d-974e53cbdf3c"] = { "Azure Portal", "portal" },
  ["618dd325-23f6-4b6f-8380-4df78026e39b"] = { "Microsoft 365 admin portal", "portal" },
  ["00000006-0000-0ff1-ce00-000000000000"] = { "Microsoft Office 365 Portal", "portal" },
  ["89bee1f7-5e6e-4d8a-9f3d-ecd601259da7"] = { "Office365 Shell WCSS-Client", "portal" },
  ["6204c1d1-4712-4c46-a7d9-3ed63d992682"] = { "Microsoft Flow Portal", "portal" },
  ["57fcbcfa-7cee-4eb1-8b25-12d2030b4ee0"] = { "Microsoft Flow", "tool" },
  ["4e291c71-d680-4d0e-9640-0a3358e31177"] = { "PowerApps", "tool" },
  ["29d9ed98-a469-4536-ade2-f981bc1d605e"] = { "Microsoft Authentication Broker", "tool" },
  ["34cabb34-90ae-4aca-b8c3-c457dbedf145"] = { "PartnerCenterCustomerServiceAppProd", "resource" },
  ["2832473f-ec63-45fb-976f-5d45a7d4bb91"] = {
    "Partner Customer Delegated Administration", "resource" },
  ["a3475900-ccec-4a69-98f5-a65cd5dc5306"] = {
    "Partner Customer Delegated Administration Offline Processor", "resource" },
}

--- What is known of an application of Microsoft.
-- @tparam string id in lower case
-- @treturn ?string name
-- @treturn ?string kind: `"portal"`, `"tool"`, `"resource"`, or `"suspicious"` (no reason is known
-- to call Partner Center by it, and a tool of attackers does)
function M.well_known(id)
  local known = WELL_KNOWN[id]
  return known and known[1], known and known[2]
end

--- The name of an application.
-- @tparam string id in lower case
-- @tparam[opt] table more names by id: those of @{read_csv}, and below them those of adoption
-- @tparam[opt] table adoption names by id
-- @treturn string the id itself if nothing names it
function M.name(id, more, adoption)
  return more and more[id] or M.well_known(id) or adoption and adoption[id]
    or id ~= "" and id or "(no application)"
end

-- The fields of a line of CSV, and where the next line begins; a field in quotes may have line
-- breaks.
local function read_fields(text, from)
  local fields, at = {}, from
  while true do
    local value, next_at
    if text:sub(at, at) == '"' then
      local stop = at
      repeat
        stop = text:find('"', stop + 1, true)
        local is_doubled = stop and text:sub(stop + 1, stop + 1) == '"'
        stop = is_doubled and stop + 1 or stop
      until not is_doubled
      if not stop then
        return nil
      end
      value, next_at = text:sub(at + 1, stop - 1):gsub('""', '"'), stop + 1
    else
      next_at = text:find("[,\n]", at) or #text + 1
      value = text:sub(at, next_at - 1)
    end
    fields[#fields + 1] = value
    if text:sub(next_at, next_at) ~= "," then
      return fields, (text:find("\n", next_at, true) or #text) + 1
    end
    at = next_at + 1
  end
end

-- The positions of the columns that count; nil if one is missing.
local function columns_of(header)
  local at = {}
  for i, name in ipairs(header or {}) do
    at[name:lower():gsub("%s", "")] = i
  end
  if at.appid and at.appdisplayname then
    return { id = at.appid, name = at.appdisplayname, source = at.source }
  end
end

--- Reads names of applications from a CSV with the columns `AppId` and `AppDisplayName`, such as
-- `_info/MicrosoftApps.csv` of merill/microsoft-info. Where it has a column `Source`, rows of the
-- source `EntraDocs` name only what no other row names: many of them are no applications.
-- @tparam string text any bytes
-- @treturn[1] table names by id in lower case
-- @treturn[2] nil
-- @treturn[2] string what is wrong
function M.read_csv(text)
  local lines, why = input.lines(text)
  if not lines then
    return nil, why
  end
  local header, at = read_fields(lines, 1)
  local columns = columns_of(header)
  if not columns then
    return nil, "has no columns AppId and AppDisplayName in its first line"
  end
  local names, weak = {}, {}
  while at and at <= #lines do
    local fields
    fields, at = read_fields(lines, at)
    if not fields then
      return nil, "has a quote that is not closed"
    end
    local id, name = fields[columns.id], fields[columns.name] or ""
    if identity.is_guid(id) and name ~= "" then
      local into = columns.source and fields[columns.source] == "EntraDocs" and weak or names
      into[id:lower()] = into[id:lower()] or name
    end
  end
  for id, name in pairs(weak) do
    names[id] = names[id] or name
  end
  return names
end

return M
