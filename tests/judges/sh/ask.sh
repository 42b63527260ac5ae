# Sourced by the scripts beside it: requests as the documentation writes them for curl, every answer printed as a member
# of one JSON object, and the person at the widget.

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
separator='{'
json='Content-Type: application/json'

ask() { # ask NAME METHOD PATH [WORD...]: request, and leave the answer in $body
  name=$1 method=$2 path=$3
  shift 3
  : >"$tmp/body"
  status=$(curl -q -sS -X "$method" -H "Authorization: $authorization" "$@" \
    -D "$tmp/head" -o "$tmp/body" -w '%{http_code}' "$JUDGE_URL$path")
  body=$(cat "$tmp/body")
  total=$(header x-total-count) wait=$(header retry-after)
  printf '%s"%s":{"status":%s,"total":%s,"retry_after":%s,"body":%s}' \
    "$separator" "$name" "$status" "${total:-null}" "${wait:-null}" "${body:-null}"
  separator=,
}

header() { # header NAME: its value in the last answer
  tr -d '\r' <"$tmp/head" | grep -i "^$1: " | cut -d ' ' -f 2-
}

next_page() { # the path that the last answer's Link header calls next
  header link | tr ',' '\n' | sed -n "s|^ *<$JUDGE_URL\(.*\)>; rel=\"next\"$|\1|p"
}

field() { # field NAME: the first text of that name in the last answer
  printf '%s' "$body" | grep -o "\"$1\": *\"[^\"]*\"" | head -n 1 | cut -d '"' -f 4
}

behind_the_scenes() { # behind_the_scenes PATH [WORD...]: let time pass, or be the person; a page or JSON comes back
  path=$1
  shift
  curl -q -sS --fail-with-body "$@" "$JUDGE_URL/__emulator/$path"
}

advance() { # advance SECONDS
  behind_the_scenes clock/advance -d "{\"seconds\": $1}" >"$tmp/advanced"
}

connect() { # connect WIDGET_TOKEN INSTITUTION USERNAME: log in at the widget; prints the exchange token
  behind_the_scenes widget/connect --data-urlencode "token=$1" -d "institution=$2" -d "username=$3" -d password=jonsnow |
    sed -n 's/.*id="exchange-token"[^>]*value="\([^"]*\)".*/\1/p'
}
