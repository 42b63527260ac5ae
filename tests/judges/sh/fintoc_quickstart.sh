# Fintoc's quickstart with curl, step by step: https://docs.fintoc.com/guides/movements/overview-data-aggregation/quickstart

. "${0%/*}/ask.sh"
authorization=$JUDGE_KEY

# 1. A link intent gives the widget its token, and the person connects a bank there.
ask link_intent POST /v1/link_intents -H "$json" \
  -d '{"product": "movements", "country": "cl", "holder_type": "individual"}'
exchange_token=$(connect "$(field widget_token)" cl_banco_itau 41614850-3)

# 2. The exchange alone shows the link's token, and only once.
ask exchange GET "/v1/links/exchange?exchange_token=$exchange_token"
link_token=$(field link_token) link_id=$(field id)
ask exchange_unknown GET /v1/links/exchange?exchange_token=li_none_exc_none
ask links GET /v1/links
ask link GET "/v1/links/$link_token"
ask institutions GET /v1/institutions?country=cl

# 3. Accounts and, once the first refresh is over, their movements, page by page as the Link header leads.
advance 150
ask accounts GET "/v1/accounts?link_token=$link_token"
account_id=$(field id)
ask account GET "/v1/accounts/$account_id?link_token=$link_token"
page=1 path="/v1/accounts/$account_id/movements?link_token=$link_token"
while [ -n "$path" ]; do
  ask "movements_$page" GET "$path"
  path=$(next_page) page=$((page + 1))
done
ask movement GET "/v1/accounts/$account_id/movements/$(field id)?link_token=$link_token"
ask movements_of_link GET "/v1/movements?link_token=$link_token&per_page=300"

# 4. A webhook endpoint, and an event to try it.
ask endpoint POST /v1/webhook_endpoints -H "$json" \
  -d "{\"url\": \"$JUDGE_RECEIVER/hook\", \"enabled_events\": [\"account.refresh_intent.succeeded\"]}"
endpoint_id=$(field id)
ask endpoints GET /v1/webhook_endpoints
ask endpoint_changed PATCH "/v1/webhook_endpoints/$endpoint_id" -H "$json" -d '{"name": "judge"}'
ask endpoint_read GET "/v1/webhook_endpoints/$endpoint_id"
ask tested POST "/v1/webhook_endpoints/$endpoint_id/test" -H "$json" -d '{"type": "account.refresh_intent.succeeded"}'
ask triggered POST /v1/events/trigger -H "$json" -d '{"type": "account.refresh_intent.succeeded"}'

# 5. A refresh, its parameters in the query as the reference has them; a little later it is over.
ask refresh POST "/v1/refresh_intents?link_token=$link_token&refresh_type=only_last" -H 'Idempotency-Key: once'
intent_id=$(field id)
ask refresh_again POST "/v1/refresh_intents?link_token=$link_token&refresh_type=only_last" -H 'Idempotency-Key: once'
ask refreshing GET "/v1/refresh_intents/$intent_id?link_token=$link_token"
advance 150
ask refreshed GET "/v1/refresh_intents/$intent_id?link_token=$link_token"
ask refreshes GET "/v1/refresh_intents/?link_token=$link_token"
ask forced POST "/v1/refresh_intents?link_token=$link_token&refresh_type=historical&result_status=failed"
forced_id=$(field id)
advance 150
ask forced_end GET "/v1/refresh_intents/$forced_id?link_token=$link_token"

# 6. A code from the bank: nothing starts until the person opens the widget.
ask code_intent POST /v1/link_intents -H "$json" \
  -d '{"product": "movements", "country": "cl", "holder_type": "individual"}'
ask code_link GET "/v1/links/exchange?exchange_token=$(connect "$(field widget_token)" cl_banco_bci mfa)"
code_token=$(field link_token)
ask code_refresh POST "/v1/refresh_intents?link_token=$code_token"
code_id=$(field id)
behind_the_scenes widget/code --data-urlencode "token=$(field widget_token)" -d code=123456 >"$tmp/widget"
advance 150
ask code_end GET "/v1/refresh_intents/$code_id?link_token=$code_token"

# 7. The link is switched off, and goes.
ask switched_off PATCH "/v1/links/$link_token" -H "$json" -d '{"active": false}'
ask endpoint_gone DELETE "/v1/webhook_endpoints/$endpoint_id"
ask gone DELETE "/v1/links/$link_id"
ask after GET "/v1/links/$link_token"

# What the API says to a client that is not let in, or lost.
ask lost GET /v1/nowhere
ask wrong_method DELETE /v1/links
ask no_json POST /v1/link_intents -H "$json" -d '{'
ask bad_version GET /v1/links -H 'Fintoc-Version: 1999-01-01'
curl -q -sS -H "Authorization: $authorization" -o "$tmp/body" "$JUDGE_URL/v1/links?request=[1-100]"
ask too_many GET /v1/links
advance 2
authorization=
ask no_key GET /v1/links
authorization=$JUDGE_PUBLIC_KEY
ask public_key GET /v1/links
authorization=$JUDGE_LIVE_KEY
ask live_links GET /v1/links
authorization="Bearer $JUDGE_KEY"
ask bearer GET /v1/links
printf '}'
