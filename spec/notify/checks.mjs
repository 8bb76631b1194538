// What a receiver checks of a message, and what a reader of it sees. Each function returns
// `problems` (empty if the message is right) and `texts`, as they are shown.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { createRequire } from 'node:module';
import { isDeepStrictEqual } from 'node:util';
import { Parser } from 'htmlparser2';
import MarkdownIt from 'markdown-it';
import parseSlack, { NodeType } from 'slack-message-parser';
import { Webhook } from 'standardwebhooks';

// its module for import does not run in Node
const { AdaptiveCard, SerializationContext, Versions } = createRequire(import.meta.url)(
  'adaptivecards/dist/adaptivecards.js');

const markdown = new MarkdownIt({ html: false, linkify: true });

function check(problems, ok, what) {
  if (!ok) problems.push(what);
}

// The text of Markdown as it is shown. A address of mail may become a link of its own.
function shown(text, problems) {
  let result = '';
  for (const block of markdown.parse(text, {})) {
    check(problems, /^(paragraph_(open|close)|inline)$/.test(block.type),
      `Markdown makes ${block.type} of ${text}`);
    for (const inline of block.children ?? []) {
      check(problems, inline.type === 'text' || inline.type === 'link_close'
        || (inline.type === 'link_open' && inline.attrGet('href').startsWith('mailto:')),
      `Markdown makes ${inline.type} of ${text}`);
      result += inline.content;
    }
  }
  return result;
}

// Teams replaces these in every text.
const DATE = /\{\{(DATE|TIME)\(/;

// A workflow takes any JSON; this is what it makes of it.
export function teams(body) {
  const problems = [];
  const texts = [];
  const message = JSON.parse(body);
  const [attachment, ...others] = message.attachments ?? [];
  check(problems, message.type === 'message' && others.length === 0
    && attachment?.contentType === 'application/vnd.microsoft.card.adaptive', 'not one card');
  check(problems, Buffer.byteLength(body) <= 20480, 'larger than 20 KB');
  const { msteams, ...content } = attachment?.content ?? {};
  const context = new SerializationContext(Versions.v1_2);
  const card = new AdaptiveCard();
  card.parse(content, context);
  for (let i = 0; i < context.eventCount; i += 1) problems.push(context.getEventAt(i).message);
  for (const { message: text } of card.validateProperties().validationEvents) problems.push(text);
  check(problems, content.type === 'AdaptiveCard' && content.version === '1.2', 'not a card 1.2');
  check(problems, isDeepStrictEqual(card.toJSON(), content), 'the card has unknown properties');
  check(problems, isDeepStrictEqual(msteams, { width: 'Full' }), 'msteams');
  for (const element of content.body ?? []) {
    const parts = element.facts?.flatMap(({ title, value }) => [title, value]) ?? [element.text];
    for (const part of parts) {
      check(problems, part !== '' && !DATE.test(part), `not plain: ${part}`);
      texts.push(shown(part, problems));
    }
  }
  return { problems, texts };
}

const entities = (text) => text.replace(/&lt;/g, '<').replace(/&gt;/g, '>').replace(/&amp;/g, '&');

function types(node) {
  return [node.type, ...(node.children ?? []).flatMap(types), ...(node.label?.flatMap(types) ?? [])];
}

// Nothing may be a mention, a channel, a command or a link, also where Slack reads no markup.
const ACTIVE = [NodeType.ChannelLink, NodeType.UserLink, NodeType.Command, NodeType.URL];

function slackText({ type, text, emoji, verbatim }, longest, problems) {
  check(problems, text.length >= 1 && text.length <= longest, `a text of ${text.length} characters`);
  check(problems, !/[<>]/.test(text) || type === 'mrkdwn', 'not escaped');
  check(problems, !/&(?!(amp|lt|gt);)/.test(text), 'an ampersand that is not escaped');
  const active = types(parseSlack(text)).filter((each) => ACTIVE.includes(each));
  if (type === 'plain_text') {
    check(problems, emoji === false && active.length === 0, 'not plain');
  } else {
    check(problems, type === 'mrkdwn' && verbatim === true, 'not verbatim');
    check(problems, isDeepStrictEqual(active, [NodeType.URL]), 'not one link');
  }
  return entities(text);
}

export function slack(body) {
  const problems = [];
  const texts = [];
  const { text, mrkdwn, blocks, unfurl_links: links, unfurl_media: media, ...others } = JSON.parse(
    body);
  check(problems, isDeepStrictEqual(others, {}), 'unknown properties');
  check(problems, mrkdwn === false && links === false && media === false, 'not plain');
  check(problems, blocks.length >= 1 && blocks.length <= 50, `${blocks.length} blocks`);
  texts.push(slackText({ type: 'plain_text', emoji: false, text }, 40000, problems));
  let sum = 0;
  for (const { type, text: own, elements, ...more } of blocks) {
    check(problems, isDeepStrictEqual(more, {}), 'unknown properties of a block');
    check(problems, ['header', 'section', 'context'].includes(type), `a block ${type}`);
    check(problems, (type === 'context') === (own === undefined), `a block ${type} without text`);
    check(problems, !elements || (elements.length >= 1 && elements.length <= 10), 'elements');
    for (const each of elements ?? [own]) {
      texts.push(slackText(each, type === 'header' ? 150 : 3000, problems));
      sum += each.text.length;
    }
  }
  check(problems, sum <= 13200, 'msg_blocks_too_long');
  return { problems, texts };
}

const REQUIRED = ['summary', 'source', 'severity'];
const KNOWN = [...REQUIRED, 'timestamp', 'component', 'group', 'class', 'custom_details'];

function payloadProblems(payload, problems) {
  for (const name of REQUIRED) {
    check(problems, typeof payload[name] === 'string' && payload[name] !== '', `no ${name}`);
  }
  check(problems, Object.keys(payload).every((name) => KNOWN.includes(name)), 'unknown properties');
  check(problems, payload.summary.length <= 1024, 'a long summary');
  check(problems, ['critical', 'error', 'warning', 'info'].includes(payload.severity), 'severity');
  check(problems, payload.timestamp === undefined || !Number.isNaN(Date.parse(payload.timestamp)),
    'timestamp');
}

export function pagerduty(body) {
  const problems = [];
  const event = JSON.parse(body);
  const { routing_key: key, event_action: action, dedup_key: dedup, payload, ...others } = event;
  check(problems, Buffer.byteLength(body) <= 512 * 1024, 'larger than 512 KB');
  check(problems, /^\w{32}$/.test(key), 'routing_key');
  check(problems, ['trigger', 'acknowledge', 'resolve'].includes(action), 'event_action');
  check(problems, typeof dedup === 'string' && dedup.length <= 255, 'dedup_key');
  check(problems, Object.keys(others).every((name) => ['client', 'client_url'].includes(name)),
    'unknown properties');
  if (action === 'trigger') payloadProblems(payload, problems);
  return { problems, texts: payload ? [payload.summary, payload.source] : [], event };
}

// Both signatures, with the receiver's own key.
export function webhook(body, headers, key) {
  const problems = [];
  try {
    new Webhook(key).verify(body, headers);
  } catch (error) {
    problems.push(error.message);
  }
  const secret = Buffer.from(key.slice('whsec_'.length), 'base64');
  const expected = Buffer.from(`sha256=${createHmac('sha256', secret).update(body).digest('hex')}`);
  const given = Buffer.from(headers['x-hub-signature-256'] ?? '');
  check(problems, given.length === expected.length && timingSafeEqual(given, expected),
    'X-Hub-Signature-256');
  check(problems, headers['content-type'] === 'application/json', 'content-type');
  check(problems, Buffer.byteLength(body) <= 20480, 'larger than 20 KB');
  return { problems, texts: [], event: JSON.parse(body) };
}

// The tags and the text of a page.
export function page(html) {
  const tags = new Set();
  let text = '';
  const parser = new Parser({
    onopentag: (name) => tags.add(name), ontext: (part) => { text += part; },
    oncomment: () => tags.add('comment'), onprocessinginstruction: (name) => tags.add(name),
  });
  parser.end(html);
  return { tags: [...tags].sort(), text };
}
