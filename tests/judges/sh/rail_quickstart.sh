# Rail's quickstart and its guide to codes with curl, step by step: https://docs.rail.cl/quickstart and
# https://docs.rail.cl/guides/mfa-handling. Rail has no SDK.

. "${0%/*}/ask.sh"
authorization="Bearer $JUDGE_KEY"

until_it_stops() { # until_it_stops NAME INTENT_ID: poll every 5 s until it has ended, or wants a code
  turns=0
  while
    advance 5
    ask "$1" GET "/v1/refresh_intents/$2"
    case $(field status) in succeeded | failed | requires_mfa) false ;; esac
  do
    turns=$((turns + 1))
    [ "$turns" -lt 100 ] || exit 1
  done
}

refresh() { # refresh NAME LINK_ID KEY
  ask "$1" POST /v1/refresh_intents -H "$json" -H "Idempotency-Key: $3" -d "{\"link_id\": \"$2\", \"refresh_type\": \"full\"}"
}

# 1. A token for the widget, in the quickstart's words and in the reference's; the person connects a bank.
ask widget_token POST /v1/widget_tokens -H "$json" -d '{"bank_id": "banco_estado"}'
exchange_token=$(connect "$(field id)" banco_estado 11111111-1)
ask reference_token POST /v1/widget_tokens -H "$json" \
  -d '{"institution_id": "santander", "holder_type": "individual", "external_user_id": "u1"}'
code_token=$(connect "$(field id)" santander mfa)

# 2. The exchange token becomes a link.
ask exchange POST "/v1/exchange_tokens/$exchange_token"
link_id=$(field link_id)
ask exchange_unknown POST /v1/exchange_tokens/et_none
ask code_exchange POST "/v1/exchange_tokens/$code_token"
code_link=$(field link_id)

# 3. Links, accounts and movements, pages of 30 until one is not full.
ask links GET /v1/links
ask accounts GET "/v1/accounts?link_id=$link_id"
account_id=$(field id)
ask account GET "/v1/accounts/$account_id"
page=1
while
  ask "movements_$page" GET "/v1/accounts/$account_id/movements?page=$page&confirmed_only=false"
  [ "$(printf '%s' "$body" | grep -o '"mov_' | wc -l)" -eq 30 ]
do page=$((page + 1)); done

# 4. A webhook endpoint: the secret is in this answer.
ask endpoint POST /v1/webhook_endpoints -H "$json" -d "{\"url\": \"$JUDGE_RECEIVER/hook\", \"enabled_events\": [\"*\"]}"

# 5. A refresh; the same key makes no second one.
refresh refresh "$link_id" once
intent_id=$(field id)
refresh refresh_again "$link_id" once
until_it_stops refreshed "$intent_id"

# 6. One that wants a code: right, and then another that is canceled.
refresh code_refresh "$code_link" twice
code_id=$(field id)
until_it_stops code_wanted "$code_id"
behind_the_scenes widget/code --data-urlencode "token=$(field widget_token)" -d code=123456 >"$tmp/widget"
while
  advance 5
  ask code_end GET "/v1/refresh_intents/$code_id"
  [ "$(field status)" = requires_mfa ]
do :; done
refresh cancel_refresh "$code_link" thrice
cancel_id=$(field id)
until_it_stops cancel_wanted "$cancel_id"
ask canceled DELETE "/v1/refresh_intents/$cancel_id"

# 7. The link goes, its accounts with it.
ask gone DELETE "/v1/links/$link_id"
ask after GET "/v1/accounts/$account_id"

# 8. What the reference has besides: a link of raw credentials, and keys, of which a rotated one still works for a while.
ask raw_link POST /v1/links -H "$json" \
  -d '{"bank_id": "bice", "credentials": {"rut": "11111111-1", "password": "jonsnow"}, "external_user_id": "u2"}'
ask issued POST /v1/api_keys -H "$json" -d '{"type": "secret", "mode": "test"}'
old_key=$(field key)
ask rotated POST "/v1/api_keys/$(field id)/rotate" -H "$json" -d '{"grace_hours": 1}'
authorization="Bearer $(field key)"
ask new_key GET /v1/links
authorization="Bearer $old_key"
ask old_key GET /v1/links
advance 3601
ask expired_key GET /v1/links
authorization="Bearer $JUDGE_KEY"

# What the API says to a client that is not let in, or lost.
ask unknown_link POST /v1/refresh_intents -H "$json" -d '{"link_id": "link_none"}'
ask no_json POST /v1/refresh_intents -H "$json" -d '{'
ask lost GET /v1/nowhere
curl -q -sS -H "Authorization: $authorization" -o "$tmp/body" "$JUDGE_URL/v1/links?request=[1-100]"
ask too_many GET /v1/links
advance 60
ask later GET /v1/links
authorization="Bearer rail_sk_test_nobody"
ask wrong_key GET /v1/links
printf '}'
