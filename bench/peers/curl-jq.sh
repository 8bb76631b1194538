#!/bin/sh
# curl-jq.sh FORMAT: writes the requests, the newest first, as csv, jsonl, json or table, by curl and
# jq. Without arguments it prints their versions.
set -eu

if [ $# = 0 ]; then
  echo "$(curl --version | head -n 1 | cut -d' ' -f1-2), $(jq --version)"
  exit
fi

LIST='.items | sort_by(.requestDateTime) | reverse | .[]'
OBJECT='{requestDateTime, upn, mfaCompliant, operationName, ipAddress, applicationId, objectId,
  tenantId, requestId, correlationId}'
NAMES='["requestDateTime", "upn", "mfaCompliant", "operationName", "ipAddress", "applicationId",
  "objectId", "tenantId", "requestId", "correlationId"]'
CELLS='[.requestDateTime, .upn, .mfaCompliant, .operationName, .ipAddress, .applicationId,
  .objectId, .tenantId, .requestId, .correlationId]'
TITLES='["TIME (UTC)", "USER", "MFA", "OPERATION", "ADDRESS", "APPLICATION ID"]'
SHOWN='[(.requestDateTime | .[:10] + " " + .[11:19]), .upn, (if .mfaCompliant then "yes" else "no" end),
  .operationName, .ipAddress, .applicationId]'

requests() {
  curl --silent --show-error --fail ${PCAPI_CA_FILE:+--cacert "$PCAPI_CA_FILE"} \
    --header 'Accept: application/json' --header "Authorization: Bearer $PCAPI_TOKEN" \
    "$PCAPI_BASE_URL/v1/partnerRequests"
}

case $1 in
csv) requests | jq --raw-output "$NAMES, ($LIST | $CELLS) | @csv" ;;
jsonl) requests | jq --compact-output "$LIST | $OBJECT" ;;
json) requests | jq --compact-output "[$LIST | $OBJECT]" ;;
table) requests | jq --raw-output "$TITLES, ($LIST | $SHOWN) | @tsv" | column -t -s "$(printf '\t')" ;;
esac
