--- `pcapi history`: shows, exports and maintains the history.
-- @module pcapi.cli.commands.history
local formats = require "pcapi.format"
local history_query = require "pcapi.cli.history_query"
local history_rows = require "pcapi.cli.history_rows"
local options = require "pcapi.cli.options"

local COMMON = { "--config", "--color", "--quiet", "--help" }
local STATES = { "open", "healing", "fixed", "quiet", "lost" }

-- The states in a list of words; or nil and a message.
local function states(value)
  local is_known, found = {}, {}
  for _, state in ipairs(STATES) do
    is_known[state] = true
  end
  for word in value:gmatch "[^,%s]+" do
    if word == "all" then
      return STATES
    elseif not is_known[word] then
      return nil, ("--state must be all, or some of %s, not '%s'"):format(
        table.concat(STATES, ","), options.shown(word))
    end
    found[#found + 1] = word
  end
  if #found == 0 then
    return nil, "--state needs a state, such as open,healing"
  end
  return found
end

local function state_option(default)
  return { "--state", value = "STATES", check = states,
           about = "Only these states, separated by commas: open, healing, fixed, quiet, lost, all "
             .. "(default: " .. default .. ")",
           complete = { "open", "healing", "fixed", "quiet", "lost", "all" } }
end

local SINCE = setmetatable({ "--since", about = "Only findings whose last sign-in without MFA is "
  .. "since TIME: 24h, 7d, 2024-02-03" }, { __index = options.SINCE })

-- The number of a run; or nil and a message.
local function run_number(value)
  local number = value:find "^%d+$" and #value < 16 and tonumber(value)
  if number then
    return number
  end
  return nil, ("--after must be the number of a run, or 0, not '%s'"):format(options.shown(value))
end

local function with_evidence()
  local fields = {}
  for i, field in ipairs(history_rows.FIELDS) do
    fields[i] = field
  end
  fields[#fields + 1] = { "applications", "the evidence: each application, its addresses, and the "
    .. "operations of each, with counts and times" }
  return fields
end

local M = {
  summary = "Show, export and maintain the history",
  about = "Show, export and maintain the history that pcapi watch records. No subcommand asks the "
    .. "service, and none changes what watch reports.",
  common = COMMON,
  subcommands = {
    {
      name = "show", summary = "List the findings, the open ones by default",
      about = "List the findings of the history: users who sign in without MFA, what became of "
        .. "each, and the next step. Users with an exception are listed as excepted.",
      options = {
        { "-o", "--output", value = "FORMAT", about = "Output format", choices = formats.names(),
          default = "table" },
        state_option "open,healing", history_query.TENANT, SINCE,
      },
      common = COMMON,
      fields = history_rows.FIELDS,
      examples = {
        { "Whom to care about", "pcapi history show" },
        { "All findings of the last month, for a spreadsheet",
          "pcapi history show --state all --since 30d --output csv" },
      },
    },
    {
      name = "export", summary = "Write all findings with all facts, or rows for a database",
      about = "Write all findings, closed and earlier ones too, with all facts, exceptions and the "
        .. "evidence. The output holds personal data: names, IDs and IP addresses. With ROWS, "
        .. "write the rows that changed after a run, as CSV for PostgreSQL.",
      arguments = {
        { "rows", value = "ROWS", optional = true,
          choices = { "runs", "requests", "findings", "adoption", "collector" },
          about = "Rows for a database: runs, requests, findings, adoption; or collector, the "
            .. "ID of this history and its newest run" },
      },
      options = {
        { "-o", "--output", value = "FORMAT", choices = { "jsonl", "csv" },
          about = "Output format (default: jsonl; rows: csv)" },
        state_option "all", history_query.TENANT, SINCE,
        { "--after", value = "RUN", check = run_number,
          about = "Only rows that changed after the run of this number (default: 0, all)" },
      },
      common = COMMON,
      fields = with_evidence(),
      examples = {
        { "A line of JSON for each finding", "pcapi history export >findings.jsonl" },
        { "All findings, for an auditor", "pcapi history export --output csv >findings.csv" },

        { "All requests, for a database", "pcapi history export requests --after 0" },
      },
    },
    {
      name = "import", summary = "Take over tenants from another history",
      about = "Take over tenants from a copy of another machine's history, with findings, evidence "
        .. "and what was reported. Do it before pcapi watch asks them here for the first time.",
      arguments = {
        { "file", value = "FILE", complete = "file", check = options.filled "FILE",
          about = "The copy, made by pcapi history backup" },
      },
      options = { history_query.TENANT },
      common = COMMON,
      examples = {
        { "A tenant that moves to this machine",
          "pcapi history import host1.sqlite --tenant contoso" },
        { "All tenants of a machine that is retired", "pcapi history import host1.sqlite" },
      },
    },
    {
      name = "forget", summary = "Erase a user",
      about = "Erase a user from the history. It shows what it will erase, asks, and names what it "
        .. "cannot reach. A user whom the service still lists comes back with the next watch.",
      arguments = { history_query.USER },
      options = {
        history_query.TENANT,
        { "--export", value = "FILE", check = options.filled "--export", complete = "file",
          about = "Write what is stored of the user to FILE first, which must not exist" },
        { "--yes", about = "Erase without a question" },
      },
      common = COMMON,
      examples = {
        { "Erase a user who asks for it, and give him what was stored",
          "pcapi history forget kim@fabrikam.example --export kim.jsonl --yes" },
        { "Of one tenant alone",
          "pcapi history forget kim@fabrikam.example --tenant fabrikam --yes" },
      },
    },
    {
      name = "prune", summary = "Delete what is over",
      about = "Delete requests, findings, runs and events that are older than the settings keep_* "
        .. "allow. pcapi watch does the same for each tenant that it asks.",
      options = { { "--yes", about = "Delete without a question" } },
      common = COMMON,
      examples = {
        { "Delete what is over", "pcapi history prune" },
        { "In a script", "pcapi history prune --yes --quiet" },
      },
    },
    {
      name = "check", summary = "Look for damage, and count",
      about = "Look for damage, and show what the history holds. The status is 1 if it is damaged.",
      options = { options.json '{"facts": [ ... ]}' },
      common = COMMON,
      fields = {
        { "fact", "what was looked at" },
        { "value", "what was found" },
      },
      examples = {
        { "Before a backup", "pcapi history check" },
        { "For a program", "pcapi history check --json" },
      },
    },
    {
      name = "backup", summary = "Copy the history to a file",
      about = "Copy the history to a new file, also while pcapi watch runs. It replaces no file.",
      arguments = {
        { "file", value = "FILE", about = "The copy", complete = "file",
          check = options.filled "FILE" },
      },
      common = COMMON,
      examples = {
        { "A copy", "pcapi history backup history-copy.sqlite" },
        { "A copy of each day", "pcapi history backup history-$(date +%F).sqlite" },
      },
    },
  },
  examples = {
    { "Whom to care about", "pcapi history show" },
    { "Look for damage", "pcapi history check" },
  },
}

local RUN = {
  show = { "pcapi.cli.history_list", "show" },
  export = { "pcapi.cli.history_export", "run" },
  import = { "pcapi.cli.history_import", "run" },
  forget = { "pcapi.cli.history_forget", "run" },
  prune = { "pcapi.cli.history_upkeep", "prune" },
  check = { "pcapi.cli.history_upkeep", "check" },
  backup = { "pcapi.cli.history_upkeep", "backup" },
}

--- Runs the command.
-- @tparam table args
function M.run(args)
  local module = RUN[args.history_command]
  require(module[1])[module[2]](args)
end

return M
