--- Makes a message as long as its receiver allows.
-- @module pcapi.notify.fit

--- Finds the largest number of rows with which a message fits.
-- @tparam number most the largest number to try
-- @tparam function make takes a number of rows; returns a message, or nil if it is too long. With 0
-- it returns one
-- @treturn any the message
return function(most, make)
  local message = make(most)
  if message then
    return message
  end
  local low, high = 0, most -- it fits with low, and not with high
  message = make(0)
  while high - low > 1 do
    local middle = math.floor((low + high) / 2)
    local found = make(middle)
    if found then
      low, message = middle, found
    else
      high = middle
    end
  end
  return message
end
