// An OpenID provider of npm's oidc-provider, for tests: node oidc_server.mjs FOLDER CONFIGURATION
// FOLDER has node_modules. CONFIGURATION: {port, clients, accounts: {NAME: CLAIMS}}.
import { generateKeyPairSync } from 'node:crypto';

const [folder, text] = process.argv.slice(2);
const { default: Provider } = await import(`${folder}/node_modules/oidc-provider/lib/index.js`);
const { port, clients, accounts } = JSON.parse(text);
const key = (type, options, alg) => ({
  ...generateKeyPairSync(type, options).privateKey.export({ format: 'jwk' }), use: 'sig', alg, kid: alg,
});

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients,
  jwks: { keys: [key('rsa', { modulusLength: 2048 }, 'RS256'), key('ec', { namedCurve: 'P-256' }, 'ES256')] },
  cookies: { keys: ['for tests'] },
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'], groups: ['groups'] },
  scopes: ['openid', 'email', 'profile', 'groups'],
  pkce: { required: () => true },
  features: { revocation: { enabled: false } },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, ...accounts[id] }) }),
  // Nobody is to consent: github.com/panva/node-oidc-provider/blob/main/recipes/skip_consent.md
  async loadExistingGrant(ctx) {
    const grant = new ctx.oidc.provider.Grant({
      clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId,
    });
    grant.addOIDCScope('openid email profile groups');
    await grant.save();
    return grant;
  },
});
provider.listen(port, '127.0.0.1', () => console.log('ready'));
