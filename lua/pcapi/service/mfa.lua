--- Finds out by the words of a refusal whether it asks for MFA. "MFA" is also part of names of
-- users, groups and addresses, which refusals show for other reasons. So only a phrase that asks
-- for MFA counts, such as "MFA required" or "without MFA". Pure.
-- @module pcapi.service.mfa
local M = {}

local LONGEST = 2048 -- bytes of a text that are read

local function set(text)
  local all = {}
  for word in text:gmatch "%S+" do
    all[word] = true
  end
  return all
end

-- Words that are skipped, so that a phrase is two words: "MFA [claim was] not found".
local FILLER = set [[a an the valid any your azure entra microsoft proper with of it claim claims
  challenge check verification compliance status evidence sign-in login proof requirement
  requirements is are was were be been being has have]]
-- "requires MFA", "without MFA", "sign in [with] MFA"
local NEEDS = set "require requires requiring need needs"
local ASKS = set [[require requires requiring need needs use using pass perform complete satisfy
  provide enforce enforces enforcing without lack lacks lacking missing no not non in again
  authenticate authenticated]]
-- "MFA required"; "MFA not found", "not completed MFA"
local MISSING = set [[required needed missing mandatory enforced necessary absent incomplete
  failed]]
local DONE = set [[satisfied completed performed present done passed used provided met found
  compliant included include contained contain complete valid]]
local NOT = set "not never no isn't wasn't doesn't don't didn't without"
-- Words after "require MFA" and "without MFA". After a name, other words follow.
local GOES_ON = set [[. to for before by and in on at when or as but from because compliant first
  which that this if while must so please blocked rejected refused denied]]
-- Words after "MFA required" in a name: "MFA Required Users"
local NAMED = set [[group groups user users policy policies role roles app apps application
  applications portal site report reports list service services account accounts team teams admin
  admins administrators]]

-- Replaces names in quotes, addresses and paths: their words do not belong to the sentence.
local function without_names(text)
  text = text:gsub("\226\128[\152\153]", "'"):gsub("\226\128[\156\157]", '"')
    :gsub("[%(%[{:=,]", "%0 ")
  text = text:match '^%s*"([^"]*)"%s*$' or text
  for quote in ("'\"`"):gmatch "." do
    text = text:gsub("%f[%S]" .. quote .. ".-" .. quote .. "%f[^%w" .. quote .. "]", "name")
  end
  return (text:gsub("%S+", function(word)
    local is_name = word:find "[@\\]" or word:find "^/" or word:find "/.*/"
    return is_name and "name" or (word:gsub("/", " "))
  end))
end

-- The words in lower case, without fillers. "." stands for the end of a clause, "mfa" for all
-- names of MFA.
local function words_of(text)
  text = text:lower():gsub("%f[%w]multi[%s%-]?factor%s+auth%w*", "mfa")
    :gsub("%f[%w]two[%s%-]?factor%s+auth%w*", "mfa"):gsub("%f[%w]strong%s+authentication", "mfa")
    :gsub("%f[%w]2fa%f[%W]", "mfa"):gsub("mfa%s*%( ?mfa%s*%)", "mfa")
    :gsub("%f[%S]mfa%-compliant", "mfa compliant")
  local words = { ".", "." }
  for word in text:gmatch "%S+" do
    local bare = word:gsub("^[%(%[{\"'<%-]+", ""):gsub("[%)%]}\"'>,.;:!?%-]+$", "")
    words[#words + 1] = bare ~= "" and not FILLER[bare] and bare or nil
    words[#words + 1] = (bare == "" or word:find "[.;:!?,%)]$") and "." or nil
  end
  words[#words + 1], words[#words + 2] = ".", "."
  return words
end

-- Whether a text asks for MFA, by the two words on each side of it.
local function is_asked(earlier, before, after, later)
  local is_denied = NEEDS[before] and NOT[earlier] or NOT[before] and NEEDS[earlier]
  local asks = ASKS[before] and not is_denied or DONE[before] and NOT[earlier]
  local goes_on = GOES_ON[after] or after == "not" and before == "without" -- … is not allowed
  return asks and goes_on or MISSING[after] and not NAMED[later] or NOT[after] and DONE[later]
end

--- Whether a text asks for MFA.
-- @tparam string text the reason phrase or the message of a refusal
-- @treturn boolean
function M.is_asked_for(text)
  local words = words_of(without_names(text:sub(1, LONGEST)))
  for at, word in ipairs(words) do
    if word == "mfa" and is_asked(words[at - 2], words[at - 1], words[at + 1], words[at + 2]) then
      return true
    end
  end
  return false
end

return M
