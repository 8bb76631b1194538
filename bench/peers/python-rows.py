"""python-rows.py FORMAT: writes the requests, the newest first, as csv, jsonl or json, with requests
and csv.

Without arguments it prints their versions."""
import csv
import os
import sys

import requests

import decoder

FIELDS = ["requestDateTime", "upn", "mfaCompliant", "operationName", "ipAddress", "applicationId",
          "objectId", "tenantId", "requestId", "correlationId"]

if len(sys.argv) == 1:
    print(requests.__version__, "with", decoder.NAME, "by Python", sys.version.split()[0])
    sys.exit()

response = requests.get(
    os.environ["PCAPI_BASE_URL"] + "/v1/partnerRequests",
    headers={"Accept": "application/json", "Authorization": "Bearer " + os.environ["PCAPI_TOKEN"]},
    verify=os.environ.get("PCAPI_CA_FILE", True))
response.raise_for_status()
items = decoder.loads(response.content)["items"]
items.sort(key=lambda item: item.get("requestDateTime") or "", reverse=True)
rows = ({name: item.get(name) for name in FIELDS} for item in items)

if sys.argv[1] == "csv":
    writer = csv.writer(sys.stdout, lineterminator="\r\n")
    writer.writerow(FIELDS)
    writer.writerows([item.get(name) for name in FIELDS] for item in items)
elif sys.argv[1] == "jsonl":
    sys.stdout.writelines(decoder.dumps(row) + "\n" for row in rows)
else:
    sys.stdout.write(decoder.dumps(list(rows)) + "\n")
