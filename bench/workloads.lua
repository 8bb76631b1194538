--- Lists the workloads W1 to W8: the requests, their number, and the figures to show.
--
-- at_once: requests in flight. With 1, the whole process is measured. With more, each program sends
-- all requests once unmeasured, then measures itself while it sends them again ("warm").
-- few: number of calls of a slow program, instead of count; figures are per call.
-- ours: without peers. show: figures (wall or cpu), their unit, and how many units a second has.
-- refused: the client must refuse the server's certificate.
-- rows: the format of the rows that the programs of row_programs.lua write.
-- tenants: number of tenants whose requests the command writes. rounds: number of measured rounds,
-- in place of RUNS. long: left out with ONLY.
local SMALL = "records=1; encoding=none"
local LARGE = "records=10000; encoding=none; spelling="

local CPU_US = { what = "cpu", unit = "µs per call", per_second = 1e6 }
local CPU_MS = { what = "cpu", unit = "ms per call", per_second = 1e3 }
local CPU_MS_IN_ALL = { what = "cpu", unit = "ms", per_second = 1e3, in_all = true }
local WALL_MS_IN_ALL = { what = "wall", unit = "ms", per_second = 1e3, in_all = true }
local CPU_US_OF_ROWS = { what = "cpu", unit = "µs per row", per_second = 1e6 }
local PER_CORE = { what = "rate", unit = "requests per second and core" }

return {
  { id = "W1", title = "small GETs on one persistent connection, HTTP/1.1",
    at_once = 1, count = 5000, version = "1.1", settings = SMALL, show = { CPU_US } },
  { id = "W1", title = "small GETs on one persistent connection, HTTP/2",
    at_once = 1, count = 5000, version = "2", settings = SMALL, show = { CPU_US } },
  { id = "W2", title = "10,000 records to tables, date field in the response: login",
    at_once = 1, count = 30, version = "1.1", settings = LARGE .. "login", show = { CPU_MS } },
  { id = "W2", title = "10,000 records to tables, date field in the response: request",
    at_once = 1, count = 30, version = "1.1", settings = LARGE .. "request", show = { CPU_MS },
    ours = true },
  { id = "W2", title = "one such response in a whole process",
    at_once = 1, count = 1, version = "1.1", settings = LARGE .. "login", show = { CPU_MS } },
  { id = "W3", title = "200,000 records (43 MB), once",
    at_once = 1, count = 1, version = "1.1", show = { CPU_MS },
    settings = "records=200000; encoding=none; spelling=login" },
  { id = "W4", title = "200 responses of 500 records, 50 ms each, 50 at a time, warm, HTTP/1.1",
    at_once = 50, count = 200, version = "1.1", show = { WALL_MS_IN_ALL, CPU_MS_IN_ALL },
    settings = "records=500; delay=0.05; encoding=none" },
  { id = "W4", title = "200 responses of 500 records, 50 ms each, 50 at a time, warm, HTTP/2",
    at_once = 50, count = 200, version = "2", show = { WALL_MS_IN_ALL, CPU_MS_IN_ALL },
    settings = "records=500; delay=0.05; encoding=none" },
  { id = "W5", title = "a whole process with one small GET, one CA",
    at_once = 1, count = 1, version = "2 or 1.1", settings = SMALL, show = { WALL_MS_IN_ALL },
    command_too = true },
  -- The sandbox's CA is not one of the system's, so programs are measured until they refuse its
  -- certificate. This includes the whole cost of the CA store.
  { id = "W5", title = "a whole process with the system's CAs, up to the refusal of an unknown one",
    at_once = 1, count = 1, version = "2 or 1.1", settings = SMALL, show = { WALL_MS_IN_ALL },
    refused = true },
  { id = "W6", title = "10,000 tasks of one small request, 200 at a time, warm, HTTP/1.1",
    at_once = 200, count = 10000, few = 1000, version = "1.1", settings = SMALL,
    show = { CPU_US, PER_CORE } },
  { id = "W6", title = "10,000 tasks of one small request, 200 at a time, warm, HTTP/2",
    at_once = 200, count = 10000, few = 1000, version = "2", settings = SMALL,
    show = { CPU_US, PER_CORE } },
  { id = "W7", title = "a whole process: 10,000 requests, the newest first, as csv", rows = "csv",
    show = { WALL_MS_IN_ALL, CPU_MS_IN_ALL } },
  { id = "W7", title = "a whole process: the same as jsonl", rows = "jsonl",
    show = { WALL_MS_IN_ALL, CPU_MS_IN_ALL } },
  { id = "W7", title = "a whole process: the same as json", rows = "json",
    show = { WALL_MS_IN_ALL, CPU_MS_IN_ALL } },
  { id = "W7", title = "a whole process: the same as a table of six columns", rows = "table",
    show = { WALL_MS_IN_ALL, CPU_MS_IN_ALL } },
  { id = "W8", title = "the command: 10,000 requests of each of 10 tenants, as jsonl",
    tenants = 10, show = { CPU_US_OF_ROWS } },
  { id = "W8", title = "the command: the same of 100 tenants", tenants = 100, rounds = 1,
    show = { CPU_US_OF_ROWS } },
  { id = "W8", title = "the command: the same of 100 tenants, with --since 24h", tenants = 100,
    rounds = 1, since = "24h", show = { CPU_US_OF_ROWS } },
  { id = "W8", title = "the command: the same of 1,000 tenants", tenants = 1000, rounds = 1,
    long = true, show = { CPU_US_OF_ROWS } },
}
