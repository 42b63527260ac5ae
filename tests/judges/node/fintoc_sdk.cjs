// Fintoc's own client for Node: every call that its bank-data side has, and what came of it as JSON.
// Its 1.15 has no call for testing an endpoint, for exchanging a token and for triggering an event.

const constants = require('fintoc/build/main/lib/constants');
const { Fintoc, WebhookSignature } = require('fintoc');

const brief = Object.fromEntries(
  Object.entries(process.env)
    .filter(([name]) => name.startsWith('JUDGE_'))
    .map(([name, value]) => [name.slice(6).toLowerCase(), value]),
);
const OUTCOMES = ['succeeded', 'failed', 'rejected'].map((status) => `account.refresh_intent.${status}`);

// The only way to another address: https://github.com/fintoc-com/fintoc-node/blob/main/src/lib/constants.ts
constants.API_BASE_URL = brief.url;
const client = new Fintoc(brief.key);

const ids = (rows) => rows.map((row) => row.id);

async function all(generator) {
  const rows = [];
  for await (const row of await generator) rows.push(row);
  return rows;
}

// What the client throws, by class and text.
async function refused(call) {
  try {
    await call();
  } catch (error) {
    return { raised: error.constructor.name, says: error.message };
  }
  return { raised: null, says: '' };
}

// Play the person, or let time pass: the emulator's own controls.
async function behindTheScenes(path, body) {
  const answer = await fetch(`${brief.url}/__emulator/${path}`, { method: 'POST', body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${path}: ${await answer.text()}`);
}

async function deliveries(count) {
  const answer = await fetch(`${brief.receiver}/deliveries?count=${count}`);
  return answer.json();
}

async function read() {
  const { token: link_token, account: account_id } = brief;
  const where = { link_token, account_id };
  const { movements } = client.accounts;
  const link = await client.links.get(link_token);
  const account = await client.accounts.get(account_id, { link_token });
  const whole = await all(movements.list({ ...where, per_page: 300, confirmed_only: false }));
  const row = await movements.get(whole[0].id, where);
  return {
    links: { all: ids(await all(client.links.list())), by_two: ids(await all(client.links.list({ per_page: 2 }))) },
    link: {
      id: link.id,
      institution: link.institution.id,
      accounts: ids(await all(client.accounts.list({ link_token, per_page: 10 }))),
    },
    accounts: ids(await client.accounts.list({ link_token, lazy: false })),
    account: { id: account.id, currency: account.currency, available: account.balance.available },
    movements: {
      confirmed: ids(await all(movements.list(where))),
      all: ids(whole),
      window: ids(await all(movements.list({ ...where, since: brief.since, until: brief.until }))),
    },
    movement: { id: row.id, amount: row.amount, post_date: row.post_date.toISOString().slice(0, 10) },
  };
}

async function refresh(endpoint) {
  const create = (args) => client.refreshIntents.create(args);
  const made = {};
  for (const name of ['fresh', 'refused', 'mfa']) {
    made[name] = await create({
      link_token: brief[`${name}_token`], refresh_type: 'only_last', idempotency_key: `first-${name}`,
    });
  }
  const { fresh, mfa } = made;
  const again = await create({
    link_token: brief.fresh_token, refresh_type: 'only_last', idempotency_key: 'first-fresh',
  });
  const running = await refused(() => create({ link_token: brief.fresh_token }));
  await behindTheScenes(`links/${brief.mfa_link}/person`, { act: 'right_code' });
  await behindTheScenes('clock/advance', { seconds: 100 });
  const ended = {};
  for (const [name, one] of Object.entries(made)) {
    ended[name] = (await client.refreshIntents.get(one.id, { link_token: brief[`${name}_token`] })).status;
  }
  const listed = ids(await all(client.refreshIntents.list({ link_token: brief.fresh_token })));
  return {
    intents: {
      created: { status: fresh.status, type: fresh.type, link: fresh.refreshed_object_id, mfa: fresh.requires_mfa },
      same_key_same_intent: again.id === fresh.id,
      asks_for_code: mfa.requires_mfa.widget_token.startsWith(mfa.id),
      listed: listed.length === 1 && listed[0] === fresh.id,
      ended,
    },
    deliveries: await judged(await deliveries(7), endpoint.secret),
    errors: { ...(await errors()), in_progress: running },
  };
}

// The client's own helper on what the emulator sent.
async function judged(taken, secret) {
  const accepted = {};
  for (const { body, signature } of taken) {
    WebhookSignature.verifyHeader(Buffer.from(body), signature, secret);
    const { type } = JSON.parse(body);
    accepted[type] = (accepted[type] || 0) + 1;
  }
  const { body, signature } = taken.at(-1);
  return {
    accepted,
    changed: await refused(() => WebhookSignature.verifyHeader(`${body} `, signature, secret)),
    another_secret: await refused(() => WebhookSignature.verifyHeader(body, signature, 'whsec_another')),
  };
}

async function errors() {
  const { token: link_token, account: account_id } = brief;
  const where = { link_token, account_id, lazy: false };
  const { accounts, links, refreshIntents, webhookEndpoints } = client;
  const calls = {
    invalid_key: () => new Fintoc('sk_test_nobody').links.list({ lazy: false }),
    unknown_link: () => links.get('link_none_token_none'),
    unknown_token: () => accounts.list({ link_token: 'link_none_token_none', lazy: false }),
    no_token: () => accounts.list({ lazy: false }),
    unknown_account: () => accounts.get('link_none', { link_token }),
    bad_date: () => accounts.movements.list({ ...where, since: 'yesterday' }),
    bad_page: () => accounts.movements.list({ ...where, page: 0 }),
    bad_type: () => refreshIntents.create({ link_token, refresh_type: 'everything' }),
    too_soon: () => refreshIntents.create({ link_token: brief.fresh_token }),
    another_body: () => refreshIntents.create({ link_token, idempotency_key: 'first-fresh' }),
    rejected: () => refreshIntents.create({ link_token: brief.refused_token }),
    broken: () => refreshIntents.create({ link_token: brief.broken_token }),
    no_bank: () => refreshIntents.create({ link_token: brief.broken_token }),
    unknown_intent: () => refreshIntents.get('ri_none', { link_token }),
    unknown_endpoint: () => webhookEndpoints.get('we_none'),
    bad_event: () => webhookEndpoints.create({ url: brief.receiver, enabled_events: ['link.none'] }),
  };
  const found = {};
  for (const [name, call] of Object.entries(calls)) found[name] = await refused(call);
  return found;
}

async function endpoints(endpoint) {
  const manager = client.webhookEndpoints;
  const read = await manager.get(endpoint.id);
  const updated = await manager.update(endpoint.id, {
    description: 'second', enabled_events: OUTCOMES.slice(0, 1), disabled: true,
  });
  const listed = ids(await all(manager.list()));
  await manager.delete(endpoint.id);
  return {
    created: { secret: endpoint.secret.slice(0, 6), status: endpoint.status },
    read: { url: read.url === endpoint.url, secret: read.secret, description: read.description },
    updated: { status: updated.status, events: updated.enabled_events, said: updated.description },
    listed: listed.length === 1 && listed[0] === endpoint.id,
    deleted: await refused(() => manager.get(endpoint.id)),
  };
}

async function changeLinks() {
  const { spare_token: token, spare_link: id } = brief;
  const active = [(await client.links.update(token, { active: false })).active];
  const link = await client.links.get(token);
  active.push((await link.update({ active: true })).active);
  await client.links.delete(id);
  return { active, deleted: await refused(() => client.links.get(token)) };
}

async function main() {
  const facts = await read();
  const endpoint = await client.webhookEndpoints.create({
    url: `${brief.receiver}/hook`, enabled_events: [...OUTCOMES, 'link.credentials_changed'], description: 'first',
  });
  Object.assign(facts, await refresh(endpoint));
  facts.endpoints = await endpoints(endpoint);
  facts.changed_link = await changeLinks();
  process.stdout.write(JSON.stringify(facts));
}

main();
