import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { toBase64Url } from '../../bytes/base64.ts'
import { utf8 } from '../../bytes/bytes.ts'
import type { Json } from '../../bytes/json.ts'
import { createNobleCrypto } from '../../crypto/noble-provider.ts'
import { createNodeCrypto } from '../../crypto/node-provider.ts'
import type { ErrorCode } from '../../errors.ts'
import { jsonBytes } from '../../fixture.testing.ts'
import { checkProperty, expectTyped } from '../../fuzzing.testing.ts'
import { anyJson, changedJson } from '../../mutation.testing.ts'
import { sweepEvidence } from '../sweep.testing.ts'
import { issueChain } from '../x509/pki.testing.ts'
import { parseJwks, thumbprintOf } from './jwks.ts'
import { JWS_ALGORITHMS, type JwsAlgorithm, MAX_TOKEN_LENGTH, parseJws, verifyJws } from './jws.ts'
import { signText, signToken, testTokenKey, x5cOf } from './token.testing.ts'
import { sweepCases } from './token-scenes.testing.ts'

const crypto = createNodeCrypto()
const KEYS = JWS_ALGORITHMS.map((algorithm) => testTokenKey(algorithm, `key ${algorithm}`))
const RSA = testTokenKey('RS256', 'rsa')
const parse = (token: string) => parseJws(token, JWS_ALGORITHMS)
const known = (key: (typeof KEYS)[number], algorithm?: string) => ({
  key: key.publicKey,
  algorithm,
  keyId: key.keyId,
  thumbprint: '',
  certificates: [],
})

for (const [provider, each] of [
  ['node', crypto],
  ['noble', createNobleCrypto()],
] as const) {
  test(`a token of each algorithm opens with its key, and with no other (${provider})`, () => {
    for (const signer of KEYS) {
      const jws = parse(signToken(signer, { says: 'so' }))
      assert.deepEqual([jws.algorithm, jws.keyId, jws.claims], [signer.algorithm, signer.keyId, { says: 'so' }])
      for (const key of [...KEYS, testTokenKey(signer.algorithm, 'another 2')]) {
        if (key === signer) verifyJws(each, jws, known(key))
        else assert.throws(() => verifyJws(each, jws, known(key)), { code: 'signature/invalid' })
      }
    }
  })
}

test('a signature by the key of another algorithm than the header says is none', () => {
  for (const signer of KEYS) {
    for (const { algorithm } of KEYS.filter((other) => other !== signer)) {
      const jws = parse(signToken(signer, {}, { alg: algorithm }))
      assert.throws(() => verifyJws(crypto, jws, known(signer)), { code: 'signature/invalid' }, algorithm)
    }
  }
})

test('a key is for one algorithm, whatever the header says', () => {
  const jws = parse(signToken(RSA, {}))
  verifyJws(crypto, jws, known(RSA, 'RS256'))
  assert.throws(() => verifyJws(crypto, jws, known(RSA, 'PS256')), { code: 'signature/invalid' })
})

const HEADER = '{"alg":"RS256","kid":"rsa"}'
const part = (text: string) => toBase64Url(utf8(text))
const honest = signText(RSA, HEADER, '{}')

const REFUSED: readonly (readonly [what: string, token: string, code: ErrorCode])[] = [
  ['nothing', '', 'evidence/malformed'],
  ['one part', 'e30', 'evidence/malformed'],
  ['two parts', 'e30.e30', 'evidence/malformed'],
  ['four parts', `${honest}.e30`, 'evidence/malformed'],
  ['five parts, as encrypted tokens have', 'e30.e30.e30.e30.e30', 'evidence/malformed'],
  ['an empty header', '.e30.e30', 'evidence/malformed'],
  ['an empty payload', 'e30..e30', 'evidence/malformed'],
  ['no signature', `${part(HEADER)}.e30.`, 'evidence/malformed'],
  ['a token that is too long', `${honest}${'A'.repeat(MAX_TOKEN_LENGTH)}`, 'evidence/malformed'],
  ['a line feed after it', `${honest}\n`, 'bytes/bad-base64'],
  ['a blank before it', ` ${honest}`, 'bytes/bad-base64'],
  ['padding', honest.replace('.', '=.'), 'bytes/bad-base64'],
  ['standard base64', honest.replace(/[A-Za-z0-9]$/, '+'), 'bytes/bad-base64'],
  ['stray bits', `${part(HEADER)}.e31.e30`, 'bytes/bad-base64'],
  ['a header that is no JSON', `${part('{')}.e30.e30`, 'json/malformed'],
  ['a header that is a list', `${part('[]')}.e30.e30`, 'shape/wrong-type'],
  ['claims that are a list', signText(RSA, HEADER, '[]'), 'evidence/malformed'],
  ['claims that are null', signText(RSA, HEADER, 'null'), 'evidence/malformed'],
  [
    'claims that are not UTF-8',
    `${part(HEADER)}.${toBase64Url(Uint8Array.of(0x22, 0xff, 0x22))}.e30`,
    'bytes/bad-utf8',
  ],
  ['an algorithm that comes twice', signText(RSA, '{"alg":"none","alg":"RS256"}', '{}'), 'json/duplicate-key'],
  ['a claim that comes twice', signText(RSA, HEADER, '{"exp":1,"exp":2}'), 'json/duplicate-key'],
  ['a claim that comes twice, once escaped', signText(RSA, HEADER, '{"exp":1,"\\u0065xp":2}'), 'json/duplicate-key'],
  [
    'claims within claims without end',
    signText(RSA, HEADER, `{"a":${'['.repeat(99)}${']'.repeat(99)}}`),
    'json/too-deep',
  ],
  ['no algorithm', signText(RSA, '{"kid":"rsa"}', '{}'), 'shape/missing-field'],
  ['the algorithm none', signText(RSA, '{"alg":"none"}', '{}'), 'evidence/unsupported'],
  ['the algorithm None', signText(RSA, '{"alg":"None"}', '{}'), 'evidence/unsupported'],
  ['PSS', signText(RSA, '{"alg":"PS256"}', '{}'), 'evidence/unsupported'],
  ['a list of algorithms', signText(RSA, '{"alg":["RS256"]}', '{}'), 'shape/wrong-type'],
  ['critical extensions', signText(RSA, '{"alg":"RS256","crit":["exp"],"exp":1}', '{}'), 'evidence/unsupported'],
  ['no critical extensions', signText(RSA, '{"alg":"RS256","crit":[]}', '{}'), 'evidence/unsupported'],
  ['a payload that is not encoded', signText(RSA, '{"alg":"RS256","b64":false}', '{}'), 'evidence/unsupported'],
  ['a payload that is packed', signText(RSA, '{"alg":"RS256","zip":"DEF"}', '{}'), 'evidence/unsupported'],
]

for (const [what, token, code] of REFUSED) {
  test(`a token is refused: ${what}`, () => {
    assert.throws(() => parse(token), { code })
  })
}

test('an HMAC with the public key as its secret is no signature', () => {
  const signed = `${part('{"alg":"HS256","kid":"rsa"}')}.e30`
  for (const secret of [RSA.publicKey, RSA.jwk].map((key) => JSON.stringify(key))) {
    const token = `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`
    assert.throws(() => parse(token), { code: 'evidence/unsupported' })
  }
})

test('only the algorithms of the caller are taken', () => {
  const allowed: readonly JwsAlgorithm[] = ['ES384']
  assert.throws(() => parseJws(honest, allowed), { code: 'evidence/unsupported' })
})

test('the empty signature and one of zeros are none', () => {
  for (const signer of KEYS) {
    const [header, payload] = signToken(signer, {}).split('.')
    for (const length of [1, 64, 96, 256]) {
      const jws = parse(`${header}.${payload}.${toBase64Url(new Uint8Array(length))}`)
      assert.throws(() => verifyJws(crypto, jws, known(signer)), { code: 'signature/invalid' })
    }
  }
})

test('a token with one character changed never opens', (t) => {
  for (const signer of KEYS) {
    const token = signToken(signer, { says: 'so', twice: [1, { a: 'b' }] })
    const alphabet = fc.constantFrom(...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.')
    checkProperty(t, [fc.nat({ max: token.length - 1 }), alphabet], 60, (at, character) => {
      if (token[at] === character) return
      const changed = `${token.slice(0, at)}${character}${token.slice(at + 1)}`
      const jws = expectTyped(() => parse(changed))
      if (jws !== undefined) assert.throws(() => verifyJws(crypto, jws, known(signer)), { code: 'signature/invalid' })
    })
  }
})

test('any text is a token or refused', (t) => {
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 300 }),
    fc.string().map((claims) => signTextCheaply(claims)),
  )
  checkProperty(t, [text], 300, (token) => {
    expectTyped(() => parse(token))
  })
})

function signTextCheaply(claims: string): string {
  return `${part(HEADER)}.${part(claims)}.e30`
}

test('the thumbprint is that of the example in RFC 7638', () => {
  const n =
    '0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMst' +
    'n64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn' +
    '1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw'
  const set = { keys: [{ kty: 'RSA', n, e: 'AQAB', alg: 'RS256', kid: '2011-04-29' }] }
  const [key] = parseJwks(crypto, jsonBytes(set))
  assert.equal(key?.thumbprint, 'NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs')
  assert.equal(key?.algorithm, 'RS256')
})

test('a thumbprint is of the key, not of how it is written', () => {
  for (const { jwk, publicKey, thumbprint, keyId } of KEYS) {
    const reversed = Object.fromEntries(Object.entries({ ...jwk, x5t: 'other', alg: 'any' }).reverse())
    const [key] = parseJwks(crypto, jsonBytes({ keys: [reversed] }))
    assert.deepEqual([key?.key, key?.thumbprint, key?.keyId], [publicKey, thumbprint, keyId])
    assert.equal(thumbprintOf(crypto, publicKey), thumbprint)
  }
})

test('keys that cannot check tokens are passed over', () => {
  const others = [
    { kty: 'OKP', crv: 'Ed25519', kid: 'a', x: 'AA' },
    { kty: 'oct', kid: 'b', k: 'AA' },
    { kty: 'EC', crv: 'P-521', kid: 'c', x: 'AA', y: 'AA' },
    { ...RSA.jwk, kid: 'd', use: 'enc' },
    { kty: 'RSA', n: 'AQ', e: 'AQAB' },
  ]
  const keys = parseJwks(crypto, jsonBytes({ keys: [...others, RSA.jwk], surplus: true }))
  assert.deepEqual(
    keys.map(({ keyId }) => keyId),
    ['rsa'],
  )
})

const BAD_SETS: readonly (readonly [what: string, set: Parameters<typeof jsonBytes>[0], code: ErrorCode])[] = [
  ['no keys', {}, 'shape/missing-field'],
  ['a list', [], 'shape/wrong-type'],
  ['too many keys', { keys: Array.from({ length: 257 }, () => ({ kty: 'oct' })) }, 'shape/bad-value'],
  ['two keys of one name', { keys: [RSA.jwk, { ...testTokenKey('ES256', 'rsa').jwk }] }, 'collateral/malformed'],
  ['one key twice', { keys: [RSA.jwk, RSA.jwk] }, 'collateral/malformed'],
  ['a private key', { keys: [{ ...RSA.jwk, d: 'AQ' }] }, 'collateral/malformed'],
  ['leading zeros', { keys: [{ ...RSA.jwk, e: 'AAEAAQ' }] }, 'collateral/malformed'],
  ['a modulus in standard base64', { keys: [{ ...RSA.jwk, n: 'AQ==' }] }, 'bytes/bad-base64'],
  ['a coordinate cut short', { keys: [{ ...testTokenKey('ES384', 'x').jwk, x: 'AQ' }] }, 'collateral/malformed'],
  ['a name that is a number', { keys: [{ ...RSA.jwk, kid: 7 }] }, 'shape/wrong-type'],
]

for (const [what, set, code] of BAD_SETS) {
  test(`a key set is refused: ${what}`, () => {
    assert.throws(() => parseJwks(crypto, jsonBytes(set)), { code })
  })
}

test('a key set whose key comes with a member twice is refused', () => {
  const text = JSON.stringify({ keys: [RSA.jwk] }).replace('"kid":', '"kid":"other","kid":')
  assert.throws(() => parseJwks(crypto, utf8(text)), { code: 'json/duplicate-key' })
})

test('a key may be told by its certificate alone', () => {
  const [certificate] = issueChain({ subject: 'service', key: RSA.key, isCa: false })
  const x5c = x5cOf(certificate === undefined ? [] : [certificate])
  const [key] = parseJwks(crypto, jsonBytes({ keys: [{ kty: 'RSA', kid: 'rsa', x5c }] }))
  assert.deepEqual([key?.thumbprint, key?.key], [RSA.thumbprint, RSA.publicKey])
  assert.deepEqual(key?.certificates, [certificate])
  const other = x5cOf(issueChain({ subject: 'service', key: KEYS[1]?.key ?? RSA.key, isCa: false }))
  const refused: readonly (readonly [Json, ErrorCode])[] = [
    [other, 'collateral/malformed'],
    [[toBase64Url(certificate ?? utf8(''))], 'bytes/bad-base64'],
    [['AAAA'], 'der/malformed'],
    [[], 'shape/missing-field'],
    [Array.from({ length: 7 }, () => x5c[0] ?? ''), 'shape/bad-value'],
  ]
  for (const [bad, code] of refused) {
    assert.throws(() => parseJwks(crypto, jsonBytes({ keys: [{ kty: 'RSA', kid: 'rsa', x5c: bad }] })), { code })
  }
})

test('certificates in a header are read, strictly', () => {
  const certificates = issueChain({ subject: 'service', key: RSA.key, isCa: false })
  assert.deepEqual(parse(signToken(RSA, {}, { x5c: x5cOf(certificates) })).certificates, certificates)
  assert.deepEqual(parse(signToken(RSA, {})).certificates, [])
  assert.throws(() => parse(signToken(RSA, {}, { x5c: 'AAAA' })), { code: 'shape/wrong-type' })
  assert.throws(() => parse(signToken(RSA, {}, { x5c: ['A-_A'] })), { code: 'bytes/bad-base64' })
})

test('any JSON is a key set or refused', (t) => {
  const certificates = x5cOf(issueChain({ subject: 'service', key: RSA.key, isCa: false }))
  const set = { keys: [...KEYS.map(({ jwk }) => jwk), { kty: 'RSA', kid: 'told', x5c: certificates }] }
  checkProperty(t, [fc.oneof(anyJson(), changedJson([set]))], 300, (value) => {
    expectTyped(() => parseJwks(crypto, jsonBytes(value)))
  })
})

test('no changed token is genuine', () => {
  for (const swept of sweepCases()) assert.deepEqual(sweepEvidence(swept, { step: 11 }).problems, [])
})
