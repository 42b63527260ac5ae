// The verdict of the signature helper in Fintoc's own client for Node on every case in a folder.

const fs = require('fs');
const path = require('path');
const { WebhookSignature, WebhookSignatureError } = require('fintoc');

const folder = process.env.JUDGE_CASES;

function verdict(name) {
  const part = (end) => fs.readFileSync(path.join(folder, name + end));
  try {
    WebhookSignature.verifyHeader(part('.body'), part('.signature').toString(), part('.secret').toString());
    return 'accepted';
  } catch (error) {
    if (!(error instanceof WebhookSignatureError)) throw error;
    return `refused: ${error.message}`;
  }
}

const names = fs.readdirSync(folder).filter((file) => file.endsWith('.body')).map((file) => file.slice(0, -5));
process.stdout.write(JSON.stringify(Object.fromEntries(names.map((name) => [name, verdict(name)]))));
