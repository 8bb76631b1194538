--- Writes what the history knows of one user: for people, and as JSON.
-- @module pcapi.cli.history_explain
local advice = require "pcapi.history.advice"
local connect = require "pcapi.cli.connect"
local help = require "pcapi.cli.help"
local history_file = require "pcapi.cli.history_file"
local history_query = require "pcapi.cli.history_query"
local history_rows = require "pcapi.cli.history_rows"
local output = require "pcapi.cli.output"
local terminal = require "pcapi.cli.terminal"
local text = require "pcapi.text"
local time = require "pcapi.time"

local M = {}

local at = history_rows.at

local CERTAINTY = { sure = "certain", good = "very likely", inference = "likely",
                    unknown = "unknown" }
local CLASS = {
  guest = "a guest of another tenant", system = "a system account", portal = "the portal",
  program = "a program", own_program = "your program", tool = "a tool", vendor = "a vendor's panel",
  application = "an application", suspicious = "an application that is suspicious",
  pcapi = "pcapi itself", unknown = "unknown",
}

-- A moment for people.
local function moment(epoch)
  return epoch and time.format(epoch):sub(1, 16):gsub("T", " ") or nil
end

-- Lines of text. Names come from the service, so nothing in them may move the cursor.
local function new_page()
  local lines = {}
  local page = {}
  function page.add(words, first)
    lines[#lines + 1] = help.wrap(text.visible(words), first or "")
  end
  function page.title(words)
    lines[#lines + 1] = "\n" .. words
  end
  function page.flush()
    output.write(terminal.plain(table.concat(lines, "\n")) .. "\n")
    lines = {}
  end
  return page
end

-- When the user came without MFA.
local function period(finding)
  local first, last = moment(finding.first_at), moment(finding.last_at)
  return first == last and last or ("from %s to %s"):format(first, last)
end

-- The state, and since when.
local function state_of(finding)
  local since = finding.closed and ", closed " .. moment(finding.closed)
    or finding.mfa_at and ", with MFA since " .. moment(finding.mfa_at)
  return finding.state .. (since and since .. " UTC" or "")
end

local function say_state(page, found)
  local finding = found.finding
  if not finding then
    return page.add("No finding: the user was never listed as coming without MFA.")
  end
  page.add(state_of(finding), "State:       ")
  page.add(("%s UTC%s"):format(period(finding), finding.is_exact and ""
    or ", or later: the time cannot be read"), "Without MFA: ")
  if finding.exception then
    local exception = finding.exception
    page.add(("%s, tenant %s, until %s: %s"):format(exception.who, exception.tenant,
      exception.ends, exception.why), "Exception:   ")
  end
  page.add(found.step, "Next step:   ")
end

local function say_classes(page, found)
  page.title "How the user comes without MFA"
  local has_portal = false
  for _, entry in ipairs(found.classes or {}) do
    has_portal = has_portal or entry.class == "portal"
    page.add(("%s%s (%s)"):format(CLASS[entry.class], entry.name and ": " .. entry.name
      .. (entry.name ~= entry.application and entry.application ~= ""
        and ", " .. entry.application or "") or "", CERTAINTY[entry.certainty]), "  ")
    page.add(entry.advice.text, "    ")
    if entry.advice.source then
      page.add("See https://" .. entry.advice.source, "    ")
    end
  end
  if has_portal then
    page.add("If the user is prompted for MFA: " .. advice.of("third_party", {}).text, "    ")
  end
end

local VIEW = {
  columns = { "application", "address", "operation", "without", "last_without", "with",
              "last_with" },
  titles = { application = "APPLICATION", address = "ADDRESS", operation = "OPERATION",
             without = "NO MFA", last_without = "LAST (UTC)", with = "MFA",
             last_with = "LAST (UTC)" },
  narrow = { { "application", 16 }, { "operation", 24 }, { "last_with", 0 } },
}

-- One row of each operation.
local function rows_of(uses)
  local rows = {}
  for _, use in ipairs(uses) do
    for _, address in ipairs(use.addresses) do
      for _, operation in ipairs(address.operations) do
        rows[#rows + 1] = {
          application = use.name, address = address.ip, operation = operation.operation,
          without = operation.without_count, last_without = moment(operation.without),
          with = operation.with_count, last_with = moment(operation.with),
        }
      end
    end
  end
  return rows
end

local function say_findings(page, found)
  if #found.findings < 2 then
    return
  end
  page.title "Earlier findings"
  for i = 1, #found.findings - 1 do
    local finding = found.findings[i]
    page.add(("%s: %s UTC"):format(finding.state, period(finding)), "  ")
  end
end

local function say_basis(page, found, reach)
  page.title "What this rests on"
  if not reach.from then
    page.add("No requests of this tenant were received.", "  ")
  else
    page.add(("Requests are known from %s to %s UTC%s."):format(moment(reach.from),
      moment(reach.to), reach.share and (": %d%% of those that adoption counts on the last days")
        :format(math.floor(reach.share * 100)) or ""), "  ")
  end
  for i = math.max(1, #reach.gaps - 2), #reach.gaps do
    local gap = reach.gaps[i]
    page.add(("Requests from %s to %s UTC are missing: %s."):format(moment(gap.from),
      moment(gap.to), gap.is_cut and "there were more than the service returns"
      or "no run was in time"), "  ")
  end
  page.add("Sign-ins to the portal are in no list of requests: neither the address nor a repair "
    .. "can be seen there.", "  ")
  local tenant = found.tenant
  if tenant.failure then
    page.add(("The tenant fails since %s UTC (%s), so this may be old."):format(
      moment(tenant.failure.since), tenant.failure.kind), "  ")
  end
end

local function write_text(args, opened, found, reach)
  local page = new_page()
  page.add(history_query.user_name(found.person), "User:        ")
  page.add(history_query.tenant_name(found.tenant) .. (opened.not_asked[found.tenant.id]
    and (", not asked since %s UTC"):format(moment(found.tenant.asked)) or ""), "Tenant:      ")
  page.add(moment(found.tenant.at) .. " UTC", "Newest run:  ")
  say_state(page, found)
  if found.finding then
    say_classes(page, found)
  end
  if #found.applications > 0 then
    page.title "Requests"
    page.flush()
    output.table(args, rows_of(found.applications), VIEW)
  end
  say_findings(page, found)
  say_basis(page, found, reach)
  page.flush()
end

local function write_json(opened, found, reach)
  local row = history_rows.of(found, opened.not_asked)
  row.classes, row.findings, row.gaps = {}, {}, {}
  for i, entry in ipairs(found.classes or {}) do
    row.classes[i] = {
      class = entry.class, certainty = entry.certainty, applicationId = entry.application,
      application = entry.name, nextStep = entry.advice.step, text = entry.advice.text,
      source = entry.advice.source and "https://" .. entry.advice.source,
    }
  end
  for i, finding in ipairs(found.findings) do
    row.findings[i] = history_rows.episode(finding)
  end
  for i, gap in ipairs(reach.gaps) do
    row.gaps[i] = { from = at(gap.from), to = at(gap.to) }
  end
  row.applications = history_rows.uses(found.applications)
  row.requestsFrom, row.requestsTo, row.coverage = at(reach.from), at(reach.to), reach.share
  output.json("users", { row }, history_rows.COLUMNS)
end

--- Runs `pcapi explain`.
-- @tparam table args
function M.run(args)
  local opened = history_query.open(args)
  local user = history_query.user(args, opened)
  local found = history_query.required(opened.history:explain(user.person.id, {
    tenant = user.tenant.id, names = history_file.names(opened.settings),
    own = opened.settings.own, client_id = connect.stored_profile(args).settings.values.client_id,
  }))[1]
  local reach = history_query.required(opened.history:reach(user.tenant.id))
  opened.history:close()
  if args.json then
    write_json(opened, found, reach)
  else
    write_text(args, opened, found, reach)
  end
end

return M
