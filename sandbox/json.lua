--- Writes JSON as the service does: compact, with fields in the documented order.
-- Text is copied unchanged, even if it is not valid UTF-8.
local M = {}

--- Represents null.
M.null = {}

local SHORT = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

local function escape(char)
  return SHORT[char] or string.format("\\u%04x", char:byte())
end

--- Wraps JSON text, so that it can be a value in an object.
function M.raw(text)
  return { text = text }
end

function M.value(value, scalars)
  local kind = type(value)
  if kind == "string" then
    return '"' .. value:gsub('[%z\1-\31"\\]', escape) .. '"'
  elseif value == M.null then
    return "null"
  elseif kind == "table" then
    return value.text
  end
  local text = kind == "number" and string.format("%.14g", value) or tostring(value)
  return scalars == "strings" and '"' .. text .. '"' or text
end

--- Writes an object.
-- @tparam table fields name, value, name, value…
-- @tparam table settings only `casing` and `scalars` are used
function M.object(fields, settings)
  local out = {}
  for at = 1, #fields, 2 do
    local name = fields[at]
    if settings.casing == "pascal" then
      name = name:gsub("^%l", string.upper)
    end
    out[#out + 1] = '"' .. name .. '":' .. M.value(fields[at + 1], settings.scalars)
  end
  return "{" .. table.concat(out, ",") .. "}"
end

--- Writes an array of JSON texts.
function M.array(values)
  return "[" .. table.concat(values, ",") .. "]"
end

-- Returns the position of the quote that ends the string which begins at `from`.
local function string_end(text, from)
  local at = from
  repeat
    at = text:find('[\\"]', at + 1)
    local escaped = text:sub(at, at) == "\\"
    at = escaped and at + 1 or at
  until not escaped
  return at
end

--- Indents compact JSON.
function M.pretty(text)
  local out, depth, at = {}, 0, 1
  while at <= #text do
    local first = text:find('["{}%[%],:]', at) or #text + 1
    local char = text:sub(first, first)
    out[#out + 1] = text:sub(at, first - 1)
    at = first + 1
    if char == '"' then
      at = string_end(text, first) + 1
      char = text:sub(first, at - 1)
    elseif char == "{" or char == "[" then
      depth = depth + 1
      char = char .. "\r\n" .. ("  "):rep(depth)
    elseif char == "}" or char == "]" then
      depth = depth - 1
      char = "\r\n" .. ("  "):rep(depth) .. char
    elseif char == "," then
      char = ",\r\n" .. ("  "):rep(depth)
    elseif char == ":" then
      char = ": "
    end
    out[#out + 1] = char
  end
  return table.concat(out)
end

return M
