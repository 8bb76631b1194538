// node.mjs AT_ONCE COUNT 1.1|2 SETTINGS, with Node's https and a keep-alive agent, or its http2.
// Without arguments it prints its version.
import { readFileSync } from "node:fs";
import http2 from "node:http2";
import https from "node:https";

if (process.argv.length === 2) {
  console.log(process.version);
  process.exit();
}

const [at_once, count] = process.argv.slice(2, 4).map(Number);
const [version, settings] = process.argv.slice(4);
const STREAMS = 256; // maximum of the server on one connection
const base = process.env.PCAPI_BASE_URL;
const path = "/v1/nonMfaCompliantPartnerPrincipals";
const ca_file = process.env.PCAPI_CA_FILE;
const tls = ca_file ? { ca: readFileSync(ca_file) } : {};
const headers = {
  accept: "application/json",
  authorization: "Bearer " + process.env.PCAPI_TOKEN,
  "x-sandbox": settings,
};

function gather(stream, resolve, reject) {
  const pieces = [];
  stream.on("data", (piece) => pieces.push(piece));
  stream.on("error", reject);
  stream.on("end", () => resolve(Buffer.concat(pieces).toString()));
}

function over_http1() {
  const agent = new https.Agent({ keepAlive: true, maxSockets: at_once, ...tls });
  const get = () => new Promise((resolve, reject) => {
    https.get(base + path, { agent, headers }, (response) => {
      if (response.statusCode !== 200) reject(new Error(response.statusCode));
      gather(response, resolve, reject);
    }).on("error", reject);
  });
  return [get, () => agent.destroy()];
}

function over_http2() {
  const sessions = Array.from({ length: Math.ceil(at_once / STREAMS) },
    () => http2.connect(base, tls));
  sessions.forEach((session) => session.setMaxListeners(0));
  let next = 0;
  const get = () => new Promise((resolve, reject) => {
    const session = sessions[next++ % sessions.length];
    session.once("error", reject);
    const stream = session.request({ ":path": path, ...headers });
    stream.on("response", (head) => {
      if (head[":status"] !== 200) reject(new Error(head[":status"]));
    });
    gather(stream, (text) => { session.off("error", reject); resolve(text); }, reject);
  });
  return [get, () => sessions.forEach((session) => session.close())];
}

const [get, close] = version === "2" ? over_http2() : over_http1();

// Each worker sends one request after another.
async function round() {
  let left = count;
  const worker = async () => {
    while (left-- > 0) {
      const text = await get();
      const response = JSON.parse(text.charCodeAt(0) === 0xfeff ? text.slice(1) : text);
      if (!response.items) throw new Error("no items");
    }
  };
  await Promise.all(Array.from({ length: at_once }, worker));
}

await round();
if (at_once > 1) {
  const cpu_before = process.cpuUsage();
  const wall_before = performance.now();
  await round();
  const { user, system } = process.cpuUsage(cpu_before);
  console.log((performance.now() - wall_before) / 1e3, (user + system) / 1e6);
}
close();
