--- README.md and docs/ as a whole: their links lead somewhere, and the headings answer what
-- newcomers ask.
local files = require "spec.support.files"
local markdown = require "spec.support.markdown"

local DOCUMENTS = files.lines_of "ls README.md CHANGELOG.md docs/*.md */README.md */*/README.md"

local function anchors_of(path)
  local anchors = {}
  for _, heading in ipairs(markdown.headings(path)) do
    anchors[markdown.anchor(heading)] = true
  end
  return anchors
end

describe("a document", function()
  for _, path in ipairs(DOCUMENTS) do
    it(path .. " has links to files and headings that exist", function()
      local folder = path:match "^(.*/)" or ""
      for _, link in ipairs(markdown.links(path)) do
        if not link:find "^https?://" then
          local target, anchor = link:match "^([^#]*)#?(.*)$"
          local file = target == "" and path or folder .. target
          assert.equal("", table.concat(files.lines_of("ls -d " .. file .. " >/dev/null 2>&1 || "
            .. "echo missing")), link)
          assert.is_true(anchor == "" or anchors_of(file)[anchor] or false, link)
        end
      end
    end)

    it(path .. " has no two headings with the same anchor", function()
      local seen = {}
      for _, heading in ipairs(path == "CHANGELOG.md" and {} or markdown.headings(path)) do
        local anchor = markdown.anchor(heading)
        assert.is_nil(seen[anchor], anchor)
        seen[anchor] = true
      end
    end)
  end

  it("README.md has at most 150 lines", function()
    assert.is_true(#files.lines_of "cat README.md" <= 150)
  end)
end)

-- A newcomer's question, the words that he looks for, and the heading that must be found.
local QUESTIONS = {
  { "How do I run it in CI?", "run it in CI", "Run it in CI: GitHub Actions" },
  { "How do I run it in GitLab?", "gitlab", "Run it in CI: GitLab" },
  { "Which permission does the application need?", "which permission",
    "Which permission the application needs" },
  { "Which role does the user need?", "which role", "403: which role the user needs" },
  { "Why does 53003 come, and what helps?", "53003",
    "AADSTS53003: Conditional Access blocks the sign-in" },
  { "How do I get CSV for Excel?", "csv for excel", "CSV for Excel" },
  { "How long does a sign-in last?", "90 days", "How long a sign-in lives: 90 days" },
  { "How do I run it every morning by cron?", "cron", "cron" },
  { "How do I run it by systemd?", "systemd timer", "systemd timer" },
  { "Does it run in a read-only container?", "read-only container", "Read-only container" },
  { "Does it run on Windows?", "windows", "Windows" },
  { "What do I do behind a proxy that decrypts TLS?", "decrypts tls",
    "Unknown CA: a proxy decrypts TLS" },
  { "How do I query many tenants at once?", "many tenants", "Many tenants" },
  { "What do the exit statuses mean?", "exit status", "Exit status" },
  { "Where do I find the tenant and the client ID?", "client id",
    "Where to find the tenant and the client ID" },
  { "Where is the token stored?", "stored sign-in", "Where the stored sign-in is" },
  { "How do I sign in over ssh, without a browser?", "without a browser",
    "Sign in over ssh, without a browser" },
  { "How do I sign out?", "sign out", "Sign out" },
  { "How do I enable API access in Partner Center?", "api access",
    "Enable API access in Partner Center" },
  { "How do I get a mail only if somebody signed in without MFA?", "mail only if",
    "Get a mail only if somebody signed in without MFA" },
  { "Why is the list empty?", "list is empty", "The list is empty, or too short" },
  { "What does 429 mean?", "429", "429: throttled, too many requests" },
  { "Why is a user refused who passes MFA?", "900421", "900421: MFA is required" },
  { "How do I get a token for curl?", "token for other tools", "A token for other tools" },
  { "What does the JSON look like?", "json", "JSON" },
}

describe("grep in docs/ finds a heading that answers the question", function()
  for _, question in ipairs(QUESTIONS) do
    local text, words, heading = question[1], question[2], question[3]
    it(text, function()
      local found = false
      for _, line in ipairs(files.lines_of(("grep -rin '%s' docs --include=*.md"):format(words))) do
        found = found or line:match "^[^:]+:%d+:#+ (.+)$" == heading
      end
      assert.is_true(found, heading)
    end)
  end

  it("at least twenty times", function()
    assert.is_true(#QUESTIONS >= 20)
  end)
end)
