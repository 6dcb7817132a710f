/** Whether a session really runs on the provider that it was asked to run on: asked of its arithmetic. */
import { CountersignError } from '@countersign/verify'
import type { Profile } from './profile.ts'
import type { Runtime } from './runtime.ts'

/**
 * `product` = MatMul(`left` [2, 2], `right` [2, 16]) and `whole` = Cast(`large` [1], INT32). The test beside this file
 * rebuilds these bytes.
 */
export const PROBE_MODEL = Buffer.from(
  'CAc62QEKLgoEbGVmdAoFcmlnaHQSB3Byb2R1Y3QaDk1hdE11bCBwcm9kdWN0IgZNYXRNdWwKKwoFbGFyZ2USBXdob2xlGgpDYXN0IHdob2xlIgRD' +
    'YXN0KgkKAnRvGAagAQISBHRlc3RaFgoEbGVmdBIOCgwIARIICgIIAgoCCAJaFwoFcmlnaHQSDgoMCAESCAoCCAIKAggQWhMKBWxhcmdlEgoKCAgB' +
    'EgQKAggBYhkKB3Byb2R1Y3QSDgoMCAESCAoCCAIKAggQYhMKBXdob2xlEgoKCAgGEgQKAggBQgQKABAN',
  'base64',
)

/** 1 + 2⁻¹²: its square needs 25 bits, one more than FP32 has. */
const ODD = 1 + 2 ** -12
const LARGE = 3e9

/** ODD² − 1, with the square rounded first. Rounded once, at the end, it is 2⁻²⁴ more. */
const ROUNDED_TWICE = 2 ** -11
/** LARGE as WebAssembly converts it: to the nearest INT32. */
const SATURATED = 2 ** 31 - 1

/**
 * Proves that sessions of `runtime` compute as the profile's provider does, or throws. To be called for each model,
 * after its session was made: what other code loads into this process may change what the next session runs on.
 *
 * Both packages keep their providers in a registry that they share when both are loaded with `require`. In it `cpu` is
 * whichever package came first, and so is a session that names no provider, whichever package made it. Neither says
 * what a session runs on; its results do, on a model for which WebAssembly is unlike each native build:
 *
 * - x86 converts a float that is too large to the most negative integer; WebAssembly, as Arm, to the largest.
 * - Arm multiplies and adds with one rounding; WebAssembly, without its relaxed instructions, has two.
 *
 * Proves nothing against code in this process that sets out to deceive, which could as well change the results.
 *
 * @throws {CountersignError} `execution/profile-unmet`
 */
export async function verifyProvider(runtime: Runtime, { id, engine, provider }: Profile): Promise<void> {
  const found = (await computesAsWasm(runtime)) ? 'wasm' : 'cpu'
  if (found !== provider) {
    const what = found === 'wasm' ? 'WebAssembly' : 'native code'
    throw new CountersignError(
      'execution/profile-unmet',
      `${engine} runs ${what} in this process, not what profile ${id} is`,
    )
  }
}

async function computesAsWasm(runtime: Runtime): Promise<boolean> {
  const session = await runtime.createSession(PROBE_MODEL)
  try {
    const { product, whole } = await session.run({
      left: runtime.createTensor('float32', Float32Array.of(-1, ODD, -1, ODD), [2, 2]),
      right: runtime.createTensor('float32', new Float32Array(32).fill(1, 0, 16).fill(ODD, 16), [2, 16]),
      large: runtime.createTensor('float32', Float32Array.of(LARGE), [1]),
    })
    const products = product?.data instanceof Float32Array ? product.data : new Float32Array()
    const saturates = whole?.data instanceof Int32Array && whole.data[0] === SATURATED
    return saturates && products.length === 32 && products.every((each) => each === ROUNDED_TWICE)
  } finally {
    await session.release()
  }
}
