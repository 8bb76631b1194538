--- The section for an auditor in the report: runs, gaps, findings, and the requests that prove
-- them. Pure.
-- @module pcapi.report.audit_section
local markup = require "pcapi.report.markup"
local tenant_section = require "pcapi.report.tenant_section"

local M = {}

local NAME, WHY = 100, 300 -- columns of a text

local count, day, moment, number, text = markup.count, markup.day, markup.time, markup.number,
  markup.text

local function add(out, format, ...)
  out[#out + 1] = format:format(...)
end

local function add_days(out, audit, name)
  local failed = 0
  for _, each in ipairs(audit.days) do
    failed = failed + (each.runs == each.failed and 1 or 0)
  end
  add(out, "<p>%s, %s without a successful run. Recorded since %s.</p>\n",
    count(#audit.days, "day"), count(failed, "day"), moment(audit.since))
  if #audit.days == 0 then
    return
  end
  tenant_section.add_table(out, "Runs of " .. name, "scroll short", "Runs of each day, and the "
    .. "lists of its last successful run", { { "Day" }, { "Runs", is_number = true },
    { "Failed", is_number = true }, { "Users" }, { "Requests" }, { "Adoption" }, { "Error" } },
    markup.rows(audit.days, function(each)
      return { day(each.day), number(each.runs), number(each.failed), each.users or "none",
               each.requests or "none", each.adoption or "none", text(each.kind, 40) }
    end))
end

local function add_gaps(out, audit)
  if #audit.gaps == 0 then
    return add(out, "<p>No gap in the requests is known.</p>\n")
  end
  add(out, "<p>Requests are missing:</p>\n<ul>\n")
  for _, gap in ipairs(audit.gaps) do
    add(out, "<li>from %s to %s: %s</li>\n", moment(gap.from), moment(gap.to), gap.is_cut
      and "there were more than the service returns" or "no run was in time")
  end
  add(out, "</ul>\n")
end

-- The requests that prove a finding, one a line.
local function proofs_of(finding)
  local lines = {}
  for i, proof in ipairs(finding.proofs) do
    lines[i] = ("%s %s MFA, %s%s"):format(moment(proof.at), proof.mfa and "with" or "without",
      text(proof.application, NAME),
      proof.request and ": <code>" .. text(proof.request, 40) .. "</code>" or "")
  end
  return #lines > 0 and table.concat(lines, "<br/>") or "none"
end

local function exception_of(finding)
  local exception = finding.exception
  return exception and ("until %s%s%s"):format(text(exception.ends, 10),
    exception.who and ", as <bdi>" .. text(exception.who, NAME) .. "</bdi>" or "",
    exception.why and ": " .. text(exception.why, WHY) or "") or ""
end

local function state_of(finding)
  return finding.state .. (finding.episode > 1 and ", episode " .. number(finding.episode) or "")
    .. (finding.mfa_since and "<br/>with MFA since " .. moment(finding.mfa_since) or "")
end

-- Two times, one below the other.
local function span(from, to)
  return moment(from) .. "<br/>" .. (to and moment(to) or "")
end

local function row_of(finding)
  local id = finding.id and finding.id ~= finding.user
  return {
    "<bdi>" .. text(finding.user, NAME) .. "</bdi>"
      .. (id and "<br/><code>" .. text(finding.id, 60) .. "</code>" or ""),
    state_of(finding), span(finding.since, finding.last), span(finding.opened, finding.closed),
    exception_of(finding), proofs_of(finding),
  }
end

local COLUMNS = { { "User" }, { "State" }, { "Without MFA: first, last" }, { "Found, closed" },
                  { "Exception" }, { "Evidence: requests, with their IDs at Microsoft" } }

--- Writes the section.
-- @tparam table out array of pieces, which grows
-- @tparam string id within the page
-- @tparam table tenant see `pcapi.history.overview`
-- @tparam table facts of all: `from`, `to`, `at` and `version`
function M.add(out, id, tenant, facts)
  local name, audit = text(tenant.name, NAME), tenant.audit
  add(out, '<h3 id="%s-audit">Evidence from %s to %s</h3>\n', id, day(facts.from), day(facts.to))
  add(out, "<p>%sMade on %s by pcapi %s.</p>\n", tenant.id and "Tenant <code>"
    .. text(tenant.id, 40) .. "</code>. " or "", moment(facts.at), text(facts.version, 40))
  add_days(out, audit, name)
  add_gaps(out, audit)
  if #audit.findings == 0 then
    return add(out, "<p>No finding was open in this period.</p>\n")
  end
  tenant_section.add_table(out, "Evidence of " .. name, "scroll times",
    "Findings that were open in this period", COLUMNS, markup.rows(audit.findings, row_of))
  if audit.more_findings > 0 then
    add(out, "<p>And %s more. All of them: <code>pcapi history export --output csv</code></p>\n",
      count(audit.more_findings, "finding"))
  end
end

return M
