/**
 * Where generated code finds what it knows of a region (`REGION_RECORD`).
 */
import { REGION_SHIFT } from '../interpreter/code-cache.ts'
import { REGION_RECORD } from '../memory.ts'
import type { FunctionBody, Local } from '../wasm/function.ts'

/** Pushes how far from the first record that of a region is. `region`: as `ENTRY_REGION` says it. */
export function pushRegionRecord(f: FunctionBody, region: Local): void {
  f.get(region)
  f.i32(REGION_SHIFT - REGION_RECORD.shift)
  f.op('i32.shr_u')
  f.i32(-1 << REGION_RECORD.shift)
  f.op('i32.and')
}
