// A whole client of one list, in Node's standard library: it waits for versions, verifies each and installs it.
// node client.mjs CREDENTIALS.json LIST OUT.jsonl [AGE-IDENTITIES]    says a line for each version installed
import { execFileSync } from "node:child_process";
import { createHash, createPrivateKey, createPublicKey, randomUUID, sign, verify } from "node:crypto";
import fs from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

const [credentials, list, out, identities] = process.argv.slice(2);
const own = JSON.parse(fs.readFileSync(credentials)), path = `/v1/lists/${list}/snapshots`;
const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");
const es256 = (key) => ({ key, dsaEncoding: "ieee-p1363" });
const need = (holds, what) => { if (!holds) throw new Error(what); };
let token = "", renewAt = 0;

async function signIn() {
  const now = Math.floor(Date.now() / 1000), aud = own.token_endpoint, id = own.client_id;
  const claims = { iss: id, sub: id, aud, iat: now, exp: now + 60, jti: randomUUID() };
  const said = `${part({ alg: "ES256", typ: "JWT", kid: own.private_jwk.kid })}.${part(claims)}`;
  const signature = sign("sha256", said, es256(createPrivateKey({ key: own.private_jwk, format: "jwk" })));
  const form = { grant_type: "client_credentials", client_assertion: `${said}.${signature.toString("base64url")}`,
    client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" };
  const granted = await (await send(aud, { method: "POST", body: new URLSearchParams(form) })).json();
  [token, renewAt] = [granted.access_token, Date.now() + (granted.expires_in - 60) * 1000];
}
async function send(address, options, fine = [200]) {
  const answer = await fetch(address, { redirect: "error", signal: AbortSignal.timeout(90_000), ...options });
  if (answer.status === 429) await sleep(1000 * Number(answer.headers.get("retry-after")));
  need(fine.includes(answer.status), `the service answered ${answer.status}`);
  return answer;
}
async function get(place, headers = {}, fine = [200]) {
  if (Date.now() >= renewAt) await signIn();
  return send(own.issuer + place, { headers: { ...headers, authorization: `Bearer ${token}` } }, fine);
}
async function verified(version) {
  const [head, body, signature] = (await (await get(`${path}/${version}/manifest.jws`)).text()).split(".");
  const { alg, kid, typ } = JSON.parse(Buffer.from(head, "base64url"));
  const key = (await (await get("/.well-known/jwks.json")).json()).keys.find((one) => one.kid === kid);
  need(key && alg === "ES256" && typ === "wardlist-manifest", "the manifest is not signed as it must be");
  const known = es256(createPublicKey({ key, format: "jwk" })), bytes = Buffer.from(signature, "base64url");
  need(verify("sha256", `${head}.${body}`, known, bytes), "the manifest's signature does not hold");
  return JSON.parse(Buffer.from(body, "base64url"));
}
function replace(file, bytes) {
  const handle = fs.openSync(`${file}.new`, "w", 0o600);
  fs.writeFileSync(handle, bytes); fs.fsyncSync(handle); fs.closeSync(handle); fs.renameSync(`${file}.new`, file);
}
async function round(have) {
  const ask = have.etag ? { "if-none-match": have.etag, prefer: "wait=60" } : {};
  const answer = await get(`${path}/latest`, ask, [200, 304]);
  if (answer.status === 304) return have;
  const manifest = await verified((await answer.json()).version), { version, artefacts: { jsonl } } = manifest;
  need(manifest.list === list && version >= have.version, "an older version or another list was offered");
  need(Date.parse(manifest.expires_at) > Date.now(), "the version offered has expired");
  const sent = Buffer.from(await (await get(`${path}/${version}/jsonl`)).arrayBuffer());
  need(sent.length === jsonl.length && sha256(sent) === jsonl.sha256, "the file is not the one that was signed");
  const opens = { input: sent, maxBuffer: 2 ** 30, stdio: ["pipe", "pipe", "ignore"] };
  const lines = jsonl.path.endsWith(".age") ? execFileSync("age", ["-d", "-i", identities], opens) : sent;
  need(sha256(lines) === manifest.content_sha256, "the lines are not those that were signed off");
  replace(out, lines);
  replace(`${out}.state`, JSON.stringify({ version, etag: answer.headers.get("etag") }));
  console.log(`installed version ${version}, ${manifest.entry_count} entries`);
  return JSON.parse(fs.readFileSync(`${out}.state`));
}
let have = fs.existsSync(`${out}.state`) ? JSON.parse(fs.readFileSync(`${out}.state`)) : { version: 0 };
for (let failures = 0; ; ) {
  try {
    have = await round(have);
    failures = 0;
  } catch (failure) {
    // What was installed stays in force; the token may be at fault, so the next round gets another.
    console.error(`keeping version ${have.version}: ${failure.message}`);
    [renewAt, failures] = [0, failures + 1];
    await sleep(Math.min(60_000, 1000 * 2 ** failures) * (0.5 + Math.random()));
  }
}
