import { parseBase64, parseBase64Url, toBase64 } from '../bytes/base64.ts'
import { concat, parseHex, toHex, utf8 } from '../bytes/bytes.ts'
import { PAYLOAD_LIMITS, parseJson } from '../bytes/json.ts'
import { p256Cases } from '../crypto/ecdsa-cases.testing.ts'
import { ed25519Cases, type SignatureCase } from '../crypto/ed25519-cases.testing.ts'
import { parseP256Signature, parseP256Spki, verifyP256 } from '../crypto/keys.ts'
import { createNobleCrypto } from '../crypto/noble-provider.ts'
import { statementSigner } from '../fixture.testing.ts'
import { commit, saltFor, verifyOpening } from '../statement/commitment.ts'
import { type FormatVectors, gives, refused, textOf } from './format-vector.testing.ts'

const crypto = createNobleCrypto()

export function byteVectors(): readonly FormatVectors[] {
  return [base64Vectors(), jsonVectors(), commitmentVectors(), signatureVectors(), derVectors()]
}

function base64Vectors(): FormatVectors {
  const bad = (name: string, alphabet: 'standard' | 'url', text: string) =>
    refused(name, { alphabet, text }, 'bytes/bad-base64')
  const good = (alphabet: 'standard' | 'url', text: string, hex: string) =>
    gives(`${alphabet} ${JSON.stringify(text)}`, { alphabet, text }, hex)
  return {
    file: 'base64',
    description: 'Strict base64: `standard` with padding, `url` without. The value is the bytes in hexadecimal.',
    cases: [
      good('standard', '', ''),
      good('standard', 'AA==', '00'),
      good('standard', 'AAA=', '0000'),
      good('standard', 'AAAA', '000000'),
      good('standard', '+/+/', 'fbffbf'),
      good('url', '-_-_', 'fbffbf'),
      good('url', 'AA', '00'),
      good('url', '', ''),
      bad('padding missing', 'standard', 'AA'),
      bad('padding short', 'standard', 'AA='),
      bad('padding alone', 'standard', '===='),
      bad('three padding characters', 'standard', 'A==='),
      bad('padding inside', 'standard', 'AA==AAAA'),
      bad('stray bits in one byte', 'standard', 'AB=='),
      bad('stray bits in two bytes', 'standard', 'AAB='),
      bad('line feed', 'standard', 'AAAA\n'),
      bad('space inside', 'standard', 'AA A'),
      bad('leading space', 'standard', ' AAA'),
      bad('url alphabet', 'standard', '-_-_'),
      bad('letter beyond ASCII', 'standard', 'AAÄA'),
      bad('letter whose low byte is a digit', 'standard', 'AAAŁ'),
      bad('url with padding', 'url', 'AA=='),
      bad('url with the standard alphabet', 'url', '+/+/'),
      bad('url of impossible length', 'url', 'AAAAA'),
      bad('url with stray bits', 'url', 'AB'),
    ],
    run: (_, input) => {
      const parse = textOf(input, 'alphabet') === 'url' ? parseBase64Url : parseBase64
      return toHex(parse(textOf(input, 'text')))
    },
  }
}

function jsonVectors(): FormatVectors {
  const bytes = (text: string) => ({ base64: toBase64(utf8(text)) })
  const bad = (name: string, text: string, code: Parameters<typeof refused>[2] = 'json/duplicate-key') =>
    refused(name, bytes(text), code)
  return {
    file: 'json',
    description: 'JSON under the limits of a payload: at most 1 MiB, 16 deep. The value is the value.',
    cases: [
      gives('object', bytes('{"a":[1,"b",null,true]}'), { a: [1, 'b', null, true] }),
      gives('colons and quotes in texts', bytes('{"a:b":"c\\":\\"d:","e":"\\\\"}'), { 'a:b': 'c":"d:', e: '\\' }),
      gives('one key in two objects', bytes('[{"a":1},{"a":2},{"b":{"a":3}}]'), [{ a: 1 }, { a: 2 }, { b: { a: 3 } }]),
      gives('keys that differ in case', bytes('{"a":1,"A":2}'), { a: 1, A: 2 }),
      gives('sixteen deep', bytes(`${'['.repeat(16)}${']'.repeat(16)}`), nested(16)),
      bad('key twice', '{"a":1,"a":2}'),
      bad('key twice with one value', '{"a":1,"a":1}'),
      bad('key twice, once escaped', '{"a":1,"\\u0061":2}'),
      bad('key twice, escaped in two ways', '{"\\u002f":1,"\\/":2}'),
      bad('key twice, deep inside', '[{"x":{"y":[{"a":1,"b":2,"a":3}]}}]'),
      bad('empty key twice', '{"":1,"":2}'),
      bad('prototype key twice', '{"__proto__":1,"__proto__":2}'),
      bad('key twice, after a text that ends in a backslash', '{"a":"\\\\","a":"\\\\"}'),
      bad('seventeen deep', `${'['.repeat(17)}${']'.repeat(17)}`, 'json/too-deep'),
      bad('seventeen deep in objects', `${'{"a":'.repeat(17)}1${'}'.repeat(17)}`, 'json/too-deep'),
      bad('empty', '', 'json/malformed'),
      bad('comma at the end', '[1,]', 'json/malformed'),
      bad('comment', '{}//', 'json/malformed'),
      bad('single quotes', "{'a':1}", 'json/malformed'),
      bad('two values', '{}{}', 'json/malformed'),
      bad('leading zero', '01', 'json/malformed'),
      bad('not a number', 'NaN', 'json/malformed'),
      bad('byte order mark', '\ufeff{}', 'json/malformed'),
      bad('line feed in a text', '"a\nb"', 'json/malformed'),
      refused('not UTF-8', { base64: toBase64(parseHex('22ff22')) }, 'bytes/bad-utf8'),
      refused('surrogate in UTF-8', { base64: toBase64(parseHex('22eda08022')) }, 'bytes/bad-utf8'),
      refused('overlong UTF-8', { base64: toBase64(parseHex('22c08022')) }, 'bytes/bad-utf8'),
    ],
    run: (_, input) => parseJson(parseBase64(textOf(input, 'base64')), PAYLOAD_LIMITS),
  }
}

function nested(depth: number): readonly unknown[] & never[] {
  let value: unknown[] = []
  for (let i = 1; i < depth; i++) value = [value]
  return value as never[]
}

function commitmentVectors(): FormatVectors {
  const salt = crypto.sha256(utf8('a salt'))
  const content = utf8('{"exact":"bytes"}')
  const commitment = toHex(crypto.sha256(concat(salt, content)))
  const opening = { salt: toHex(salt), content: toBase64(content) }
  const seed = toHex(salt)
  const salted = (label: string) =>
    toHex(crypto.sha256(concat(salt, crypto.sha256(utf8(`countersign-salt-v1:${label}`)))))
  return {
    file: 'commitment',
    description:
      '`salt` (hexadecimal) and `content` (base64) give a commitment, which must be `commitment` where there is one; `seed` and `label` give a salt. The value is in hexadecimal.',
    cases: [
      gives('commitment', opening, commitment),
      gives('commitment to nothing', { salt: seed, content: '' }, toHex(crypto.sha256(salt))),
      gives('opening', { ...opening, commitment }, commitment),
      gives('salt of a label', { seed, label: 'request' }, salted('request')),
      gives('salt of the empty label', { seed, label: '' }, salted('')),
      refused(
        'other content',
        { ...opening, content: toBase64(utf8('{"exact":"bytes"} ')), commitment },
        'opening/commitment-mismatch',
      ),
      refused('other salt', { ...opening, salt: '00'.repeat(32), commitment }, 'opening/commitment-mismatch'),
      refused(
        'byte moved from content to salt',
        { salt: toHex(concat(salt, content.slice(0, 1))), content: toBase64(content.slice(1)), commitment },
        'shape/bad-value',
      ),
      refused('short salt', { ...opening, salt: '00'.repeat(31) }, 'shape/bad-value'),
      refused('commitment in capitals', { ...opening, commitment: commitment.toUpperCase() }, 'bytes/bad-hex'),
      refused('short commitment', { ...opening, commitment: commitment.slice(2) }, 'bytes/bad-hex'),
      refused('short seed', { seed: '00'.repeat(31), label: 'request' }, 'shape/bad-value'),
    ],
    run: (provider, input) => {
      const fields = input as { readonly [name: string]: string }
      if (fields.seed !== undefined) return toHex(saltFor(provider, parseHex(fields.seed), textOf(input, 'label')))
      const parsed = { salt: parseHex(textOf(input, 'salt')), content: parseBase64(textOf(input, 'content')) }
      if (fields.commitment !== undefined) verifyOpening(provider, fields.commitment, parsed)
      return commit(provider, parsed)
    },
  }
}

function signatureVectors(): FormatVectors {
  const build = (algorithm: 'ed25519' | 'p256') => (each: SignatureCase) =>
    gives(
      `${algorithm}: ${each.name}`,
      {
        algorithm,
        publicKey: toHex(each.publicKey),
        message: toHex(each.message),
        signature: toHex(each.signature),
      },
      each.accepted,
    )
  return {
    file: 'signature',
    description:
      'Raw keys and signatures in hexadecimal: Ed25519 as OpenSSL decides it, ECDSA P-256 over SHA-256 with r ‖ s and an uncompressed point. The value says whether it is accepted.',
    cases: [...ed25519Cases().map(build('ed25519')), ...p256Cases().map(build('p256'))],
    run: (provider, input) => {
      const [publicKey, message, signature] = ['publicKey', 'message', 'signature'].map((name) =>
        parseHex(textOf(input, name)),
      )
      if (publicKey === undefined || message === undefined || signature === undefined) throw new TypeError('no input')
      const accepts = textOf(input, 'algorithm') === 'ed25519' ? provider.ed25519Accepts : provider.p256Accepts
      return accepts(publicKey, message, signature)
    },
  }
}

/** Encodings of keys and signatures, as statements carry them. */
function derVectors(): FormatVectors {
  const signer = statementSigner('operator')
  const spki = toHex(signer.spki)
  const message = utf8('a message')
  const der = toHex(signer.sign(message))
  const input = (changes: { readonly spki?: string; readonly der?: string }) => ({
    message: toHex(message),
    spki,
    der,
    ...changes,
  })
  const badKey = (name: string, hex: string) => refused(`key: ${name}`, input({ spki: hex }), 'key/malformed')
  const badDer = (name: string, hex: string) =>
    refused(`signature: ${name}`, input({ der: hex }), 'signature/malformed')
  const point = spki.slice(54)
  return {
    file: 'p256-der',
    description:
      'A P-256 key as SubjectPublicKeyInfo and a signature in DER, hexadecimal. The value is null when it checks.',
    cases: [
      gives('honest', input({}), null),
      refused('other message', { ...input({}), message: '00' }, 'signature/invalid'),
      refused('one and one', input({ der: '3006020101020101' }), 'signature/invalid'),
      refused('r is zero', input({ der: '3006020100020101' }), 'signature/invalid'),
      refused('r is zero, s is zero', input({ der: '3006020100020100' }), 'signature/invalid'),
      ...badKeys(spki, point).map(([name, hex]) => badKey(name, hex)),
      ...BAD_DER.map(([name, hex]) => badDer(name, hex)),
      ...mutatedDer(der).map(([name, hex]) => badDer(name, hex)),
    ],
    run: (provider, value) => {
      const [key, signed, signature] = ['spki', 'message', 'der'].map((name) => parseHex(textOf(value, name)))
      if (key === undefined || signed === undefined || signature === undefined) throw new TypeError('no input')
      parseP256Spki(key)
      parseP256Signature(signature)
      verifyP256(provider, key, signed, signature)
      return null
    },
  }
}

function badKeys(spki: string, point: string): readonly (readonly [string, string])[] {
  const oid = '06072a8648ce3d0201'
  return [
    ['empty', ''],
    ['point alone', point],
    [
      'compressed point',
      `3039301306072a8648ce3d020106082a8648ce3d030107032200${point.startsWith('04') ? '02' : ''}${point.slice(2, 66)}`,
    ],
    ['hybrid point', spki.replace('03420004', '03420006')],
    ['point at infinity', `301a3013${oid}06082a8648ce3d03010703020000`],
    ['unused bits', spki.replace('034200', '034201')],
    ['curve secp256k1', spki.replace('06082a8648ce3d030107', '06052b8104000a').replace(/^30593013/, '30563010')],
    ['long length', `308159${spki.slice(4)}`],
    ['indefinite length', `3080${spki.slice(4)}0000`],
    ['byte at the end', `${spki}00`],
    ['last byte missing', spki.slice(0, -2)],
    ['another algorithm', spki.replace('2a8648ce3d0201', '2a8648ce3d0202')],
  ]
}

const BAD_DER: readonly (readonly [string, string])[] = [
  ['empty', ''],
  ['no integers', '3000'],
  ['one integer', '3003020101'],
  ['three integers', '3009020101020101020101'],
  ['empty integer', '30050200020101'],
  ['negative r', '3006020181020101'],
  ['r with a leading zero', '300702020001020101'],
  ['zero with a leading zero', '300702020000020101'],
  ['r of 33 bytes', `30260221${'01'.repeat(33)}020101`],
  ['r of 34 bytes', `302702220081${'01'.repeat(32)}020101`],
  ['integer that ends outside', '3006020101020201'],
  ['wrong tag of r', '3006030101020101'],
  ['wrong tag of s', '3006020101030101'],
  ['wrong tag outside', '3106020101020101'],
]

function mutatedDer(der: string): readonly (readonly [string, string])[] {
  const length = der.slice(2, 4)
  return [
    ['long length', `3081${length}${der.slice(4)}`],
    ['indefinite length', `3080${der.slice(4)}0000`],
    ['byte at the end', `${der}00`],
    ['byte at the end, counted', `30${(Number.parseInt(length, 16) + 1).toString(16)}${der.slice(4)}00`],
    ['last byte missing', der.slice(0, -2)],
  ]
}
