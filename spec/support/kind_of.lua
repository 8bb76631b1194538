--- Returns the kind of the error that a call returned, and the error.
local assert = require "luassert"
local pcapi = require "pcapi"

return function(response, err)
  assert.is_nil(response)
  assert.is_true(pcapi.is_error(err))
  return err.kind, err
end
