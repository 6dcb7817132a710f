import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { forwardedForHops, forwardedHops, MAX_HOPS } from './forwarded.ts'

test('X-Forwarded-For is a list, the nearest hop last', () => {
  assert.deepEqual(forwardedForHops('192.0.2.1'), ['192.0.2.1'])
  assert.deepEqual(forwardedForHops('192.0.2.1, 192.0.2.2 ,\t192.0.2.3'), ['192.0.2.1', '192.0.2.2', '192.0.2.3'])
  assert.deepEqual(forwardedForHops(''), [''])
  assert.deepEqual(forwardedForHops(',a,'), ['', 'a', ''])
})

test('it is split as a list is, but for hops beyond the limit', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom('a', '', ' b ', '"', ','), { maxLength: 80 }), (parts) => {
      const header = parts.join(',')
      const expected = header.split(',').map((hop) => hop.trim())
      assert.deepEqual(forwardedForHops(header), expected.slice(-MAX_HOPS))
    }),
  )
})

test('Forwarded by the examples of its specification', () => {
  for (const [header, hops] of [
    ['for="_gazonk"', ['_gazonk']],
    ['For="[2001:db8:cafe::17]:4711"', ['[2001:db8:cafe::17]:4711']],
    ['for=192.0.2.60;proto=http;by=203.0.113.43', ['192.0.2.60']],
    ['for=192.0.2.43, for=198.51.100.17', ['192.0.2.43', '198.51.100.17']],
    ['for=192.0.2.43,for="[2001:db8:cafe::17]",for=unknown', ['192.0.2.43', '[2001:db8:cafe::17]', 'unknown']],
    ['proto=https;for="a,b;c=\\"d\\""', ['a,b;c="d"']],
    ['proto=https, for=192.0.2.1', [undefined, '192.0.2.1']],
    ['for=192.0.2.1;', ['192.0.2.1']],
    ['', [undefined]],
  ] as const) {
    assert.deepEqual(forwardedHops(header), hops, header)
  }
})

test('a header that is not of the form has no hops, so that none is swallowed', () => {
  for (const header of [
    'for="192.0.2.1',
    'for="192.0.2.1, for=198.51.100.17',
    'for=192.0.2.1;x="\\, for="[2001:db8::1]"',
    'for=192.0.2.1;x=", for="[2001:db8::1]"',
    'for=192.0.2.1;for=192.0.2.2',
    'for = 192.0.2.1',
    'for=2001:db8::1',
    'for',
    'for="a"b',
    'for="\u0000"',
  ]) {
    assert.equal(forwardedHops(header), undefined, header)
  }
})

test('whatever a client begins with, what its proxy adds is the last hop, or nothing is', () => {
  const start = fc.oneof(
    fc.string(),
    fc.stringMatching(/^[",;=\\a-z0-9 ]*$/),
    fc.constantFrom('for="', 'for="a";x="\\'),
  )
  const added = fc.constantFrom('for=198.51.100.17', 'for="[2001:db8::1]:80";proto=https', 'proto=https;for="_hidden"')
  fc.assert(
    fc.property(start, added, (client, proxy) => {
      const hops = forwardedHops(`${client}, ${proxy}`)
      if (hops !== undefined) assert.equal(hops.at(-1), forwardedHops(proxy)?.[0])
    }),
    { numRuns: 2000 },
  )
})

test('long headers are read in time', () => {
  const startedMs = performance.now()
  for (const piece of ['"', '\\', 'for="', ';', ',', 'for=a,', 'a="\\"', ' ', 'for=a;b="c",']) {
    forwardedHops(piece.repeat(16_384))
    assert.ok(forwardedForHops(piece.repeat(16_384)).length <= MAX_HOPS)
  }
  assert.ok(performance.now() - startedMs < 2000)
})
