// Runs an independent OpenID provider (npm oidc-provider), configured like Entra as far as possible:
// https://localhost:PORT/oidc.example/oauth2/v2.0/{token,devicecode,authorize}.
// The sandbox covers the rest, such as AADSTS codes.
//
//     provider.mjs SETTINGS
//
// prints its address and process id when it listens. It stops when its standard input or the sandbox
// ends. SETTINGS is JSON: `life` of access tokens and `device_life` of device codes
// in seconds, `mfa` false for tokens without it, `certificates` with the files of jwt_ps and
// jwt_rs (PEM of a certificate or a public key). The server uses the sandbox's certificate.
import { createPublicKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { dirname, join } from 'node:path';
import { Provider } from 'oidc-provider';

const TENANT = 'oidc.example';
const API = 'https://api.partnercenter.microsoft.com';
const GRAPH = 'https://graph.microsoft.com';
// The user's consent covers both services, so one refresh token works for both.
const SCOPES = {
  [API]: [`${API}/.default`, `${API}/user_impersonation`], [GRAPH]: [`${GRAPH}/.default`],
};
const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code';

const {
  life = 60, device_life: deviceLife = 600, mfa = true, certificates = {},
} = JSON.parse(process.argv[2] ?? '{}');

function client(id, method, more) {
  return {
    client_id: id,
    token_endpoint_auth_method: method,
    application_type: 'native', // accepts any port of a loopback redirect
    grant_types: ['authorization_code', 'refresh_token', DEVICE_GRANT],
    response_types: ['code'],
    redirect_uris: ['http://localhost', 'http://localhost/', 'http://127.0.0.1/'],
    ...more,
  };
}

// A client that signs its assertions with the key of this certificate.
function jwtClient(id, alg) {
  const key = createPublicKey(readFileSync(certificates[id])).export({ format: 'jwk' });
  return client(id, 'private_key_jwt', {
    token_endpoint_auth_signing_alg: alg, jwks: { keys: [{ ...key, use: 'sig', alg }] },
  });
}

function clients() {
  const all = [
    client('pub', 'none'),
    client('0b8e6a1c-1111-4222-8333-944455556666', 'none'), // an id as Entra's
    // contains characters that must be encoded
    client('sec', 'client_secret_post', { client_secret: 'a+b/c=d&e%25~f' }),
  ];
  if (certificates.jwt_ps) all.push(jwtClient('jwt_ps', 'PS256'));
  if (certificates.jwt_rs) all.push(jwtClient('jwt_rs', 'RS256'));
  return all;
}

function signingKey() {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256' };
}

const configuration = {
  clients: clients(),
  jwks: { keys: [signingKey()] },
  cookies: { keys: [randomBytes(32).toString('hex')] },
  // The sign-in page accepts every user name and password.
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  features: {
    deviceFlow: { enabled: true },
    devInteractions: { enabled: true },
    resourceIndicators: {
      enabled: true,
      // Entra takes the resource of a token from the scope.
      defaultResource: (ctx, _, granted) => granted?.find((resource) => (
        ctx.oidc.params.scope?.includes(resource)
      )) ?? (granted ? API : Object.keys(SCOPES)),
      useGrantedResource: () => true,
      getResourceServerInfo: (_, resource) => ({
        scope: SCOPES[resource].join(' '), audience: resource, accessTokenTTL: life,
        accessTokenFormat: 'jwt', jwt: { sign: { alg: 'RS256' } },
      }),
    },
  },
  pkce: { required: (_, { clientAuthMethod }) => clientAuthMethod === 'none' },
  issueRefreshToken: (_, { grantTypes }) => grantTypes.includes('refresh_token'),
  // Stricter than Entra: using a token twice revokes all tokens of this sign-in.
  rotateRefreshToken: true,
  extraTokenClaims: () => ({
    tid: TENANT, amr: mfa ? ['pwd', 'mfa'] : ['pwd'], upn: 'user@fabrikam.example',
    scp: 'user_impersonation',
  }),
  scopes: ['openid', 'offline_access'],
  routes: {
    authorization: `/${TENANT}/oauth2/v2.0/authorize`,
    device_authorization: `/${TENANT}/oauth2/v2.0/devicecode`,
    token: `/${TENANT}/oauth2/v2.0/token`,
    code_verification: '/device',
  },
  ttl: {
    AccessToken: life, AuthorizationCode: 60, DeviceCode: deviceLife, Grant: 3600,
    IdToken: 600, Interaction: 600, RefreshToken: 3600, Session: 3600,
  },
};

// Lists each request to the token endpoint, with its result.
const journal = [];

async function note(ctx, next) {
  if (ctx.path === '/requests') {
    ctx.body = journal;
    return;
  }
  await next();
  if (ctx.path === configuration.routes.token) {
    journal.push({
      grant_type: ctx.oidc?.params?.grant_type, client_id: ctx.oidc?.params?.client_id,
      result: ctx.body?.error ?? (ctx.status === 200 ? 'ok' : `${ctx.status}`),
    });
  }
}

// Entra grants offline_access without a prompt for consent, OpenID Connect only with one; and
// Entra lets a refresh token serve any service that the user has consented to.
function consent(ctx, next) {
  const { path, query } = ctx;
  if (path === configuration.routes.authorization && query.prompt === undefined) {
    ctx.query = { ...query, prompt: 'consent', scope: `${query.scope} ${SCOPES[GRAPH]}` };
  }
  return next();
}

const here = dirname(process.env.PCAPI_SANDBOX_CA);
const server = createServer({
  cert: readFileSync(join(here, 'localhost.pem')), key: readFileSync(join(here, 'leaf.key')),
});

server.listen(0, '127.0.0.1', () => {
  const address = `https://localhost:${server.address().port}`;
  const provider = new Provider(`${address}/${TENANT}`, configuration);
  provider.use(note).use(consent);
  server.on('request', provider.callback());
  console.log(address, process.pid);
});

// Stops if the parent process is killed. Another process may still hold the other end of the input;
// then the end of the sandbox stops this process.
process.stdin.on('end', () => process.exit()).resume();
setInterval(() => existsSync(here) || process.exit(), 500);
