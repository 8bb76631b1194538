--- Mail, by the sendmail of this machine: a whole message (RFC 5322), as text and as HTML. Pure
-- ASCII, in lines of 76 characters at most, so that no server has to change it.
-- @module pcapi.notify.channels.mail
local channel_settings = require "pcapi.notify.channel_settings"
local core = require "pcapi.core"
local errors = require "pcapi.error"
local report_mail = require "pcapi.report.mail"
local words = require "pcapi.notify.words"

local M = {}

local LONGEST_LINE = 76 -- characters (RFC 2045 §6.7)
local LONGEST_WORD = 75 -- characters of an encoded word (RFC 2047 §2)
local MOST_ROWS = 100
local LONGEST_ADDRESS = 254
local SUBJECT = "Subject: "

local function is_address(text)
  return #text <= LONGEST_ADDRESS and text:find "^[%w.!#$%%&'*+/=?^_`{|}~-]+@[%w.-]+$" ~= nil
    and not text:find "^%-"
end

local function address_of(text)
  if is_address(text) then
    return text
  end
  return nil, ("must be an address such as mfa@example.com, not %q"):format(text)
end

local function addresses_of(text)
  local all = {}
  for each in text:gmatch "[^%s,;]+" do
    if not is_address(each) then
      return nil, ("must be addresses, separated by commas, not %q"):format(text)
    end
    all[#all + 1] = each
  end
  if #all == 0 then
    return nil, "must hold an address"
  end
  return all
end

--- The settings of a channel of this type.
M.settings = {
  { name = "to", is_required = true, check = addresses_of,
    about = "Addresses of the recipients, separated by commas" },
  { name = "from", is_required = true, check = address_of, about = "Address of the sender" },
  { name = "sendmail", default = "/usr/sbin/sendmail", is_path = true,
    about = "Program that sends mail (default: /usr/sbin/sendmail)",
    check = function(text)
      if text:find "^/" and not text:find "%c" then
        return text
      end
      return nil, "must be an absolute path"
    end },
  channel_settings.link,
}

--- What a success does not prove, and where to look.
M.proof = "sendmail takes a message before it sends it. If it does not arrive, look at the queue "
  .. "(mailq) and the log of the mail system"

local MONTHS = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov",
                 "Dec" }
local DAYS = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" }

-- Sat, 28 Nov 2026 06:00:04 +0000 (RFC 5322 §3.3), in no locale.
local function date_of(at)
  local t = os.date("!*t", at)
  return ("%s, %d %s %04d %02d:%02d:%02d +0000"):format(DAYS[t.wday], t.day, MONTHS[t.month],
    t.year, t.hour, t.min, t.sec)
end

local function encoded_word(bytes)
  return "=?UTF-8?B?" .. core.base64(bytes) .. "?="
end

-- Breaks a line at a blank, if it is too long with the name of its header.
local function folded(text)
  local at = #text + #SUBJECT > LONGEST_LINE
    and text:sub(1, LONGEST_LINE - #SUBJECT):match "^.*%S() +%S"
  return at and text:sub(1, at - 1) .. "\n" .. text:sub(at) or text
end

-- Words with other characters than printable ASCII, or that look encoded, are encoded (RFC 2047);
-- no character is divided.
local function unstructured(text)
  if not text:find "[^\32-\126]" and not text:find("=?", 1, true) then
    return folded(text)
  end
  local found, part = {}, ""
  for char in text:gmatch "[^\128-\191][\128-\191]*" do
    if #encoded_word(part .. char) > LONGEST_WORD - #SUBJECT then
      found[#found + 1], part = encoded_word(part), ""
    end
    part = part .. char
  end
  found[#found + 1] = encoded_word(part)
  return table.concat(found, "\n ")
end

-- Addresses, as many in a line as there is room.
local function address_list(name, all)
  local lines, line = {}, name .. ": " .. all[1]
  for i = 2, #all do
    line = line .. ","
    if #line + 1 + #all[i] > LONGEST_LINE then
      lines[#lines + 1], line = line, ""
    end
    line = line .. " " .. all[i]
  end
  lines[#lines + 1] = line
  return table.concat(lines, "\n")
end

local function quoted(char)
  return ("=%02X"):format(char:byte())
end

-- A line of quoted-printable (RFC 2045 §6.7), with soft line breaks. A dot and "From " in front are
-- encoded, since some programs change them.
local function quote_line(line)
  line = line:gsub("[^\32-\60\62-\126]", quoted):gsub("[ \t]$", quoted)
    :gsub("^%.", quoted):gsub("^F(rom )", "=46%1")
  local lines = {}
  while #line > LONGEST_LINE do
    local escape = line:sub(LONGEST_LINE - 2, LONGEST_LINE - 1):find("=", 1, true)
    local last = LONGEST_LINE - 1 - (escape and 3 - escape or 0) -- not within =XX
    lines[#lines + 1], line = line:sub(1, last) .. "=", line:sub(last + 1)
  end
  lines[#lines + 1] = line
  return table.concat(lines, "\n")
end

local function quoted_printable(text)
  return (text:gsub("[^\n]*", quote_line))
end

-- The HTML part.
local function html_of(digest, settings)
  return report_mail.html(digest, words, { rows = MOST_ROWS, link = settings.link })
end

local function part(boundary, kind, text)
  return ("\n--%s\nContent-Type: %s; charset=utf-8\n"):format(boundary, kind)
    .. "Content-Transfer-Encoding: quoted-printable\n\n" .. quoted_printable(text)
end

local function headers_of(digest, settings, boundary)
  local domain = settings.from:match "@(.*)$"
  local lines = {
    address_list("From", { settings.from }), address_list("To", settings.to),
    SUBJECT .. unstructured(words.title(digest)), "Date: " .. date_of(digest.at),
    ("Message-ID: <%s@%s>"):format(digest.id, domain),
  }
  if digest.thread and digest.thread ~= digest.id then
    local first = ("<%s@%s>"):format(digest.thread, domain)
    lines[#lines + 1] = "In-Reply-To: " .. first
    lines[#lines + 1] = "References: " .. first
  end
  for _, line in ipairs {
    "Auto-Submitted: auto-generated", "X-Pcapi-Dedup: " .. digest.id, "X-Pcapi-Kind: "
    .. digest.kind, "MIME-Version: 1.0",
    ('Content-Type: multipart/alternative;\n boundary="%s"'):format(boundary),
  } do
    lines[#lines + 1] = line
  end
  return table.concat(lines, "\n")
end

--- Makes the message of a digest.
-- @tparam table digest
-- @tparam table settings values by name
-- @treturn table array of one message, whose body is a whole mail
function M.messages(digest, settings)
  -- "=_" is in no text that is quoted-printable (RFC 2045 §6.7)
  local boundary = "=_pcapi_" .. digest.id:sub(1, 40)
  return { { id = digest.id, body = headers_of(digest, settings, boundary) .. "\n"
    .. part(boundary, "text/plain", words.text(digest, MOST_ROWS, settings.link))
    .. part(boundary, "text/html", html_of(digest, settings)) .. "\n--" .. boundary .. "--\n" } }
end

-- Exit statuses of sendmail (sysexits.h) that another try does not mend, and those of the shell.
local CONFIG = { [64] = true, [67] = true, [77] = true, [78] = true, [126] = true, [127] = true }
local DATA = 65

--- Gives a message to sendmail.
-- @tparam table message
-- @tparam table settings values by name
-- @tparam table context `run`: function that runs a program; takes an array (program and
-- arguments) and its standard input, and returns its exit status and what it wrote
-- @treturn[1] boolean true: sendmail has taken it, see @{proof}
-- @treturn[2] nil
-- @treturn[2] pcapi.error with `is_final` if the message itself was refused
function M.deliver(message, settings, context)
  local program = settings.sendmail or "/usr/sbin/sendmail"
  local status, output = context.run({ program, "-t", "-oi" }, message.body)
  if status == 0 then
    return true
  end
  output = (output or ""):match "^%s*(.-)%s*$"
  return errors.fail {
    kind = CONFIG[status] and "config" or status == DATA and "bad_request" or "server",
    message = ("%s ended with status %s%s"):format(program, tostring(status),
      output ~= "" and ": " .. output:gsub("%s+", " ") or ""),
    hint = status == 127 and "Install a sendmail such as msmtp-mta, or set the path of yours"
      or nil,
    is_final = status == DATA or nil,
  }
end

return M
