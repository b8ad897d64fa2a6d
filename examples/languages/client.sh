#!/bin/sh
# A client of manyhands in curl and jq: client.sh URL TOKEN TASK.py INPUT...
# Submits a job of the runner "python", follows its results to the end, and prints one value a line in the order of the inputs.
set -eu
url=${1%/} token=$2 code=$3
shift 3
authorization="Authorization: Bearer $token"

body=$(jq -n --rawfile code "$code" --arg name "${code##*/}" \
  '{name: $name, runner: "python", code: $code, inputs: ($ARGS.positional | map(tonumber? // .))}' --args "$@")
job=$(curl -fsS -H "$authorization" --json "$body" "$url/v1/jobs" | jq .id)
curl -fsSN -H "$authorization" "$url/v1/jobs/$job/results?follow" |
  jq -r 'if .status == "done" then .value else "task \(.index) \(.status): \(.error.message // "")" end'
