"""python-requests.py AT_ONCE COUNT 1.1 SETTINGS, with requests; at once by threads.

Without arguments it prints its version."""
import os
import resource
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import requests
from requests.adapters import HTTPAdapter

import decoder

if len(sys.argv) == 1:
    print(requests.__version__, "with", decoder.NAME, "by Python", sys.version.split()[0])
    sys.exit()

at_once, count, settings = int(sys.argv[1]), int(sys.argv[2]), sys.argv[4]
URL = os.environ["PCAPI_BASE_URL"] + "/v1/nonMfaCompliantPartnerPrincipals"

session = requests.Session()
VERIFY = os.environ.get("PCAPI_CA_FILE", True)
session.mount("https://", HTTPAdapter(pool_connections=1, pool_maxsize=at_once))
session.headers.update({
    "Accept": "application/json",
    "Authorization": "Bearer " + os.environ["PCAPI_TOKEN"],
    "X-Sandbox": settings,
})


def get(_):
    response = session.get(URL, verify=VERIFY)  # the session's own yields to the environment
    response.raise_for_status()
    assert decoder.loads(response.content)["items"]


def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if at_once == 1:
    for i in range(count):
        get(i)
else:
    with ThreadPoolExecutor(at_once) as pool:
        list(pool.map(get, range(count)))
        wall_before, cpu_before = time.monotonic(), cpu()
        list(pool.map(get, range(count)))
        print(time.monotonic() - wall_before, cpu() - cpu_before)
