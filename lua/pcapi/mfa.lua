--- Whether the words of a refusal say that MFA is missing. "MFA" is also part of the names of
-- users, groups and addresses, which refusals name for other reasons: only a phrase that asks
-- for MFA counts. Pure.
-- @module pcapi.mfa
local M = {}

local LONGEST = 2048 -- bytes that are looked at

local function set(text)
  local all = {}
  for word in text:gmatch "%S+" do
    all[word] = true
  end
  return all
end

-- "require MFA", "without a valid MFA claim"
local ASKS = set [[require requires requiring requirement need needs use using pass perform complete
  satisfy provide enforce enforces enforcing without lack lacks lacking missing no not non]]
local ASKS_WITH = set "in again authenticate authenticated" -- "sign in with MFA"
-- "MFA is required", "the MFA claim was not found"
local MISSING = set [[required needed missing mandatory enforced necessary absent incomplete]]
local NOT_THERE = set [[satisfied completed performed present done passed used provided met found
  compliant included contained complete valid]]
local NOT = set "not never no isn't wasn't doesn't don't didn't without"
-- "this does not require MFA", "requires no MFA"
local NEED = set "require requires requiring requirement need needs"
local BETWEEN = set "a an the valid any your azure entra microsoft strong proper with of"
local NOUN = set [[claim claims challenge verification compliance status evidence sign-in login
  proof requirement requirements]]
local VERB = set "is are was were be been being has have must should to it"
-- What may stand behind "require MFA"; behind a name something else does.
local GOES_ON = set [[. is are was were to for before by and in on at when or as but from because
  compliant first which that this if while with has must so please]]

local CURLY = { ["\226\128\152"] = "'", ["\226\128\153"] = "'", ["\226\128\156"] = '"',
                ["\226\128\157"] = '"' }

-- Names in quotes, addresses and paths: none of their words is a word of the sentence.
local function without_names(text)
  text = text:gsub("\226\128[\152-\157]", CURLY):gsub("[%(%[{:=,]", "%0 ")
  text = text:match '^%s*"([^"]*)"%s*$' or text
  for _, quote in ipairs { "'", '"', "`" } do
    text = text:gsub("%f[%S]" .. quote .. ".-" .. quote .. "%f[^%w" .. quote .. "]", "name")
  end
  return (text:gsub("%S+", function(word)
    local is_path = word:find "[@\\]" or word:find "^/" or word:find "/.*/"
    return is_path and "name" or (word:gsub("/", " "))
  end))
end

-- The words in lower case; "." stands for the end of a clause, "mfa" for each of its names.
local function words_of(text)
  text = text:lower():gsub("%f[%w]multi[%s%-]?factor%s+auth%w*", "mfa")
    :gsub("%f[%w]two[%s%-]?factor%s+auth%w*", "mfa"):gsub("%f[%w]strong%s+authentication", "mfa")
    :gsub("%f[%w]2fa%f[%W]", "mfa"):gsub("mfa%s*%( ?mfa%s*%)", "mfa")
  local words = {}
  for word in text:gmatch "%S+" do
    local bare = word:gsub("^[%(%[{\"'<%-]+", ""):gsub("[%)%]}\"'>,.;:!?%-]+$", "")
    if bare ~= "" then
      words[#words + 1] = bare
    end
    if word:find "[.;:!?,%)]$" or bare == "" then
      words[#words + 1] = "."
    end
  end
  words[#words + 1] = "."
  return words
end

local function skip(words, at, step, among)
  while among[words[at]] do
    at = at + step
  end
  return at
end

-- Whether what stands before MFA asks for it: "this call requires MFA to …".
local function is_asked_before(words, at)
  local after = words[skip(words, at + 1, 1, NOUN)]
  local before = skip(words, at - 1, -1, BETWEEN)
  local word = words[before]
  if not GOES_ON[after] or not word then
    return false
  elseif words[before + 1] == "with" and ASKS_WITH[word] then
    return true
  end
  local earlier = words[before - 1] or ""
  local is_denied = NEED[word] and NOT[earlier] or NOT[word] and NEED[earlier]
  return ASKS[word] ~= nil and not is_denied
end

-- Whether what stands behind it does: "MFA is required", "the MFA claim was not found".
local function is_asked_behind(words, at)
  local behind = skip(words, skip(words, at + 1, 1, NOUN), 1, VERB)
  if NOT[words[behind] or ""] then
    return NOT_THERE[words[skip(words, behind + 1, 1, VERB)] or ""] ~= nil
  end
  return MISSING[words[behind] or ""] ~= nil
end

--- Whether a text asks for MFA.
-- @tparam string text such as the reason phrase or the message of a refusal
-- @treturn boolean
function M.is_asked_for(text)
  local words = words_of(without_names(text:sub(1, LONGEST)))
  for at, word in ipairs(words) do
    if word == "mfa" and (is_asked_before(words, at) or is_asked_behind(words, at)) then
      return true
    end
  end
  return false
end

return M
