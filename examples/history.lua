-- history.lua: prints what changed since its last run: which users are new, healing, fixed or gone.
--
--     PCAPI_TOKEN=TOKEN lua5.4 examples/history.lua FILE
--
-- FILE is the history; its folder must be private (chmod 700). The tenant is that of the token.
local claims = require "pcapi.auth.claims"
local pcapi = require "pcapi"

local security = assert(pcapi.new()).security
local history = assert(require("pcapi.history").open(arg[1]))

-- The users come first: a request that follows is then no evidence against a repair.
local users, users_error = security:non_mfa_principals()
local requests, requests_error = security:partner_requests()
local adoption, adoption_error = security:application_mfa_adoption_status()

local run = assert(history:observe {
  tenant = claims.read(os.getenv "PCAPI_TOKEN").tenant_id,
  users = users, users_error = users_error, requests = requests, requests_error = requests_error,
  adoption = adoption, adoption_error = adoption_error,
})
if users_error then
  io.stderr:write(tostring(users_error), "\n")
end

local function print_event(event, remark)
  if event.kind == "baseline" then
    print(("%d users without MFA%s"):format(event.count, remark))
  else
    local user = assert(history:explain(event.person.id))[1]
    print(event.kind .. remark, event.person.upn, user.step)
  end
end

assert(history:changes {
  write = function(plans)
    for _, plan in ipairs(plans) do
      for _, event in ipairs(plan.repeated) do
        print_event(event, " (may have been printed before)")
      end
      for _, event in ipairs(plan.fresh) do
        print_event(event, "")
      end
    end
    return io.stdout:flush()
  end,
})
history:close()
os.exit(run.failure and 1 or 0)
