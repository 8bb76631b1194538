// Receivers of notices on loopback, which respond as Slack, Teams, PagerDuty and a signed webhook
// do, and a server for mail.
//
//     receiver.mjs SETTINGS
//
// prints the addresses of both and its process id when it listens. It stops when its standard input
// or the sandbox ends. SETTINGS is JSON with `key`, that of the webhook.
//
// POST /KIND/MODE/… gets a message of a channel. MODE is `ok`; a status; or what else goes wrong, see
// MODES. GET /received returns what was received, and forgets it.
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { dirname, join } from 'node:path';
import { simpleParser } from 'mailparser';
import { SMTPServer } from 'smtp-server';
import * as checks from './checks.mjs';

const { key } = JSON.parse(process.argv[2] ?? '{}');
const received = [];
const alerts = new Map(); // PagerDuty's alerts by their keys
const ids = new Set(); // of webhooks

// How each service responds to a message that it has checked.
const SERVICES = {
  slack: ({ problems }) => (problems.length > 0 ? [400, 'invalid_blocks'] : [200, 'ok']),
  teams: () => [202, ''], // whatever it got
  pagerduty: ({ problems, event }) => {
    if (problems.length > 0) {
      return [400, JSON.stringify({ status: 'invalid event', message: 'Event object is invalid',
        errors: problems })];
    }
    const id = `${event.routing_key} ${event.dedup_key}`;
    if (event.event_action === 'trigger') alerts.set(id, 'open');
    else if (alerts.has(id)) alerts.set(id, 'resolved');
    return [202, JSON.stringify({ status: 'success', message: 'Event processed',
      dedup_key: event.dedup_key })];
  },
  webhook: ({ problems }) => (problems.length > 0 ? [401, 'wrong signature'] : [204, '']),
};

const MODES = {
  '429': (response) => {
    response.writeHead(429, { 'Retry-After': '7' });
    response.end('rate_limited');
  },
  hang: () => {}, // never responds
  drip: (response) => {
    response.writeHead(200);
    const timer = setInterval(() => response.write('o'), 100);
    response.on('close', () => clearInterval(timer));
  },
  cut: (response) => response.socket.destroy(),
  large: (response) => response.end('o'.repeat(1 << 20)),
  // repeats what must stay secret
  echo: (response, request) => {
    response.writeHead(404);
    response.end(`Cannot POST ${request.url} ${request.headers.authorization ?? ''}`);
  },
  redirect: (response, request) => {
    response.writeHead(307, { Location: request.url.replace('/redirect/', '/ok/') });
    response.end();
  },
  lie: (response) => response.end('Webhook message delivery failed with error: Microsoft Teams '
    + 'endpoint returned HTTP error 413'),
  word: (response) => response.end('no_text'), // a 200 that is none
  archived: (response) => {
    response.writeHead(410);
    response.end('channel_is_archived');
  },
};

function judge(kind, request, body) {
  const verdict = checks[kind](body, request.headers, key);
  const record = { kind, url: request.url, headers: request.headers, bytes: body.length, ...verdict };
  if (kind === 'webhook') {
    record.isRepeated = ids.has(request.headers['webhook-id']);
    ids.add(request.headers['webhook-id']);
  }
  received.push(record);
  return verdict;
}

function respond(request, response, body) {
  const [, kind, mode] = request.url.split('/');
  const verdict = judge(kind, request, body);
  if (MODES[mode]) {
    MODES[mode](response, request);
  } else if (mode === 'ok') {
    const [status, text] = SERVICES[kind](verdict);
    response.writeHead(status);
    response.end(text);
  } else {
    response.writeHead(Number(mode));
    response.end('no');
  }
}

function listing(response) {
  response.end(JSON.stringify({ received, alerts: Object.fromEntries(alerts) }));
  received.length = 0;
}

function serve(request, response) {
  if (request.method === 'GET') {
    listing(response);
    return;
  }
  const parts = [];
  request.on('data', (part) => parts.push(part));
  request.on('end', () => respond(request, response, Buffer.concat(parts).toString()));
}

const HEADERS = ['auto-submitted', 'x-pcapi-dedup', 'x-pcapi-kind', 'bcc', 'in-reply-to',
  'references', 'content-type', 'mime-version'];

async function keep(stream, session) {
  const parts = [];
  for await (const part of stream) parts.push(part);
  const mail = await simpleParser(Buffer.concat(parts));
  const headers = {};
  for (const name of HEADERS) headers[name] = mail.headers.get(name) ?? null;
  received.push({
    kind: 'mail', headers, subject: mail.subject, text: mail.text, html: checks.page(mail.html),
    from: mail.from.value.map(({ address }) => address), date: mail.date,
    to: mail.to.value.map(({ address }) => address), messageId: mail.messageId,
    inReplyTo: mail.inReplyTo ?? null, attachments: mail.attachments.length,
    names: mail.headerLines.map(({ key: name }) => name),
    envelope: session.envelope.rcptTo.map(({ address }) => address),
    longestLine: Math.max(...Buffer.concat(parts).toString().split('\r\n').map((line) => line.length)),
  });
}

const mailServer = new SMTPServer({
  authOptional: true, disabledCommands: ['STARTTLS', 'AUTH'], disableReverseLookup: true,
  onRcptTo: ({ address }, session, done) => done(address.startsWith('nobody@')
    ? Object.assign(new Error('no such user'), { responseCode: 550 }) : null),
  onData: (stream, session, done) => keep(stream, session).then(() => done(), done),
});

const here = dirname(process.env.PCAPI_SANDBOX_CA);
const server = createServer({
  cert: readFileSync(join(here, 'localhost.pem')), key: readFileSync(join(here, 'leaf.key')),
}, serve);

server.listen(0, '127.0.0.1', () => {
  const mail = mailServer.listen(0, '127.0.0.1', () => {
    console.log(`https://localhost:${server.address().port}`, mail.address().port, process.pid);
  });
});

process.stdin.on('end', () => process.exit()).resume();
setInterval(() => existsSync(here) || process.exit(), 500);
