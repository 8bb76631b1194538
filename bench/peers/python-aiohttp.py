"""python-aiohttp.py AT_ONCE COUNT 1.1 SETTINGS, with aiohttp.

Without arguments it prints its version."""
import asyncio
import os
import resource
import ssl
import sys
import time

import aiohttp

import decoder

if len(sys.argv) == 1:
    print(aiohttp.__version__, "with", decoder.NAME, "by Python", sys.version.split()[0])
    sys.exit()

at_once, count, settings = int(sys.argv[1]), int(sys.argv[2]), sys.argv[4]
URL = os.environ["PCAPI_BASE_URL"] + "/v1/nonMfaCompliantPartnerPrincipals"
HEADERS = {
    "Accept": "application/json",
    "Authorization": "Bearer " + os.environ["PCAPI_TOKEN"],
    "X-Sandbox": settings,
}


async def worker(session, numbers):
    for _ in numbers:
        async with session.get(URL) as response:
            response.raise_for_status()
            assert decoder.loads(await response.read())["items"]


async def do_all(session):
    numbers = iter(range(count))
    await asyncio.gather(*(worker(session, numbers) for _ in range(at_once)))


def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def main():
    context = ssl.create_default_context(cafile=os.environ.get("PCAPI_CA_FILE"))
    connector = aiohttp.TCPConnector(limit=at_once, ssl=context)
    async with aiohttp.ClientSession(connector=connector, headers=HEADERS) as session:
        await do_all(session)
        if at_once > 1:
            wall_before, cpu_before = time.monotonic(), cpu()
            await do_all(session)
            print(time.monotonic() - wall_before, cpu() - cpu_before)


asyncio.run(main())
