// node's oidc-provider with the abilities that are compared: `node server.mjs`, settings from the environment.
//
// PEER_PORT, PEER_DATABASE, PEER_RSA_BITS; PEER_MACHINE and PEER_WEB are `id:secret`; PEER_CALLBACK, PEER_SCOPE and
// PEER_CHALLENGE belong to the codes. POST /bench/codes/<count> makes codes, because a code is good once.

import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';

import Provider from 'oidc-provider';

import { PostgresAdapter, addMany, connect } from './adapter.mjs';

const { env } = process;
const ACCOUNT = 'a3f1d7de-5c0b-4f0e-9f0a-0d6a6f0f2b11';
const CODE_SECONDS = 600;
const BATCH = 2_000;

function keys() {
  const made = [
    [generateKeyPairSync('rsa', { modulusLength: Number(env.PEER_RSA_BITS) }), 'RS256'],
    [generateKeyPairSync('ec', { namedCurve: 'P-256' }), 'ES256'],
  ];
  return made.map(([{ privateKey }, alg]) => ({ ...privateKey.export({ format: 'jwk' }), alg, use: 'sig' }));
}

function client(pair, metadata) {
  const [client_id, client_secret] = pair.split(':');
  return { client_id, client_secret, token_endpoint_auth_method: 'client_secret_basic', ...metadata };
}

const clients = [
  client(env.PEER_MACHINE, { grant_types: ['client_credentials'], redirect_uris: [], response_types: [] }),
  client(env.PEER_WEB, {
    grant_types: ['authorization_code', 'refresh_token'],
    redirect_uris: [env.PEER_CALLBACK],
    response_types: ['code'],
  }),
];

const person = {
  sub: ACCOUNT,
  name: 'Ada Lovelace',
  preferred_username: 'ada',
  locale: 'en',
  zoneinfo: 'UTC',
  updated_at: 1_767_225_600,
  email: 'oauth@example.com',
  email_verified: true,
};

const provider = new Provider(`http://localhost:${env.PEER_PORT}`, {
  adapter: PostgresAdapter,
  clients,
  jwks: { keys: keys() },
  cookies: { keys: [randomBytes(32).toString('hex')] },
  claims: {
    openid: ['sub'],
    profile: ['name', 'preferred_username', 'locale', 'zoneinfo', 'updated_at'],
    email: ['email', 'email_verified'],
  },
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    introspection: { enabled: true, allowedPolicy: () => true },
    revocation: { enabled: true, allowedPolicy: () => true },
  },
  findAccount: () => ({ accountId: ACCOUNT, claims: () => person }),
  issueRefreshToken: () => true,
  rotateRefreshToken: true,
  ttl: {
    AccessToken: 900,
    AuthorizationCode: CODE_SECONDS,
    ClientCredentials: 900,
    Grant: 15_552_000,
    IdToken: 900,
    RefreshToken: 2_592_000,
  },
});

async function makeCodes(count) {
  const web = await provider.Client.find(clients[1].client_id);
  const codes = [];
  while (codes.length < count) {
    const size = Math.min(BATCH, count - codes.length);
    codes.push(...(await makeBatch(web, size)));
  }
  return codes;
}

async function makeBatch(web, size) {
  const grants = [];
  const codes = [];
  for (let made = 0; made < size; made += 1) {
    const grant = new provider.Grant({ accountId: ACCOUNT, clientId: web.clientId });
    grant.addOIDCScope(env.PEER_SCOPE);
    grants.push(await rowOf(grant, 15_552_000));
    codes.push(await rowOf(codeOf(web, grant), CODE_SECONDS));
  }
  await addMany('Grant', grants, 15_552_000);
  await addMany('AuthorizationCode', codes, CODE_SECONDS);
  return codes.map(([id]) => id);
}

function codeOf(web, grant) {
  return new provider.AuthorizationCode({
    accountId: ACCOUNT,
    acr: 'aal1',
    amr: ['pwd'],
    authTime: Math.floor(Date.now() / 1000),
    client: web,
    codeChallenge: env.PEER_CHALLENGE,
    codeChallengeMethod: 'S256',
    grantId: grant.jti,
    gty: 'authorization_code',
    nonce: 'n-0S6_WzA2Mj',
    redirectUri: env.PEER_CALLBACK,
    scope: env.PEER_SCOPE,
  });
}

async function rowOf(model, seconds) {
  model.jti ??= model.generateTokenId();
  model.exp ??= Math.floor(Date.now() / 1000) + seconds;
  const { payload } = await model.getValueAndPayload();
  return [model.jti, payload];
}

async function prepare(request, response) {
  const codes = await makeCodes(Number(request.url.split('/').pop()));
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(JSON.stringify(codes));
}

await connect(env.PEER_DATABASE);
const answer = provider.callback();
createServer((request, response) => {
  if (request.url.startsWith('/bench/')) prepare(request, response);
  else answer(request, response);
}).listen(Number(env.PEER_PORT), '127.0.0.1');
