--- W1 to W6 as data: what is asked, how often, and what of it is shown.
--
-- at_once: 1 for one after the other in a whole process that is measured; otherwise each
-- program does all once unmeasured, then measures itself doing it again ("warm").
-- few: how many calls a slow program does instead of count; figures are per call.
-- ours: no peers. show: figures (wall or cpu), their unit, and how many of it a second has.
-- refused: the answer is a refusal of the server's certificate.
local SMALL = "records=1; encoding=none"
local LARGE = "records=10000; encoding=none; spelling="

local CPU_US = { what = "cpu", unit = "µs per call", per_second = 1e6 }
local CPU_MS = { what = "cpu", unit = "ms per call", per_second = 1e3 }
local CPU_MS_IN_ALL = { what = "cpu", unit = "ms", per_second = 1e3, in_all = true }
local WALL_MS_IN_ALL = { what = "wall", unit = "ms", per_second = 1e3, in_all = true }
local PER_CORE = { what = "rate", unit = "requests per second and core" }

return {
  { id = "W1", title = "small GETs on one kept connection, HTTP/1.1",
    at_once = 1, count = 5000, version = "1.1", settings = SMALL, show = { CPU_US } },
  { id = "W1", title = "small GETs on one kept connection, HTTP/2",
    at_once = 1, count = 5000, version = "2", settings = SMALL, show = { CPU_US } },
  { id = "W2", title = "10,000 records to tables, date field of the wire: login",
    at_once = 1, count = 30, version = "1.1", settings = LARGE .. "login", show = { CPU_MS } },
  { id = "W2", title = "10,000 records to tables, date field of the wire: request",
    at_once = 1, count = 30, version = "1.1", settings = LARGE .. "request", show = { CPU_MS },
    ours = true },
  { id = "W2", title = "one such answer in a whole process",
    at_once = 1, count = 1, version = "1.1", settings = LARGE .. "login", show = { CPU_MS } },
  { id = "W3", title = "200,000 records (43 MB), once",
    at_once = 1, count = 1, version = "1.1", show = { CPU_MS },
    settings = "records=200000; encoding=none; spelling=login" },
  { id = "W4", title = "200 answers of 500 records, 50 ms each, 50 at a time, warm, HTTP/1.1",
    at_once = 50, count = 200, version = "1.1", show = { WALL_MS_IN_ALL, CPU_MS_IN_ALL },
    settings = "records=500; delay=0.05; encoding=none" },
  { id = "W4", title = "200 answers of 500 records, 50 ms each, 50 at a time, warm, HTTP/2",
    at_once = 50, count = 200, version = "2", show = { WALL_MS_IN_ALL, CPU_MS_IN_ALL },
    settings = "records=500; delay=0.05; encoding=none" },
  { id = "W5", title = "a whole process with one small GET, one CA",
    at_once = 1, count = 1, version = "2 or 1.1", settings = SMALL, show = { WALL_MS_IN_ALL },
    command_too = true },
  -- The system's CAs do not know the sandbox, so all are measured up to the refusal of its
  -- certificate: the whole cost of the CA store is in that.
  { id = "W5", title = "a whole process with the system's CAs, up to the refusal of an unknown one",
    at_once = 1, count = 1, version = "2 or 1.1", settings = SMALL, show = { WALL_MS_IN_ALL },
    refused = true },
  { id = "W6", title = "10,000 tasks of one small request, 200 at a time, warm, HTTP/1.1",
    at_once = 200, count = 10000, few = 1000, version = "1.1", settings = SMALL,
    show = { CPU_US, PER_CORE } },
  { id = "W6", title = "10,000 tasks of one small request, 200 at a time, warm, HTTP/2",
    at_once = 200, count = 10000, few = 1000, version = "2", settings = SMALL,
    show = { CPU_US, PER_CORE } },
}
