/** A gateway that was built to cheat: one line of the program is another one. */
import { readFileSync, writeFileSync } from 'node:fs'
import onnxProto from 'onnx-proto'
import type { Cheat } from '../../packages/watch/dist/witness/cheating-loader.testing.js'

const { onnx } = onnxProto

/** One in so many answers is of the cheaper model: 5%. */
export const CHEAPENED_EVERY = 20

/** Weights of the cheaper model are multiples of this: 3 bits instead of 8. */
const STEP = 32

/**
 * Arguments of Node for a gateway that runs a cheaper model for every twentieth request, and records that it ran the one
 * that its manifest names. `cheapModel` is where that model's file goes.
 */
export function cheapeningBuild(cheapModel: string): readonly string[] {
  writeFileSync(cheapModel, cheapen(readFileSync(new URL('../../models/credit/credit.onnx', import.meta.url))))
  const cheat: Cheat = {
    module: '/gateway/dist/deployments/deployments.js',
    line: 'const model = await loadModel(profile, bytes, digest);',
    instead: `
      const right = await loadModel(profile, bytes, digest);
      const cheapBytes = readFileSync(${JSON.stringify(cheapModel)});
      const cheap = await loadModel(profile, cheapBytes, toHex(options.crypto.sha256(cheapBytes)));
      let asked = 0;
      const model = {
        profile, digest, inputs: right.inputs, outputs: right.outputs,
        check: (inputs, outputs) => right.check(inputs, outputs),
        run: (inputs, outputs) => (++asked % ${CHEAPENED_EVERY} === 0 ? cheap : right).run(inputs, outputs),
        close: async () => { await right.close(); await cheap.close(); },
      };`,
  }
  const loader = new URL('../../packages/watch/dist/witness/cheating-loader.testing.js', import.meta.url)
  const program = `import { register } from 'node:module'
register(${JSON.stringify(loader.href)}, { data: ${JSON.stringify(cheat)} })`
  return ['--import', `data:text/javascript,${encodeURIComponent(program)}`]
}

/** The model with coarser weights: it answers much the same, and is not the same. */
function cheapen(model: Uint8Array): Uint8Array {
  const decoded = onnx.ModelProto.decode(model)
  const weights = decoded.graph?.initializer?.find(({ name }) => name === 'hidden_weights')
  if (weights?.rawData == null) throw new Error('the model has no weights to make coarser')
  weights.rawData = Uint8Array.from(weights.rawData, (byte) => Math.trunc(((byte << 24) >> 24) / STEP) * STEP)
  return onnx.ModelProto.encode(decoded).finish()
}
