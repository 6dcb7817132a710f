import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Json } from '@countersign/verify'
import fc from 'fast-check'
import { scanObject } from './json-scan.ts'
import { type PatchOperation, removeMember, setMember, spliceMembers } from './json-splice.ts'
import { checkProperty, windowOn } from './properties.testing.ts'

const scan = (text: string) => scanObject(windowOn(text))
const textOf = (bytes: Uint8Array) => Buffer.from(bytes).toString()

/** A JSON Patch on the outermost members, done by the book. */
function apply(object: { readonly [name: string]: Json }, patch: readonly PatchOperation[]): Map<string, Json> {
  const members = new Map(Object.entries(object))
  for (const operation of patch) {
    const name = operation.path.slice(1).replaceAll('~1', '/').replaceAll('~0', '~')
    assert.equal(members.has(name), operation.op !== 'add', operation.path)
    if (operation.op === 'remove') members.delete(name)
    else members.set(name, operation.value)
  }
  return members
}

const names = fc.oneof(
  fc.constantFrom('model', 'seed', 'a/b', 'm~n', '', '__proto__', 'é', '"'),
  fc.string({ maxLength: 4 }),
)
const values = fc.jsonValue({ maxDepth: 2 })
const objects = fc.dictionary(names, values, { maxKeys: 6 })

test('the patch turns the old object into the new one', (t) => {
  const changes = fc.uniqueArray(fc.tuple(names, fc.option(values, { nil: undefined })), {
    selector: ([name]) => name,
    maxLength: 5,
  })
  checkProperty(t, [objects, changes, fc.nat({ max: 2 })], 1500, (object, changed, indent) => {
    const text = JSON.stringify(object, undefined, indent)
    const wanted = new Map(
      changed.map(([name, value]) => [name, value === undefined ? undefined : JSON.stringify(value)]),
    )
    const { bytes, patch } = spliceMembers(scan(text), wanted)
    const found = new Map(Object.entries(JSON.parse(textOf(bytes)) as { readonly [name: string]: Json }))
    assert.deepEqual(found, apply(JSON.parse(text), JSON.parse(JSON.stringify(patch))))
    for (const [name, value] of wanted) {
      assert.deepEqual(found.get(name), value === undefined ? undefined : JSON.parse(value))
    }
  })
})

test('members that are not changed keep every byte, and what stands around them too', (t) => {
  const space = fc.constantFrom('', ' ', '\n  ', '\t')
  const members = fc.uniqueArray(fc.tuple(names, values, space, space), {
    selector: ([name]) => name,
    minLength: 1,
    maxLength: 6,
  })
  checkProperty(t, [members, fc.nat(), values], 1000, (all, which, value) => {
    const spelled = all.map(([name, each, a, b]) => `${a}${JSON.stringify(name)}${b}:${a}${JSON.stringify(each)}${b}`)
    const index = which % all.length
    const [name = ''] = all[index] ?? []
    const scanned = scan(`{${spelled.join(',')}}`)
    const span = scanned.spanOf(name)
    assert.ok(span)
    const before = textOf(scanned.bytes.subarray(0, span.start))
    const after = textOf(scanned.bytes.subarray(span.end))
    assert.equal(
      textOf(setMember(scanned, name, JSON.stringify(value)).bytes),
      `${before}${JSON.stringify(value)}${after}`,
    )
    const left = textOf(removeMember(scanned, name).bytes)
    const others = spelled.filter((_, i) => i !== index).map((each) => each.trim())
    for (const other of others) assert.ok(left.includes(other), `${left} lost ${other}`)
    assert.equal(scanObject(Buffer.from(left)).members.size, others.length)
  })
})

test('one change, several, and none', () => {
  const text = '{ "model" : "a",\n  "seed":18446744073709551615, "x":[1 ,2] }'
  const scanned = scan(text)
  assert.deepEqual(setMember(scanned, 'model', '"b"').patch, [{ op: 'replace', path: '/model', value: 'b' }])
  assert.equal(textOf(setMember(scanned, 'model', '"b"').bytes), text.replace('"a"', '"b"'))
  assert.equal(textOf(setMember(scanned, 'user', '"u"').bytes), text.replace('[1 ,2]', '[1 ,2],"user":"u"'))
  assert.equal(textOf(removeMember(scanned, 'model').bytes), '{ "seed":18446744073709551615, "x":[1 ,2] }')
  assert.equal(textOf(removeMember(scanned, 'x').bytes), '{ "model" : "a",\n  "seed":18446744073709551615 }')
  const all = spliceMembers(
    scanned,
    new Map([
      ['model', undefined],
      ['new/~', '1'],
      ['x', '{}'],
      ['seed', undefined],
      ['gone', undefined],
    ]),
  )
  assert.equal(textOf(all.bytes), '{ "x":{},"new/~":1 }')
  assert.deepEqual(all.patch, [
    { op: 'remove', path: '/model' },
    { op: 'add', path: '/new~1~0', value: 1 },
    { op: 'replace', path: '/x', value: {} },
    { op: 'remove', path: '/seed' },
  ])
  assert.deepEqual(removeMember(scanned, 'gone'), { bytes: scanned.bytes, patch: [] })
  assert.equal(textOf(setMember(scan(' { } '), 'a', '1').bytes), ' {"a":1 } ')
  assert.equal(textOf(removeMember(scan('{ "a":1 }'), 'a').bytes), '{  }')
  assert.equal(textOf(scanned.bytes), text)
})

test('a value that is not JSON is refused, so that nothing slips in beside it', () => {
  for (const bad of ['', 'x', '1,"admin":true', '"a"}', '{']) {
    assert.throws(() => setMember(scan('{"a":1}'), 'a', bad), { code: 'json/malformed' }, bad)
  }
})
