// An application as Rail's guides sketch it (https://docs.rail.cl/guides/webhooks and /guides/mfa-handling): a handler that
// verifies the raw body and drops repeats, a poll that stops at three statuses, and a widget that somebody else opens.
// Written anew to the contract: Rail has no SDK. Prints what came of it as JSON.

const crypto = require('crypto');
const http = require('http');

const { JUDGE_URL: url, JUDGE_KEY: key } = process.env;
const STOPS = new Set(['succeeded', 'failed', 'requires_mfa']);
const PAGE = 30;
const seen = new Map();
const statuses = [];
let secret = '';

function isGenuine(header, raw) {
  const { t, v1 } = Object.fromEntries(header.split(',').map((pair) => pair.split('=')));
  if (Date.now() / 1000 - Number(t) > 300) return false;
  return crypto.createHmac('sha256', secret).update(`${t}.`).update(raw).digest('hex') === v1;
}

const handler = http.createServer((request, response) => {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    const raw = Buffer.concat(chunks);
    const genuine = isGenuine(request.headers['rail-signature'] || '', raw);
    statuses.push(genuine ? 200 : 400);
    response.writeHead(genuine ? 200 : 400).end(genuine ? 'ok' : 'bad signature');
    const event = genuine && JSON.parse(raw);
    if (event && !seen.has(event.id)) seen.set(event.id, event);
  });
});

async function ask(method, path, body, more = {}) {
  const headers = { Authorization: `Bearer ${key}`, ...more };
  if (body) headers['Content-Type'] = 'application/json';
  const answer = await fetch(`${url}/v1/${path}`, { method, headers, body: body && JSON.stringify(body) });
  const text = await answer.text();
  return { status: answer.status, body: text ? JSON.parse(text) : null };
}

// A list comes bare or in `data`.
const rows = ({ body }) => (Array.isArray(body) ? body : body.data);

// Play the person, or let time pass: the emulator's own controls.
async function behindTheScenes(path, body) {
  const answer = await fetch(`${url}/__emulator/${path}`, { method: 'POST', body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${path}: ${await answer.text()}`);
}

async function movements(accountId) {
  const ids = [];
  for (let page = 1; ; page += 1) {
    const found = rows(await ask('GET', `accounts/${accountId}/movements?page=${page}&confirmed_only=false`));
    ids.push(...found.map((row) => row.id));
    if (found.length < PAGE) return { ids, pages: page };
  }
}

async function create(linkId) {
  const headers = { 'Idempotency-Key': crypto.randomUUID() };
  return (await ask('POST', 'refresh_intents', { link_id: linkId, refresh_type: 'full' }, headers)).body;
}

// As the guide: every 5 s, until the status is one to stop at. `beyond` is one that is left behind.
async function poll(id, beyond) {
  for (let turn = 0; turn < 200; turn += 1) {
    await behindTheScenes('clock/advance', { seconds: 5 });
    const { body } = await ask('GET', `refresh_intents/${id}`);
    if (STOPS.has(body.status) && body.status !== beyond) return body;
  }
  throw new Error(`${id} does not come to an end`);
}

async function withCode(linkId, act) {
  const asked = await poll((await create(linkId)).id);
  if (act === 'cancel') {
    const canceled = await ask('DELETE', `refresh_intents/${asked.id}`);
    return { asked: asked.status, canceled: canceled.status >= 200 && canceled.status < 300 };
  }
  await behindTheScenes(`links/${linkId}/person`, { act });
  const ended = await poll(asked.id, 'requires_mfa');
  return { asked: asked.status, token: asked.requires_mfa.widget_token.startsWith(asked.id), ...outcome(ended) };
}

const outcome = ({ status, error_code: code = null, summary }) => ({ status, code, summary: Boolean(summary) });

async function happened(type, intentId) {
  for (let turn = 0; turn < 2000; turn += 1) {
    if ([...seen.values()].some((event) => event.type === type && event.data.id === intentId)) return;
    await new Promise((resolve) => { setTimeout(resolve, 5); });
  }
  throw new Error(`${type} of ${intentId} does not come: ${[...seen.values()].map((event) => event.type)}`);
}

async function main() {
  const env = (name) => process.env[`JUDGE_${name}`];
  await new Promise((resolve) => { handler.listen(0, '127.0.0.1', resolve); });
  const endpoint = await ask('POST', 'webhook_endpoints', {
    url: `http://127.0.0.1:${handler.address().port}/webhooks/rail`, enabled_events: ['*'],
  });
  secret = endpoint.body.secret;
  const plain = await create(env('FRESH_LINK'));
  const plainEnd = await poll(plain.id);
  const refused = await poll((await create(env('REFUSED_LINK'))).id);
  const down = await poll((await create(env('DOWN_LINK'))).id);
  const codes = {};
  for (const act of ['right_code', 'wrong_code', 'walk_away', 'cancel']) {
    codes[act] = await withCode(env('MFA_LINK'), act);
  }
  await happened('refresh_intent.succeeded', plain.id);
  await happened('refresh_intent.failed', down.id);
  const accounts = rows(await ask('GET', `accounts?link_id=${env('FRESH_LINK')}`));
  const facts = {
    links: rows(await ask('GET', 'links')).map((link) => link.id),
    accounts: accounts.map((account) => account.id),
    movements: await movements(accounts[0].id),
    created: { status: plain.status, link: plain.link_id },
    plain: outcome(plainEnd),
    refused: outcome(refused),
    down: outcome(down),
    codes,
    events: [...seen.values()].filter((event) => event.data.id === plain.id).map((event) => event.type),
    types: [...new Set([...seen.values()].map((event) => event.type))].sort(),
    statuses: [...new Set(statuses)],
  };
  process.stdout.write(JSON.stringify(facts), () => process.exit(0));
}

main();
