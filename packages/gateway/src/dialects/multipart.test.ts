import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CountersignError, codeOf } from '@countersign/verify'
import { readForm } from './multipart.ts'

const TYPE = 'multipart/form-data; boundary=b0undary'
const END = '--b0undary--\r\n'

function part(name: string, value: string, head = ''): string {
  return `--b0undary\r\nContent-Disposition: form-data; name="${name}"\r\n${head}\r\n${value}\r\n`
}

const MODEL = part('model', 'whisper')

async function modelOf(body: string, type = TYPE): Promise<string> {
  try {
    return (await readForm(new Uint8Array(Buffer.from(body, 'latin1')), type)).model
  } catch (thrown) {
    if (thrown instanceof CountersignError) return String(codeOf(thrown))
    throw thrown
  }
}

test('the model of a form is read, wherever it stands', async () => {
  const file = part('file', 'RIFF\r\n\r\n--not a boundary', 'Content-Type: audio/wav\r\n')
  for (const type of [
    TYPE,
    'Multipart/Form-Data;boundary="b0undary"',
    'multipart/form-data; charset=utf-8; boundary=b0undary',
    'multipart/form-data; boundary=b0undary; charset=UTF-8',
  ]) {
    assert.equal(await modelOf(file + MODEL + END, type), 'whisper', type)
    assert.equal(await modelOf(MODEL + file + END, type), 'whisper', type)
  }
})

test('a form in which two servers could find two models is refused', async () => {
  for (const type of [
    'multipart/form-data; boundary=b0undary; boundary=c',
    'multipart/form-data; boundary=c; boundary=b0undary',
    "multipart/form-data; boundary=b0undary; boundary*=utf-8''c",
    'multipart/form-data; boundary=b0undary; charset=utf-7',
    'multipart/form-data; boundary=b0undary, multipart/form-data; boundary=c',
    'multipart/form-data',
    'application/json',
  ]) {
    assert.equal(await modelOf(MODEL + END, type), 'request/malformed', type)
  }
  for (const body of [MODEL + part('model', 'other') + END, `--c\r\n${MODEL}${END}`, MODEL + END + MODEL + END]) {
    assert.match(await modelOf(body), /^(request\/malformed|shape\/missing-field)$/, body)
  }
})

test('a form of very many parts, or of very long heads, is refused before it is taken apart', async () => {
  assert.equal(await modelOf(MODEL + part('a', 'x').repeat(250) + END), 'whisper')
  for (const body of [
    MODEL + part('a', '').repeat(256) + END,
    part('model', 'whisper', 'X: y\r\n'.repeat(1000)) + END,
    part('model', 'whisper', `X: ${'y'.repeat(5000)}\r\n`) + END,
  ]) {
    assert.equal(await modelOf(body), 'request/malformed')
  }
})
