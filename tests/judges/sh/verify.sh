# The verdict of openssl on every case in a folder: the signature alone, whatever the time. The last of several `v1` counts.

separator='{'
for file in "$JUDGE_CASES"/*.body; do
  case=${file%.body}
  time=$(tr ',' '\n' <"$case.signature" | sed -n 's/^ *t=//p')
  given=$(tr ',' '\n' <"$case.signature" | sed -n 's/^ *v1=//p' | tail -n 1)
  expected=$({ printf '%s.' "$time"; cat "$file"; } | openssl dgst -sha256 -hmac "$(cat "$case.secret")" | sed 's/.*= //')
  verdict='refused: no match'
  [ "$given" = "$expected" ] && verdict=accepted
  printf '%s"%s":"%s"' "$separator" "$(basename "$case")" "$verdict"
  separator=,
done
printf '}'
